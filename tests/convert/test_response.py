"""MessageStream: stories, the reference's vectors, faults and endings. The invariants have a file of their own."""

from __future__ import annotations

from typing import Any

import pytest

from kiro_rs_py.convert.events import (
    AssistantText,
    ContextUsage,
    Fault,
    KiroEvent,
    Metadata,
    Metering,
    Reasoning,
    TokenUsage,
)
from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.message_events import ErrorEvent, Usage
from kiro_rs_py.convert.native_thinking import unseal
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.errors import ContextWindowFull, EmptyAnswer, UpstreamFault
from tests.convert.answers import (
    OFF,
    ON,
    Thinking,
    accumulated_by_sdk,
    answer,
    joined,
    new_stream,
    over_the_wire,
    reasoning,
    signature,
    text,
    tool,
    transcript,
)
from tests.convert.response_stories import END, STORIES, Story
from tests.convert.response_vectors import VECTORS, Vector


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_stories(story: Story) -> None:
    events = answer(story.gives, new_stream(story.thinking, **story.options))
    lines = transcript(events)
    assert lines[0] == "message_start"
    assert lines[-1] == "message_stop"
    # D-3: the ping stands behind the first block start. The other lines are the story.
    assert [place for place, line in enumerate(lines) if line == "ping"] == ([2] if lines[1].startswith("0 ") else [])
    assert [line for line in lines[1:-1] if line != "ping"] == story.expects
    ours = fold_message(events)
    ours.pop("reasoning_content", None)  # unknown to Anthropic
    assert accumulated_by_sdk(events) == ours


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vectors(vector: Vector) -> None:
    stream = new_stream(vector.thinking, input_estimate=vector.estimate)
    events = answer(over_the_wire(vector.upstream), stream)
    message = fold_message(events)
    input_tokens, output_tokens = vector.usage
    assert message["content"] == vector.content
    assert message["stop_reason"] == stream.stop_reason == vector.stop_reason
    assert message["usage"] == {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }
    assert stream.usage == Usage(input_tokens, output_tokens)


# --- nothing, too long, broken ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("thinking", [OFF, ON])
@pytest.mark.parametrize(
    "upstream",
    [
        [],
        [Metering(0.1), ContextUsage(5.0)],
        [END],
        [Metadata("PAUSE_TURN")],
        [text("")],
        [tool("", stop=True)],
        [tool("nameless", "", "{}", True)],
    ],
)
def test_no_answer_is_an_error(upstream: list[KiroEvent], thinking: Thinking) -> None:
    """V5a, V5b: B6, B7 and D-12. Nothing has gone to the client, so it can still be an HTTP error."""
    stream = new_stream(thinking)
    with pytest.raises(EmptyAnswer):
        answer(upstream, stream)
    assert not stream.started


@pytest.mark.parametrize(
    "event", [ContextUsage(100.0), Metadata("MODEL_CONTEXT_WINDOW_EXCEEDED"), Metadata(percentage=104.0)]
)
def test_no_answer_because_the_window_is_full(event: KiroEvent) -> None:
    with pytest.raises(ContextWindowFull):
        answer([event], new_stream())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("ContentLengthExceededException", "too big"), "ContentLengthExceededException"),
        (Fault("ValidationException", "long", "CONTENT_LENGTH_EXCEEDS_THRESHOLD"), "CONTENT_LENGTH_EXCEEDS_THRESHOLD"),
        (Fault("ValidationException", "long", "PROMPT_TOO_LONG"), "PROMPT_TOO_LONG"),
        (Fault("contentLengthExceededError", "too big"), "contentLengthExceededError"),
    ],
)
def test_too_long_before_output(fault: Fault, reason: str) -> None:
    stream = new_stream(ON)
    assert stream.receive(text("<thin")) == []
    with pytest.raises(ContextWindowFull) as caught:
        stream.receive(fault)
    assert caught.value.reason == reason
    assert not stream.started


def test_a_fault_is_raised_with_its_facts() -> None:
    """V6a, B8: an exception does not look like the end of a turn."""
    stream = new_stream()
    stream.receive(text("par"))
    with pytest.raises(UpstreamFault) as caught:
        stream.receive(Fault("ThrottlingException", "Rate exceeded", "USER_REQUEST_RATE_EXCEEDED"))
    assert (caught.value.code, str(caught.value)) == ("ThrottlingException", "Rate exceeded")
    assert caught.value.reason == "USER_REQUEST_RATE_EXCEEDED"
    with pytest.raises(UpstreamFault, match="Kiro ended the answer"):
        stream.receive(Fault("ValidationException", ""))
    assert transcript(stream.fail("rate_limit_error", "Rate exceeded", "req_1")) == [
        "stop 0",
        "error rate_limit_error Rate exceeded",
    ]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("ContentLengthExceededException", ""),
        Fault("contentLengthExceededError", ""),
        Fault("ValidationException", "", "CONTENT_LENGTH_EXCEEDS_THRESHOLD"),
    ],
)
def test_too_long_after_output_is_no_error(fault: Fault) -> None:
    """Claude Code would throw the text away and ask again (clients §1.2)."""
    given = answer([text("abc"), fault], new_stream())
    assert transcript(given)[-3:] == ["stop 0", "max_tokens", "message_stop"]


FAILED = ErrorEvent("api_error", "broken", "req_1")


@pytest.mark.parametrize(
    ("upstream", "thinking", "last"),
    [
        ([], OFF, []),
        ([text("Hi")], OFF, ["text 'Hi'", "stop 0"]),
        ([text("<thinking>abc\n")], ON, ["thinking 'abc'", "thinking '\\n'", "placeholder", "stop 0"]),
        ([text("<thin")], ON, ["message_start", "0 text", "ping", "text '<thin'", "stop 0"]),
        ([tool("t", "Read", "{}", True)], OFF, ["json {}", "stop 0"]),
        # Clients would run the tool at its content_block_stop (clients §1.2).
        ([tool("t", "Read", "{}")], OFF, ["json {}"]),
        ([tool("t", "Read", '{"a'), text("waits")], OFF, ['json {"a']),
        ([tool("nameless")], OFF, []),
    ],
)
def test_a_failure_closes_what_is_open(upstream: list[KiroEvent], thinking: Thinking, last: list[str]) -> None:
    stream = new_stream(thinking)
    given = [event for step in upstream for event in stream.receive(step)]
    given += stream.fail("api_error", "broken", "req_1")
    lines = transcript(given)
    assert lines[-1] == "error api_error broken"
    assert given[-1] == FAILED
    assert lines[-1 - len(last) : -1] == last
    assert len(lines) == 1 or lines[0] == "message_start"
    # Nothing comes after it.
    assert stream.fail("api_error", "again", "req_1") == []
    assert stream.finish() == []
    assert stream.receive(text("more")) == []


def test_nothing_comes_after_the_end() -> None:
    stream = new_stream()
    answer([text("Hi")], stream)
    assert stream.stopped
    assert stream.receive(text("more")) == []
    assert stream.receive(tool("t", "Read", "{}", True)) == []
    assert stream.finish() == []
    assert stream.fail("api_error", "late", "req_1") == []


# --- what the caller may look at -------------------------------------------------------------------------------------


def test_started_with_the_first_content() -> None:
    stream = new_stream(ON)
    for event in (Metering(0.1), ContextUsage(1.0), text("\n<thin")):
        assert stream.receive(event) == []
        assert not stream.started
    assert stream.receive(text("ks"))
    assert stream.started
    assert not stream.stopped


@pytest.mark.parametrize(
    "upstream",
    [
        [text("a END b")],
        [tool("w", "Write", "{", True)],
        [text("a"), Fault("ContentLengthExceededException", "")],
    ],
)
def test_stopped_when_the_rest_is_of_no_use(upstream: list[KiroEvent]) -> None:
    stream = new_stream(stop_sequences=["END"])
    for event in upstream:
        assert not stream.stopped
        stream.receive(event)
    assert stream.stopped
    assert stream.stop_reason in ("stop_sequence", "max_tokens")
    # Usage that still comes is taken.
    assert stream.receive(Metadata(usage=TokenUsage(5, 6, 0, 0))) == []
    stream.finish()
    assert stream.usage == Usage(5, 6)


def test_usage_and_credits_for_the_log() -> None:
    stream = new_stream(input_estimate=42)
    assert stream.usage == Usage(42, 0)
    stream.receive(AssistantText("Hello world"))
    assert stream.usage == Usage(42, 4)
    stream.receive(Metering(0.25))
    stream.receive(Metering(0.5))
    assert stream.credits == 0.75
    assert stream.stop_reason is None
    stream.finish()
    assert stream.stop_reason == "end_turn"


def test_what_upstream_measured_of_the_request() -> None:
    stream = new_stream(input_estimate=42)
    assert stream.measured_input is None
    answer([AssistantText("Hello world"), Metadata(percentage=50)], stream)
    assert stream.measured_input == stream.usage.input_tokens == 100_000 - 4


def test_signatures_are_sealed_with_the_model() -> None:
    stream = MessageStream(
        message_id="msg_1", model="opus", thinking=ON, tool_names={}, input_estimate=1, window=1000,
        thinking_model="claude-opus-4.8",
    )  # fmt: skip
    upstream: list[KiroEvent] = [
        reasoning("hm"),
        signature("si"),
        signature("g"),
        Reasoning(redacted="AAAA"),
        text("Hi"),
    ]
    message: Any = fold_message(answer(upstream, stream))
    thinking, redacted, _ = message["content"]
    assert unseal(thinking["signature"], "claude-opus-4.8") == "sig"
    assert unseal(redacted["data"], "claude-opus-4.8") == "AAAA"


def test_the_estimate_is_the_same_however_thinking_is_shown() -> None:
    upstream = [text("<thinking>\nLet me "), text("see.\n</thinking>\n\nHi 你")]
    usages = set()
    for shown in (ON, Thinking(True, "thinking"), Thinking(True, "think"), Thinking(True, "reasoning_content")):
        stream = new_stream(shown)
        answer(upstream, stream)
        usages.add(stream.usage)
    assert len(usages) == 1


def test_thousands_of_interleaved_tools() -> None:
    """Neither recursion nor quadratic time."""
    upstream: list[KiroEvent] = [tool(f"t{number}", "Read", '{"a":') for number in range(3000)]
    upstream += [tool(f"t{number}", "Read", "1}", True) for number in range(3000)]
    events = joined(answer(upstream, new_stream()))
    assert len([line for line in transcript(events) if line == 'json {"a":1}']) == 3000
