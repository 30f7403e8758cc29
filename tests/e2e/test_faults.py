"""What the client sees of failures that docs/errors.md has no row for (test_error_matrix plays those), and of
disturbances that are none, in all modes (response-conversion D-20)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import HELD, STREAM, Proxy, events_of, running_proxy, text_of

TEXT = "one two three four five six seven eight nine ten"
PATIENCE: dict[str, Any] = {"first_event_timeout_seconds": 1.0, "idle_timeout_seconds": 0.3}
MODES = [("live", STREAM, True), ("held", HELD, True), ("plain", STREAM, False), ("plain cc", HELD, False)]


@pytest.fixture
async def hasty(simulator: RunningSimulator, tmp_path: Path) -> AsyncGenerator[Proxy, None]:
    async with running_proxy(simulator, tmp_path, **PATIENCE) as proxy:
        yield proxy


@dataclass(frozen=True)
class Early:
    """A failure before the first byte: a status in every mode."""

    fault: str
    status: int
    type: str
    words: str = ""
    retry_after: int | None = None
    """Seconds; the pool's jitter may add one."""


EARLY = [
    Early("throttle", 429, "rate_limit_error", retry_after=1),
    Early("credit-rate 30000", 429, "rate_limit_error", retry_after=30),
    Early("model-down", 529, "overloaded_error", retry_after=5),
    Early("status 408", 504, "timeout_error"),
    Early("status 413", 413, "request_too_large"),
    Early("status 418", 400, "invalid_request_error"),
    Early("connect-reset", 502, "api_error"),
    Early("exception ContentLengthExceededException", 400, "invalid_request_error", "prompt is too long: "),
]

# Failures after the first text: live streams get an error event, the others still a status.
LATE = [
    ("reset-stream", 502, "api_error"),
    ("bad-prelude", 502, "api_error"),
    ("bad-json", 502, "api_error"),
    ("late-exception ThrottlingException", 429, "rate_limit_error"),
    ("late-exception ServiceUnavailableException", 529, "overloaded_error"),
    ("error InternalServerException", 502, "api_error"),
    ("invalid-state", 502, "api_error"),
]

# Disturbances that are no failures: the answer is whole, or ends as it should.
SURVIVED = [
    ("expired", "end_turn", TEXT),
    ("internal once", "end_turn", TEXT),
    ("connect-reset once", "end_turn", TEXT),
    ("empty once", "end_turn", TEXT),
    ("slow 0.01", "end_turn", TEXT),
    ("slow-start 0.1", "end_turn", TEXT),
    ("noise", "end_turn", TEXT),
    ("torn 1", "end_turn", TEXT),
    ("stop MAX_TOKENS", "max_tokens", TEXT),
    ("stop CONTENT_FILTERED", "refusal", TEXT),
    ("context 50", "end_turn", TEXT),
    ("late-exception ContentLengthExceededException", "max_tokens", None),
]


async def ask(proxy: Proxy, fault: str, path: str, stream: bool, what: str = f"<<SAY {TEXT}>>") -> httpx.Response:
    return await proxy.ask(f"{what} <<FAULT {fault}>>", path=path, stream=stream)


async def in_modes(
    simulator: RunningSimulator, folder: Path, fault: str, modes: Sequence[tuple[str, str, bool]]
) -> list[httpx.Response]:
    """The answers in several modes at once, each by a proxy of its own: the failure may put the account out."""
    responses: list[httpx.Response] = []

    async def ask_one(name: str, path: str, stream: bool) -> None:
        (folder / name).mkdir()
        async with running_proxy(simulator, folder / name, **PATIENCE) as proxy:
            responses.append(await ask(proxy, fault, path, stream, f"<<SAY {TEXT}>> {name}"))

    async with trio.open_nursery() as nursery:
        for mode in modes:
            nursery.start_soon(ask_one, *mode)
    return responses


def is_sse(response: httpx.Response) -> bool:
    return response.headers["content-type"] == "text/event-stream; charset=utf-8"


def check_error(response: httpx.Response, status: int, type_: str) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["error"]["type"]) == (status, type_)
    assert document["type"] == "error"
    assert document["request_id"] == response.headers["request-id"]
    assert "127.0.0.1" not in response.text
    return document


@pytest.mark.parametrize("early", EARLY, ids=lambda early: early.fault)
async def test_before_the_first_byte_it_is_a_status(early: Early, simulator: RunningSimulator, tmp_path: Path) -> None:
    for response in await in_modes(simulator, tmp_path, early.fault, MODES[:3]):
        document = check_error(response, early.status, early.type)
        assert early.words in document["error"]["message"]
        told = response.headers.get("retry-after")
        assert (told is None) == (early.retry_after is None)
        if early.retry_after is not None:
            assert early.retry_after <= int(told or 0) <= early.retry_after + 1
        assert "x-should-retry" not in response.headers


@pytest.mark.parametrize(("fault", "status", "type_"), LATE, ids=lambda value: str(value))
async def test_after_it_a_live_stream_gets_one_error_event(fault: str, status: int, type_: str, hasty: Proxy) -> None:
    response = await ask(hasty, fault, STREAM, True)
    assert response.status_code == 200
    events = events_of(response.text)
    assert [event["type"] for event in events[-2:]] == ["content_block_stop", "error"]
    assert events[-1]["error"]["type"] == type_
    assert events[-1]["request_id"] == response.headers["request-id"]
    assert TEXT.startswith(text_of(events))
    assert "imulat" not in response.text  # the words of the fault stay in the log


@pytest.mark.parametrize(("fault", "status", "type_"), LATE, ids=lambda value: str(value))
async def test_after_it_the_other_modes_still_have_a_status(
    fault: str, status: int, type_: str, simulator: RunningSimulator, tmp_path: Path
) -> None:
    for response in await in_modes(simulator, tmp_path, fault, MODES[1:3]):
        check_error(response, status, type_)


@pytest.mark.parametrize(("name", "path", "stream"), MODES, ids=[mode[0] for mode in MODES])
@pytest.mark.parametrize(("fault", "stop_reason", "text"), SURVIVED, ids=[case[0] for case in SURVIVED])
async def test_what_the_proxy_gets_over(
    fault: str, stop_reason: str, text: str | None, name: str, path: str, stream: bool, hasty: Proxy
) -> None:
    response = await ask(hasty, fault, path, stream)
    assert response.status_code == 200
    if is_sse(response):
        events = events_of(response.text)
        assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
        said, reason = text_of(events), events[-2]["delta"]["stop_reason"]
    else:
        said, reason = response.json()["content"][0]["text"], response.json()["stop_reason"]
    assert reason == stop_reason
    assert TEXT.startswith(said)
    assert said
    if text is not None:
        assert said == text


async def test_an_end_without_its_mark_is_a_cut_once_marks_were_seen(hasty: Proxy) -> None:
    await ask(hasty, "noise", STREAM, False)
    response = await ask(hasty, "end-early", STREAM, False)
    assert response.json()["stop_reason"] == "max_tokens"
