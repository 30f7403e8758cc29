from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.codec.frame import Frame, event_frame
from kiro_rs_py.codec.headers import HeaderValue, Short
from kiro_rs_py.convert.events import (
    AssistantText,
    ContextUsage,
    Fault,
    KiroEvent,
    Metadata,
    Metering,
    Reasoning,
    TokenUsage,
    ToolUseFragment,
    parse_event,
)
from kiro_rs_py.errors import CodecError


def parse(event_type: str, payload: object) -> KiroEvent | None:
    """``payload`` is JSON text, or what is to be dumped as JSON."""
    body = payload if isinstance(payload, str) else json.dumps(payload)
    return parse_event(frame(event_type, body.encode()))


def frame(event_type: str, payload: bytes) -> Frame:
    decoder = EventStreamDecoder()
    decoder.receive_data(event_frame(event_type, payload))
    parsed = decoder.next_frame()
    assert parsed is not None
    return parsed


def fault(payload: bytes, **headers: str) -> KiroEvent | None:
    named: dict[str, HeaderValue] = {f":{name.replace('_', '-')}": value for name, value in headers.items()}
    return parse_event(Frame(named, payload))


# upstream-protocol §2.6, frames A, B and C
FRAMES = [
    (
        "0000007c0000005c3bddcf780b3a6576656e742d747970650700166173736973"
        "74616e74526573706f6e73654576656e740d3a636f6e74656e742d7479706507"
        "00106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065"
        "0700056576656e747b22636f6e74656e74223a224869227db02babdc",
        AssistantText("Hi"),
    ),
    (
        "000000a000000052906070270b3a6576656e742d7479706507000c746f6f6c55"
        "73654576656e740d3a636f6e74656e742d747970650700106170706c69636174"
        "696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22"
        "696e707574223a227b5c22705c223a317d222c226e616d65223a226c73222c22"
        "73746f70223a747275652c22746f6f6c5573654964223a227431227d38996edf",
        ToolUseFragment("t1", "ls", '{"p":1}', True),
    ),
    (
        "0000008800000061de0175f40f3a657863657074696f6e2d7479706507001354"
        "68726f74746c696e67457863657074696f6e0d3a636f6e74656e742d74797065"
        "0700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970"
        "65070009657863657074696f6e7b226d657373616765223a22736c6f7720646f"
        "776e227d5b4bbb49",
        Fault("ThrottlingException", "slow down"),
    ),
]


@pytest.mark.parametrize(("hexadecimal", "event"), FRAMES)
def test_frames_from_the_wire(hexadecimal: str, event: KiroEvent) -> None:
    decoder = EventStreamDecoder()
    decoder.receive_data(bytes.fromhex(hexadecimal))
    parsed = decoder.next_frame()
    assert parsed is not None
    assert parse_event(parsed) == event


@pytest.mark.parametrize(
    ("event_type", "payload", "event"),
    [
        ("assistantResponseEvent", '{"content":"Hi"}', AssistantText("Hi")),
        ("assistantResponseEvent", '{"content":"a\\n\\"b\\" \\u00e9"}', AssistantText('a\n"b" é')),
        ("assistantResponseEvent", ' {"content" : "Hi"} ', AssistantText("Hi")),
        ("assistantResponseEvent", '{"content":"Hi","modelId":"auto"}', AssistantText("Hi")),
        ("assistantResponseEvent", '{"modelId":"auto","content":"Hi"}', AssistantText("Hi")),
        ("assistantResponseEvent", '{"content":"你好"}', AssistantText("你好")),
        ("assistantResponseEvent", '{"content":"\\ud83d\\ude00"}', AssistantText("😀")),
        ("assistantResponseEvent", '{"content":"a\\ud83d"}', AssistantText("a\ufffd")),
        ("assistantResponseEvent", '{"content":" "}', AssistantText(" ")),
        ("assistantResponseEvent", '{"content":""}', None),
        ("assistantResponseEvent", '{"content":null}', None),
        ("assistantResponseEvent", '{"content":7}', None),
        ("assistantResponseEvent", "{}", None),
        ("codeEvent", {"content": "x = 1"}, AssistantText("x = 1")),
        ("toolUseEvent", {"toolUseId": "t", "name": "n"}, ToolUseFragment("t", "n", "", False)),
        ("toolUseEvent", {"toolUseId": "t", "input": "{"}, ToolUseFragment("t", "", "{", False)),
        ("toolUseEvent", {"input": "}"}, ToolUseFragment("", "", "}", False)),
        ("toolUseEvent", {"toolUseId": "t", "name": "n", "input": {}}, ToolUseFragment("t", "n", "", False)),
        (
            "toolUseEvent",
            {"toolUseId": "t", "name": "n", "input": {"a": ["é", 1]}, "stop": True},
            ToolUseFragment("t", "n", '{"a":["é",1]}', True),
        ),
        ("toolUseEvent", {"toolUseId": "t", "input": None, "stop": None}, ToolUseFragment("t", "", "", False)),
        ("toolUseEvent", {"toolUseId": "t", "stop": "false"}, ToolUseFragment("t", "", "", False)),
        ("toolUseEvent", {"toolUseId": "t", "stop": 1}, ToolUseFragment("t", "", "", False)),
        ("toolUseEvent", {"toolUseId": 7, "name": None, "input": []}, None),
        ("reasoningContentEvent", {"text": "hm"}, Reasoning("hm")),
        ("reasoningContentEvent", '{"text":"hm\\n"}', Reasoning("hm\n")),
        ("reasoningContentEvent", '{"text":"hm","signature":"s"}', Reasoning("hm", "s")),
        ("reasoningContentEvent", {"signature": "s"}, Reasoning(signature="s")),
        ("reasoningContentEvent", {"redactedContent": "AAAA"}, Reasoning(redacted="AAAA")),
        ("reasoningContentEvent", {"text": None, "signature": ""}, None),
        ("contextUsageEvent", {"contextUsagePercentage": 12.345}, ContextUsage(12.345)),
        ("contextUsageEvent", {"contextUsagePercentage": 3}, ContextUsage(3.0)),
        ("contextUsageEvent", {"contextUsagePercentage": 100.25}, ContextUsage(100.25)),
        ("contextUsageEvent", {"contextUsagePercentage": 0}, None),
        ("contextUsageEvent", {"contextUsagePercentage": -1.5}, None),
        ("contextUsageEvent", {"contextUsagePercentage": None}, None),
        ("contextUsageEvent", {"contextUsagePercentage": "3"}, None),
        ("contextUsageEvent", {"contextUsagePercentage": True}, None),
        ("contextUsageEvent", '{"contextUsagePercentage":1e999}', None),
        ("contextUsageEvent", '{"contextUsagePercentage":NaN}', None),
        ("contextUsageEvent", '{"contextUsagePercentage":1e300}', None),
        ("contextUsageEvent", '{"contextUsagePercentage":1' + "0" * 400 + "}", None),
        ("contextUsageEvent", "{}", None),
        ("contextUsageEvent", "", None),
        ("meteringEvent", {"unit": "credit", "unitPlural": "credits", "usage": 0.0897}, Metering(0.0897)),
        ("meteringEvent", {"usage": None}, None),
        ("meteringEvent", {"usage": -1}, None),
        ("metadataEvent", {"stopReason": "END_TURN"}, Metadata("END_TURN")),
        ("metadataEvent", {"stopReason": "end_turn"}, Metadata("END_TURN")),
        ("metadataEvent", {"contextUsagePercentage": 4.5}, Metadata(percentage=4.5)),
        ("metadataEvent", {"stopReason": None, "tokenUsage": None}, Metadata()),
        ("metadataEvent", {}, Metadata()),
        (
            "metadataEvent",
            {
                "tokenUsage": {
                    "uncachedInputTokens": 10,
                    "outputTokens": 20,
                    "totalTokens": 37,
                    "cacheReadInputTokens": 3,
                    "cacheWriteInputTokens": 4,
                    "contextUsagePercentage": 1.5,
                }
            },
            Metadata(usage=TokenUsage(10, 20, 3, 4), percentage=1.5),
        ),
        (
            "metadataEvent",
            {"tokenUsage": {"uncachedInputTokens": 10.0, "outputTokens": 0}},
            Metadata(usage=TokenUsage(10, 0, 0, 0)),
        ),
        ("metadataEvent", {"tokenUsage": {"uncachedInputTokens": 0, "outputTokens": 0}}, Metadata()),
        ("metadataEvent", {"tokenUsage": {"uncachedInputTokens": 5, "outputTokens": None}}, Metadata()),
        ("metadataEvent", {"tokenUsage": {"uncachedInputTokens": -5, "outputTokens": 1}}, Metadata()),
        ("messageMetadataEvent", {"conversationId": "c", "utteranceId": "u"}, None),
        (
            "messageMetadataEvent",
            {"tokenUsage": {"uncachedInputTokens": 5, "outputTokens": 1}},
            Metadata(usage=TokenUsage(5, 1, 0, 0), is_end=False),
        ),
        (
            "invalidStateEvent",
            {"reason": "INVALID_TASK_ASSIST_PLAN", "message": "no plan"},
            Fault("InvalidStateEvent", "no plan", "INVALID_TASK_ASSIST_PLAN"),
        ),
        ("initial-response", {}, None),
        ("followupPromptEvent", {"followupPrompt": {"content": "more?"}}, None),
        ("somethingNew", "not even JSON", None),
    ],
)
def test_events(event_type: str, payload: object, event: KiroEvent | None) -> None:
    assert parse(event_type, payload) == event


def test_an_empty_metadata_event_is_an_end_mark_all_the_same() -> None:
    assert parse("metadataEvent", {}) is not None


@pytest.mark.parametrize("event_type", ["assistantResponseEvent", "reasoningContentEvent", "metadataEvent"])
@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b'{"content":"a',
        b'{"content":"a"x',
        b'{"content":"\x01"}',
        b'{"content":"\xff"}',
        b"[]",
        b"7",
        b"[" * 100_000,
    ],
)
def test_a_known_event_that_is_no_json_object_is_an_error(event_type: str, payload: bytes) -> None:
    with pytest.raises(CodecError):
        parse_event(frame(event_type, payload))


def test_headers_alone_decide() -> None:
    content = b'{"content":"Hi"}'
    assert parse_event(Frame({":event-type": "assistantResponseEvent"}, content)) == AssistantText("Hi")
    assert parse_event(Frame({}, content)) is None
    assert parse_event(Frame({":event-type": Short(1), ":message-type": "event"}, content)) is None
    assert parse_event(Frame({":event-type": b"assistantResponseEvent"}, content)) is None
    assert parse_event(Frame({":event-type": "assistantResponseEvent", ":message-type": "new"}, content)) is None
    assert parse_event(
        Frame({":event-type": "assistantResponseEvent", ":message-type": "exception"}, content)
    ) == Fault("UnknownException", "")


@pytest.mark.parametrize(
    ("headers", "payload", "expected"),
    [
        (
            {"message_type": "exception", "exception_type": "ThrottlingException"},
            b'{"message":"slow down","reason":"USER_REQUEST_RATE_EXCEEDED"}',
            Fault("ThrottlingException", "slow down", "USER_REQUEST_RATE_EXCEEDED"),
        ),
        (
            {"message_type": "exception", "exception_type": "com.amazon.coral.service#ThrottlingException:http://x"},
            b'{"Message":"slow down","reason":null}',
            Fault("ThrottlingException", "slow down"),
        ),
        # The only modelled exception of the stream is named "error"; the payload knows better.
        (
            {"message_type": "exception", "exception_type": "error"},
            b'{"__type":"com.amazon.coral.service#InternalServerException","errorMessage":"oops"}',
            Fault("InternalServerException", "oops"),
        ),
        ({"message_type": "exception", "exception_type": "error"}, b"{}", Fault("error", "")),
        ({"message_type": "exception"}, b'{"code":"Broken"}', Fault("Broken", "")),
        ({"message_type": "exception"}, b"", Fault("UnknownException", "")),
        ({"message_type": "exception", "exception_type": "X"}, b"not JSON", Fault("X", "not JSON")),
        ({"message_type": "exception", "exception_type": "X"}, b"bad \xff bytes", Fault("X", "bad \ufffd bytes")),
        ({"message_type": "exception", "exception_type": "X"}, b"[1]", Fault("X", "[1]")),
        ({"message_type": "exception", "exception_type": "X"}, b"[" * 100_000, Fault("X", "[" * 300)),
        ({"message_type": "error"}, b"broken", Fault("UnknownError", "broken")),
        (
            {"message_type": "error", "error_code": "InternalFailure", "error_message": "sorry"},
            b"",
            Fault("InternalFailure", "sorry"),
        ),
    ],
)
def test_faults(headers: dict[str, str], payload: bytes, expected: Fault) -> None:
    assert fault(payload, **headers) == expected


@given(st.text())
def test_text_arrives_as_it_was_sent(content: str) -> None:
    for ensure_ascii in (True, False):
        body = json.dumps({"content": content}, ensure_ascii=ensure_ascii, separators=(",", ":"))
        parsed = parse("assistantResponseEvent", body)
        assert parsed == (AssistantText(content) if content else None)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_FIELDS = [
    "content",
    "toolUseId",
    "name",
    "input",
    "stop",
    "text",
    "signature",
    "redactedContent",
    "contextUsagePercentage",
    "usage",
    "tokenUsage",
    "stopReason",
    "message",
    "reason",
]


@given(
    st.sampled_from(
        [
            "assistantResponseEvent",
            "codeEvent",
            "toolUseEvent",
            "reasoningContentEvent",
            "contextUsageEvent",
            "meteringEvent",
            "metadataEvent",
            "messageMetadataEvent",
            "invalidStateEvent",
            "unheardOf",
        ]
    ),
    st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=5),
)
def test_no_json_object_is_an_error(event_type: str, payload: dict[str, object]) -> None:
    event = parse(event_type, payload)
    # Whatever it says, it can be encoded later.
    repr(event).encode()
    if event is not None:
        assert all(part.encode() is not None for part in event if isinstance(part, str))
