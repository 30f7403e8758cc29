from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import trio

from kiro_rs_py.serve.admin.activity import MOST_REQUESTS, Activity
from kiro_rs_py.serve.request_log import RequestRecord


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 2, 13, 23, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)


def record(route: str = "/v1/messages", **fields: Any) -> RequestRecord:
    made = RequestRecord("POST")
    made.route = route
    for name, value in fields.items():
        setattr(made, name, value)
    return made


async def test_a_request_without_its_content() -> None:
    await trio.lowlevel.checkpoint()
    activity = Activity(Time().clock, Time().now)
    served = record(
        model="claude-sonnet-4.5", mode="stream", credential_id=3, status=200, attempts=2, input_tokens=10,
        output_tokens=5, credits=0.25, stop_reason="end_turn",
    )  # fmt: skip
    served.first_byte()
    assert activity.note(served, "req_1") is not None
    [entry] = activity.latest(10)
    assert isinstance(entry, dict)
    assert isinstance(entry.pop("firstByteMs"), int)
    assert isinstance(entry.pop("totalMs"), int)
    assert entry == {
        "time": "2026-02-13T23:00:00+00:00", "requestId": "req_1", "route": "/v1/messages",
        "model": "claude-sonnet-4.5", "mode": "stream", "credentialId": 3, "status": 200, "attempts": 2,
        "inputTokens": 10, "outputTokens": 5, "credits": 0.25, "stopReason": "end_turn", "error": None,
    }  # fmt: skip
    assert activity.today() == {"tokensToday": {"input": 10, "output": 5}, "creditsToday": 0.25}


async def test_other_routes_do_not_count() -> None:
    await trio.lowlevel.checkpoint()
    activity = Activity(Time().clock, Time().now)
    for route in ("/healthz", "/v1/models", "/v1/messages/count_tokens", "/api/admin/overview", "(unknown route)"):
        assert activity.note(record(route), "x") is None
    assert activity.latest(10) == []


async def test_the_newest_first_and_only_so_many() -> None:
    await trio.lowlevel.checkpoint()
    activity = Activity(Time().clock, Time().now)
    for number in range(MOST_REQUESTS + 10):
        activity.note(record("/cc/v1/messages", status=200), f"req_{number}")
    latest = activity.latest(1000)
    assert len(latest) == MOST_REQUESTS
    assert isinstance(latest[0], dict)
    assert latest[0]["requestId"] == f"req_{MOST_REQUESTS + 9}"
    assert activity.rates()["requestsPerMinute"] == MOST_REQUESTS + 10  # the ring does not bound the count


async def test_rates() -> None:
    await trio.lowlevel.checkpoint()
    time = Time()
    activity = Activity(time.clock, time.now)
    assert activity.rates() == {"requestsPerMinute": 0, "errorRate": 0.0}
    for outcome in ("", "Throttled", "client left", ""):
        activity.note(record(outcome=outcome), "x")
    assert activity.rates() == {"requestsPerMinute": 4, "errorRate": 0.25}
    time.seconds = 61
    assert activity.rates() == {"requestsPerMinute": 0, "errorRate": 0.25}
    time.seconds = 301
    assert activity.rates() == {"requestsPerMinute": 0, "errorRate": 0.0}


async def test_a_new_day_begins_at_nothing() -> None:
    await trio.lowlevel.checkpoint()
    time = Time()
    activity = Activity(time.clock, time.now)
    activity.note(record(input_tokens=7, credits=1.0), "x")
    time.seconds = 3599
    assert activity.today()["creditsToday"] == 1.0
    time.seconds = 3600
    assert activity.today() == {"tokensToday": {"input": 0, "output": 0}, "creditsToday": 0.0}
