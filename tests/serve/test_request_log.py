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


async def test_the_line_of_a_message(autojump_clock: trio.testing.MockClock) -> None:
    record = RequestRecord("POST")
    record.route, record.status, record.model, record.mode = "/v1/messages", 200, "claude-opus-4.6", "stream"
    record.attempts, record.credential_id = 2, 7
    await trio.sleep(1.25)
    record.first_byte()
    await trio.sleep(1)
    record.first_byte()
    record.input_tokens, record.output_tokens, record.stop_reason = 1200, 34, "end_turn"
    assert record.line() == (
        "POST /v1/messages 200 model=claude-opus-4.6 mode=stream attempts=2 credential=#7 first=1250ms total=2250ms "
        "in=1200 out=34 stop=end_turn"
    )


async def test_the_line_of_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    record = RequestRecord("GET", level=logging.DEBUG)
    record.outcome = "client left"
    record.log()
    assert record.line().startswith("GET (unknown route) - total=0ms (client left)")
    assert caplog.records[0].levelno == logging.DEBUG
