"""One message on its way, in all three modes; the upstream is a script and the clock jumps."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from kiro_rs_py.convert.events import AssistantText, ContextUsage, Fault, Metadata, ToolUseFragment
from kiro_rs_py.errors import (
    KiroError,
    PromptTooLong,
    QuotaExhausted,
    Throttled,
    TruncatedStream,
    UpstreamOverloaded,
    UpstreamTimeout,
)
from kiro_rs_py.serve.in_flight import InFlight
from tests.serve.in_memory import Answer, Client, ask
from tests.serve.scripted import HELLO, ScriptedClient, Step, app_of, body_of, events_of, types_of

LIVE, HELD = "/v1/messages", "/cc/v1/messages"
WHOLE = [
    "message_start",
    "content_block_start",
    "ping",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


async def stream(client: ScriptedClient, path: str = LIVE) -> Answer:
    return await ask(app_of(client), "POST", path, body_of(stream=True))


def without_pings(body: bytes) -> list[str]:
    return [type_ for type_ in types_of(body) if type_ != "ping"]


# --- answers that work ------------------------------------------------------------------------------------------------


async def test_live_is_one_write_for_each_read() -> None:
    answer = await stream(ScriptedClient(*HELLO))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.complete
    first, second, last = [types_of(part) for _, part in answer.parts]
    assert first == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert second == ["content_block_delta"]
    assert last == ["content_block_stop", "message_delta", "message_stop"]


async def test_held_knows_the_usage_from_the_start() -> None:
    answer = await stream(ScriptedClient(*HELLO), HELD)
    [(_, burst)] = answer.parts
    assert types_of(burst) == WHOLE
    start, delta = events_of(burst)[0]["message"], events_of(burst)[-2]
    assert start["usage"]["input_tokens"] == delta["usage"]["input_tokens"]
    assert 9_900 < start["usage"]["input_tokens"] <= 10_000  # 5 % of 200,000
    assert start["usage"]["output_tokens"] == 1


async def test_live_starts_with_the_estimate() -> None:
    events = events_of((await stream(ScriptedClient(*HELLO))).body)
    assert 0 < events[0]["message"]["usage"]["input_tokens"] < 100
    assert events[-2]["usage"]["input_tokens"] > 9_900


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_plain_is_the_same_message(path: str) -> None:
    answer = await ask(app_of(ScriptedClient(*HELLO)), "POST", path, body_of())
    assert answer.headers["content-type"] == "application/json"
    message = answer.json
    assert message["content"] == [{"type": "text", "text": "Hello world"}]
    assert (message["stop_reason"], message["model"], message["type"]) == ("end_turn", "claude-sonnet-4-5", "message")
    assert message["id"].startswith("msg_")
    assert message["usage"]["input_tokens"] > 9_900


async def test_a_stop_sequence_ends_the_answer_and_frees_the_upstream() -> None:
    client = ScriptedClient([AssistantText("one STOP two")], 1000.0, [AssistantText("three")])
    answer = await ask(app_of(client), "POST", LIVE, body_of(stream=True, stop_sequences=["STOP"]))
    delta = events_of(answer.body)[-2]["delta"]
    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": "STOP"}
    assert client.freed.is_set()


async def test_the_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await stream(ScriptedClient(*HELLO))
    [record] = caplog.records
    line = record.getMessage()
    assert line.startswith("POST /v1/messages 200 key=config model=CLAUDE_SONNET_4_5_20250929_V1_0 mode=stream ")
    assert " attempts=2 " in line
    assert " credential=#7 first=" in line
    assert line.endswith(" stop=end_turn")


# --- failures ---------------------------------------------------------------------------------------------------------

FAILURES: list[tuple[KiroError, int, str]] = [
    (Throttled("slow down", retry_after=3), 429, "rate_limit_error"),
    (QuotaExhausted("used up"), 429, "rate_limit_error"),
    (UpstreamOverloaded("capacity"), 529, "overloaded_error"),
    (UpstreamTimeout("late"), 504, "timeout_error"),
    (TruncatedStream("cut"), 502, "api_error"),
]


@pytest.mark.parametrize("path", [LIVE, HELD])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("error", "status", "type_"), FAILURES)
async def test_before_the_first_event_a_failure_is_a_status(
    error: KiroError, status: int, type_: str, streaming: bool, path: str
) -> None:
    client = ScriptedClient(before=[error])
    answer = await ask(app_of(client), "POST", path, body_of(stream=streaming))
    assert (answer.status, answer.json["error"]["type"]) == (status, type_)


@pytest.mark.parametrize(("error", "status", "type_"), FAILURES)
async def test_later_it_is_an_event_and_nothing_follows(error: KiroError, status: int, type_: str) -> None:
    answer = await stream(ScriptedClient([AssistantText("Half an")], error))
    assert answer.status == 200
    assert answer.complete
    events = events_of(answer.body)
    assert [event["type"] for event in events[-2:]] == ["content_block_stop", "error"]
    assert events[-1]["error"]["type"] == type_
    assert events[-1]["request_id"] == answer.headers["request-id"]
    assert "message_stop" not in types_of(answer.body)


@pytest.mark.parametrize("streaming", [True, False])
async def test_held_and_plain_answers_still_have_a_status_then(streaming: bool) -> None:
    client = ScriptedClient([AssistantText("Half an")], UpstreamOverloaded("capacity"))
    answer = await ask(app_of(client), "POST", HELD, body_of(stream=streaming))
    assert (answer.status, answer.json["error"]["type"]) == (529, "overloaded_error")


async def test_what_came_before_the_fault_in_the_same_read_is_delivered() -> None:
    fault = Fault("InternalServerException", "sorry")
    answer = await stream(ScriptedClient([AssistantText("Half"), fault, AssistantText("never")]))
    texts = [event["delta"]["text"] for event in events_of(answer.body) if event["type"] == "content_block_delta"]
    assert texts == ["Half"]
    assert events_of(answer.body)[-1]["error"]["type"] == "api_error"


async def test_a_throttle_in_mid_answer_is_still_a_throttle() -> None:
    answer = await stream(ScriptedClient([AssistantText("Half"), Fault("ThrottlingException", "upstream's words")]))
    error = events_of(answer.body)[-1]["error"]
    assert error["type"] == "rate_limit_error"
    assert "upstream's words" not in error["message"]


async def test_too_long_in_the_first_frames_has_the_numbers() -> None:
    answer = await stream(ScriptedClient([Fault("ContentLengthExceededException", "too long")]))
    assert (answer.status, answer.json["error"]["message"]) == (
        400,
        "prompt is too long: 200001 tokens > 200000 maximum",
    )


async def test_once_an_account_is_known_to_mark_its_ends_a_missing_mark_is_a_cut() -> None:
    """The end of HTTP alone proves nothing (upstream-protocol §2.5)."""
    client = ScriptedClient([AssistantText("a")])
    app = app_of(client)

    async def stop_reason() -> str:
        return str((await ask(app, "POST", LIVE, body_of())).json["stop_reason"])

    assert await stop_reason() == "end_turn"
    client.steps = ([Metadata(percentage=5.0, is_end=False), AssistantText("a")],)
    assert await stop_reason() == "end_turn"
    client.steps = ([AssistantText("a")],)
    assert await stop_reason() == "end_turn"  # that was no mark
    client.steps = ([AssistantText("a"), Metadata("END_TURN")],)
    assert await stop_reason() == "end_turn"
    client.steps = ([AssistantText("a")],)
    assert await stop_reason() == "max_tokens"
    client.credential_id = 8
    assert await stop_reason() == "end_turn"


async def test_a_cut_tool_call_is_not_closed() -> None:
    """Clients run a tool when its block is closed (clients §1.2)."""
    half = ToolUseFragment("tooluse_1", "read", '{"path": "/et', False)
    answer = await stream(ScriptedClient([half], TruncatedStream("cut")))
    types = without_pings(answer.body)
    assert types[-1] == "error"
    assert "content_block_stop" not in types


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_a_bug_in_mid_stream_tells_nothing(path: str, caplog: pytest.LogCaptureFixture) -> None:
    bug = RuntimeError("secret words")
    answer = await stream(ScriptedClient([AssistantText("Half")], bug), path)
    assert b"secret" not in answer.body
    assert b"Internal error" in answer.body
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [bug]


# --- time -------------------------------------------------------------------------------------------------------------


def told(answer: Answer) -> list[tuple[int, list[str]]]:
    return [(round(at), types_of(part)) for at, part in answer.parts]


async def test_live_pings_in_silence(autojump_clock: trio.testing.MockClock) -> None:
    answer = await stream(ScriptedClient([AssistantText("a")], 60.0, [AssistantText("b")]))
    assert told(answer)[1:] == [
        (25, ["ping"]),
        (50, ["ping"]),
        (60, ["content_block_delta"]),
        (60, ["content_block_stop", "message_delta", "message_stop"]),
    ]


@pytest.mark.parametrize(
    ("path", "wait", "status"), [(LIVE, 49.0, 529), (LIVE, 51.0, 200), (HELD, 24.0, 529), (HELD, 26.0, 200)]
)
async def test_how_long_a_failure_keeps_its_status(
    path: str, wait: float, status: int, autojump_clock: trio.testing.MockClock
) -> None:
    answer = await stream(ScriptedClient(before=[wait, UpstreamOverloaded("capacity")]), path)
    assert answer.status == status
    if status == 200:
        assert types_of(answer.body) == ["ping", "error"]
        assert answer.complete


async def test_held_pings_first_then_bursts(autojump_clock: trio.testing.MockClock) -> None:
    answer = await stream(ScriptedClient([AssistantText("a")], 60.0, [AssistantText("b")]), HELD)
    assert told(answer) == [(25, ["ping"]), (50, ["ping"]), (60, WHOLE)]


async def test_held_that_breaks_after_a_ping_shows_only_the_error(autojump_clock: trio.testing.MockClock) -> None:
    answer = await stream(ScriptedClient([AssistantText("a")], 30.0, UpstreamTimeout("late")), HELD)
    assert told(answer) == [(25, ["ping"]), (30, ["error"])]


async def test_plain_answers_wait_in_silence(autojump_clock: trio.testing.MockClock) -> None:
    answer = await ask(app_of(ScriptedClient(200.0, *HELLO)), "POST", LIVE, body_of())
    assert answer.status == 200
    assert trio.current_time() >= 200


async def test_the_interval_is_configurable(autojump_clock: trio.testing.MockClock) -> None:
    app = app_of(ScriptedClient([AssistantText("a")], 7.0), ping_interval_seconds=3.0)
    answer = await ask(app, "POST", LIVE, body_of(stream=True))
    assert [at for at, types in told(answer) if types == ["ping"]] == [3, 6]


# --- endings from outside ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIVE, HELD])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("silent", [True, False], ids=["before the first event", "in mid-answer"])
async def test_a_client_that_leaves_frees_the_upstream_at_once(
    path: str, streaming: bool, silent: bool, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    steps: list[Step] = [[AssistantText("a")], 1000.0]
    scripted = ScriptedClient(*steps, before=[1000.0] if silent else [])
    client = Client(app_of(scripted))
    client.say(body_of(stream=streaming))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "POST", path)
        await trio.sleep(10)
        assert not scripted.freed.is_set()
        client.leave()
    assert scripted.freed.is_set()
    assert trio.current_time() == 10
    assert not client.answer.complete
    assert "(client left)" in caplog.text


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_the_end_of_the_proxy_ends_the_answers(path: str, autojump_clock: trio.testing.MockClock) -> None:
    in_flight = InFlight()
    client = Client(app_of(ScriptedClient([AssistantText("a")], 1000.0), in_flight))
    client.say(body_of(stream=True))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "POST", path)
        await trio.sleep(30)
        await in_flight.drain(10)
    assert trio.current_time() == 40
    events = events_of(client.answer.body)
    assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", "overloaded_error")
    assert client.answer.complete


async def test_the_end_of_the_proxy_is_a_529_for_plain_answers(autojump_clock: trio.testing.MockClock) -> None:
    in_flight = InFlight()
    client = Client(app_of(ScriptedClient(1000.0), in_flight))
    client.say(body_of())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "POST", LIVE)
        await trio.sleep(30)
        await in_flight.drain(10)
    assert client.answer.status == 529


async def test_a_prompt_that_is_too_long_has_its_words() -> None:
    client = ScriptedClient(before=[PromptTooLong(210_000, 200_000)])
    answer = await stream(client)
    assert (answer.status, answer.json["error"]["message"]) == (
        400,
        "prompt is too long: 210000 tokens > 200000 maximum",
    )


async def test_usage_without_content_waits_for_the_content() -> None:
    answer = await stream(ScriptedClient([ContextUsage(5.0)], [AssistantText("a")]))
    assert without_pings(answer.body)[0] == "message_start"
