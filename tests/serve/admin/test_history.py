from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kiro_rs_py.serve.admin.history import HOUR, HOURS, IT_WAS_OVER, MOST_CHANGES, Daily, History
from kiro_rs_py.upstream.selection import Standing
from tests.serve.admin.test_overview import ACTIVE

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WELL = Standing("active", NOON)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def shown(history: History, standing: Standing) -> list[Any]:
    status = replace(
        ACTIVE, id=1, state=standing.state, since=standing.since, cause=standing.cause, until=standing.until
    )
    return [(entry["state"], entry["since"], entry["cause"]) for entry in history.of(status)]  # type: ignore[index, call-overload]


def test_an_account_to_which_nothing_happened() -> None:
    assert shown(History(lambda: None), WELL) == [("active", "2026-11-24T12:00:00+00:00", None)]


def test_changes_stand_with_time_and_reason_the_newest_first() -> None:
    told: list[int] = []
    history = History(lambda: told.append(1))
    off = Standing("disabled", at(1), "Manual")
    history.note(1, WELL, off)
    history.note(1, off, Standing("active", at(2)))
    assert len(told) == 2
    assert shown(history, Standing("active", at(2))) == [
        ("active", "2026-11-24T12:02:00+00:00", None),
        ("disabled", "2026-11-24T12:01:00+00:00", "Manual"),
        ("active", "2026-11-24T12:00:00+00:00", None),
    ]


def test_a_cooling_that_ended_by_itself_is_followed_by_its_end() -> None:
    history = History(lambda: None)
    first = Standing("cooling", at(1), "Wait.", until=at(2))
    history.note(1, WELL, first)
    over = Standing("active", at(2))
    assert [state for state, _, _ in shown(history, over)] == ["active", "cooling", "active"]
    assert shown(history, over)[0] == ("active", "2026-11-24T12:02:00+00:00", IT_WAS_OVER)
    history.note(1, first, Standing("cooling", at(5), "Wait.", until=at(6)))
    later = Standing("cooling", at(5), "Wait.", until=at(6))
    assert [state for state, _, _ in shown(history, later)] == ["cooling", "active", "cooling", "active"]


def test_a_cooling_that_grows_longer_is_one_change() -> None:
    history = History(lambda: None)
    first, longer = (Standing("cooling", at(1), "Wait.", until=at(minutes)) for minutes in (2, 9))
    history.note(1, WELL, first)
    history.note(1, first, longer)
    status = replace(ACTIVE, id=1, state="cooling", since=at(1), cause="Wait.", until=at(9))
    assert [entry["until"] for entry in history.of(status)] == ["2026-11-24T12:09:00+00:00", None]  # type: ignore[index, call-overload]


def test_it_does_not_grow() -> None:
    history = History(lambda: None)
    before = WELL
    for minute in range(3 * MOST_CHANGES):
        after = Standing("disabled" if before.state == "active" else "active", at(minute), str(minute))
        history.note(1, before, after)
        before = after
    assert len(shown(history, before)) == MOST_CHANGES
    history.keep({2})
    assert len(shown(history, before)) == 1


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
