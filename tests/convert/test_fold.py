from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.message_events import (
    BlockStart,
    BlockStop,
    ErrorEvent,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    MessageStreamEvent,
    Ping,
    ReasoningDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    Usage,
)

START = MessageStart("msg_1", "claude-sonnet-4-5", Usage(42, 1))
DELTA = MessageDelta("end_turn", None, Usage(10, 20, 3, 4))
EVENTS: list[MessageStreamEvent] = [
    START,
    BlockStart(0, {"type": "thinking", "thinking": "", "signature": ""}),
    Ping(),
    ThinkingDelta(0, "h"),
    ThinkingDelta(0, "m"),
    SignatureDelta(0, "sig"),
    BlockStop(0),
    BlockStart(1, {"type": "redacted_thinking", "data": "AAAA"}),
    BlockStop(1),
    BlockStart(2, {"type": "text", "text": ""}),
    TextDelta(2, "Hel"),
    TextDelta(2, "lo"),
    BlockStop(2),
    BlockStart(3, {"type": "tool_use", "id": "t", "name": "Read", "input": {}}),
    InputJsonDelta(3, '{"a"'),
    InputJsonDelta(3, ":1}"),
    BlockStop(3),
    BlockStart(4, {"type": "tool_use", "id": "u", "name": "List", "input": {}}),
    BlockStop(4),
    DELTA,
    MessageStop(),
]


def test_a_message() -> None:
    message = fold_message(EVENTS)
    assert message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "AAAA"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "t", "name": "Read", "input": {"a": 1}},
            {"type": "tool_use", "id": "u", "name": "List", "input": {}},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 4,
            "output_tokens": 20,
        },
    }
    assert list(message) == ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"]


def test_the_events_are_left_alone() -> None:
    assert fold_message(EVENTS) == fold_message(EVENTS)


def test_a_block_that_was_not_closed_is_left_out() -> None:
    cut: list[MessageStreamEvent] = [*EVENTS[:15], MessageDelta("max_tokens", None, Usage(1, 2)), MessageStop()]
    assert [block["type"] for block in content(cut)] == ["thinking", "redacted_thinking", "text"]


def content(events: list[MessageStreamEvent]) -> list[JsonObject]:
    blocks = fold_message(events)["content"]
    assert isinstance(blocks, list)
    return [block for block in blocks if isinstance(block, dict)]


def test_reasoning_stands_beside_the_content() -> None:
    message = fold_message(
        [
            START,
            BlockStart(0, {"type": "text", "text": ""}),
            ReasoningDelta(0, "h"),
            ReasoningDelta(0, "m"),
            TextDelta(0, "Hello"),
            BlockStop(0),
            DELTA,
            MessageStop(),
        ]
    )
    assert message["reasoning_content"] == "hm"
    assert message["content"] == [{"type": "text", "text": "Hello"}]


@pytest.mark.parametrize(
    "events",
    [[], [START], [DELTA, MessageStop()], [*EVENTS, ErrorEvent("api_error", "broken", "req_1")]],
)
def test_a_broken_stream_is_no_message(events: list[MessageStreamEvent]) -> None:
    with pytest.raises(ValueError, match="whole message"):
        fold_message(events)
