from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from kiro_rs_py.serve.request_log import RequestIdFilter, RequestRecord, current_request_id


def record_of(message: str) -> logging.LogRecord:
    return logging.LogRecord("kiro_rs_py.serve", logging.INFO, "", 0, message, (), None)


async def test_the_id_rides_along_in_the_task_and_its_children() -> None:
    seen: list[str] = []

    async def log() -> None:
        record = record_of("x")
        assert RequestIdFilter().filter(record)
        seen.append(record.__dict__["request_id"])

    async def request(request_id: str) -> None:
        current_request_id.set(request_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(request, "req_1")
        nursery.start_soon(request, "req_2")
        await log()
    assert sorted(seen) == ["", "req_1", "req_2"]


async def test_the_line_of_a_message(autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    record = RequestRecord("POST")
    record.route, record.status, record.model, record.mode = "/v1/messages", 200, "claude-opus-4.6", "stream"
    record.attempts, record.credential_id = 2, 7
    with record.waiting():
        await trio.sleep(1.25)
    record.first_byte()
    await trio.sleep(1)
    record.first_byte()
    record.input_tokens, record.output_tokens, record.stop_reason = 1200, 34, "end_turn"
    record.credits, record.uploading = 0.12345678, 0.5
    assert record.line() == (
        "POST /v1/messages 200 model=claude-opus-4.6 mode=stream attempts=2 credential=#7 first=1250ms total=2250ms "
        "upstream=1250ms own=500ms in=1200 out=34 credits=0.1235 stop=end_turn"
    )
    record.end(200)
    await trio.sleep(5)
    assert record.total_ms == 2250
    assert caplog.records[-1].__dict__["facts"] == {
        "method": "POST",
        "route": "/v1/messages",
        "status": 200,
        "model": "claude-opus-4.6",
        "mode": "stream",
        "attempts": 2,
        "credential": 7,
        "upstream_request_id": None,
        "first_ms": 1250,
        "upstream_ms": 1250,
        "own_ms": 500,
        "input_tokens": 1200,
        "output_tokens": 34,
        "credits": 0.123457,
        "searches": 0,
        "stop_reason": "end_turn",
        "total_ms": 2250,
        "outcome": None,
    }


async def test_the_line_names_the_key_that_was_let_in() -> None:
    record = RequestRecord("GET")
    record.key = "key_1a2b3c4d"
    assert record.line() == "GET (unknown route) - key=key_1a2b3c4d total=0ms"
    assert record.facts()["key"] == "key_1a2b3c4d"


async def test_the_line_of_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    record = RequestRecord("GET", level=logging.DEBUG)
    record.outcome = "client left"
    record.end(None)
    assert record.line().startswith("GET (unknown route) - total=0ms (client left)")
    assert caplog.records[0].levelno == logging.DEBUG
    assert "model" not in caplog.records[0].__dict__["facts"]
