from __future__ import annotations

from dataclasses import replace

from kiro_rs_py.serve.admin.daily import HOUR, HOURS, Daily
from tests.serve.admin.test_overview import ACTIVE


def test_the_last_day_is_counted_from_the_lifetime_counters() -> None:
    clock = 0.0
    daily = Daily(lambda: clock)
    status = replace(ACTIVE, id=1, success_count=100, failure_count=7)
    assert daily.of(status) == (0, 0)
    for hour in range(3 * HOURS):
        clock = hour * HOUR
        daily.look([status])
        daily.look([status])
        status = replace(status, success_count=status.success_count + 2, failure_count=status.failure_count + 1)
    assert daily.of(status) == (2 * (HOURS + 1), HOURS + 1)
    assert len(daily._marks[1]) == HOURS + 1
    clock += 30 * HOUR
    assert daily.of(status) == (0, 0)
    daily.look([])
    assert not daily._marks
