from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.codec.sse import SSEDecoder
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
    encode_events,
    error_body,
    event_json,
    with_input_tokens,
)

USAGE = Usage(5, 6, 7, 8)
START = MessageStart("msg_1", "claude-sonnet-4-5", Usage(42, 1))


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (
            START,
            "message_start",
            '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
            '"model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":42,'
            '"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}',
        ),
        (
            BlockStart(0, {"type": "text", "text": ""}),
            "content_block_start",
            '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        ),
        (
            TextDelta(3, 'é "q"\n'),
            "content_block_delta",
            '{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"é \\"q\\"\\n"}}',
        ),
        (
            ReasoningDelta(0, "hm"),
            "content_block_delta",
            '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"","reasoning_content":"hm"}}',
        ),
        (
            ThinkingDelta(0, "hm"),
            "content_block_delta",
            '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}',
        ),
        (
            SignatureDelta(0, "sig"),
            "content_block_delta",
            '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}',
        ),
        (
            InputJsonDelta(1, '{"a"'),
            "content_block_delta",
            '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\""}}',
        ),
        (BlockStop(12), "content_block_stop", '{"type":"content_block_stop","index":12}'),
        (
            MessageDelta("stop_sequence", "END", USAGE),
            "message_delta",
            '{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":'
            '{"input_tokens":5,"cache_creation_input_tokens":7,"cache_read_input_tokens":8,"output_tokens":6}}',
        ),
        (MessageStop(), "message_stop", '{"type":"message_stop"}'),
        (Ping(), "ping", '{"type":"ping"}'),
        (
            ErrorEvent("overloaded_error", "Try later.", "req_1"),
            "error",
            '{"type":"error","error":{"type":"overloaded_error","message":"Try later."},"request_id":"req_1"}',
        ),
    ],
)
def test_bytes_of_each_event(event: MessageStreamEvent, name: str, data: str) -> None:
    assert encode_events([event]) == f"event: {name}\ndata: {data}\n\n".encode()


def test_events_are_joined() -> None:
    assert encode_events([]) == b""
    assert encode_events([Ping(), MessageStop()]) == encode_events([Ping()]) + encode_events([MessageStop()])


@given(st.sampled_from([TextDelta, ThinkingDelta, InputJsonDelta]), st.integers(0, 100), st.text())
def test_the_short_way_writes_what_the_long_way_would(
    kind: type[TextDelta | ThinkingDelta | InputJsonDelta], index: int, text: str
) -> None:
    event = kind(index, text)
    decoder = SSEDecoder()
    decoder.receive_data(encode_events([event]))
    sent = decoder.next_event()
    assert sent is not None
    assert sent.event == "content_block_delta"
    assert json.loads(sent.data) == event_json(event)
    assert list(json.loads(sent.data)) == ["type", "index", "delta"]


def test_half_a_character_is_replaced() -> None:
    assert json.loads(encode_events([TextDelta(0, "a\ud83d")]).split(b"data: ")[1])["delta"]["text"] == "a\ufffd"
    assert "😀".encode() in encode_events([TextDelta(0, "\ud83d\ude00")])


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r", "\n"])
def test_nothing_in_a_text_ends_a_line(separator: str) -> None:
    """httpx and with it many Python clients split lines where str.splitlines does."""
    lines = encode_events([TextDelta(0, f"é{separator}b")]).decode().splitlines()
    assert lines[0] == "event: content_block_delta"
    assert json.loads(lines[1].removeprefix("data: "))["delta"]["text"] == f"é{separator}b"


def test_error_body() -> None:
    assert error_body("not_found_error", "No such route.", "req_9") == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "No such route."},
        "request_id": "req_9",
    }
    body = error_body("invalid_request_error", "No threads.", "req_9", "thread_unsupported_request")
    assert body["error"] == {
        "type": "invalid_request_error",
        "message": "No threads.",
        "details": {"error_code": "thread_unsupported_request"},
    }


def test_a_held_start_tells_the_true_input() -> None:
    assert with_input_tokens(START, USAGE) == MessageStart("msg_1", "claude-sonnet-4-5", Usage(5, 1, 7, 8))


def test_searches_are_told_at_the_end_only() -> None:
    ended = MessageDelta("end_turn", None, USAGE._replace(web_searches=2))
    assert event_json(ended)["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 8,
        "output_tokens": USAGE.output_tokens,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }
    assert with_input_tokens(START, ended.usage) == with_input_tokens(START, USAGE)
