from __future__ import annotations

from datetime import UTC

from kiro_rs_py.serve.admin.house import utc_now


def test_the_wall_clock_is_in_utc() -> None:
    assert utc_now().tzinfo is UTC
