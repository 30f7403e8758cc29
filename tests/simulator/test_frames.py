from __future__ import annotations

import json
from typing import Any, cast

from botocore.eventstream import EventStreamBuffer

from kiro_rs_py.simulator import frames
from kiro_rs_py.simulator.frames import Event, Pause, Send, is_signed, sends, sign
from tests.simulator.talk import decode


def data_of(events: list[frames.Event]) -> bytes:
    return b"".join(event.data for event in events)


def test_amazons_own_decoder_reads_our_frames() -> None:
    buffer = cast("Any", EventStreamBuffer())
    buffer.add_data(frames.event("assistantResponseEvent", {"content": "Hi"}).data)
    buffer.add_data(frames.exception("ThrottlingException", "slow down").data)
    event, exception = list(buffer)
    assert event.headers == {
        ":event-type": "assistantResponseEvent",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert json.loads(event.payload) == {"content": "Hi"}
    assert exception.headers[":exception-type"] == "ThrottlingException"


def test_the_worked_frame_of_the_protocol_page() -> None:
    expected = (
        "0000007c0000005c3bddcf780b3a6576656e742d747970650700166173736973"
        "74616e74526573706f6e73654576656e740d3a636f6e74656e742d7479706507"
        "00106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065"
        "0700056576656e747b22636f6e74656e74223a224869227db02babdc"
    )
    (hi,) = frames.text("Hi")
    assert hi.data.hex() == expected


def test_text_comes_in_pieces() -> None:
    whole = "ä" * 50
    events = decode(data_of(frames.text(whole)))
    assert len(events) > 1
    assert "".join(payload["content"] for _, payload in events) == whole
    assert decode(frames.text("x", "claude-sonnet-4.5")[0].data) == [
        ("assistantResponseEvent", {"content": "x", "modelId": "claude-sonnet-4.5"})
    ]
    assert frames.text("") == []


def test_a_call_starts_without_input_and_ends_with_the_stop_mark() -> None:
    events = decode(data_of(frames.tool_use("Read", '{"path":"' + "x" * 60 + '"}', "t1")))
    payloads = [payload for _, payload in events]
    assert payloads[0] == {"name": "Read", "toolUseId": "t1"}
    assert payloads[-1] == {"name": "Read", "toolUseId": "t1", "stop": True}
    assert len(payloads) > 4
    assert "".join(payload.get("input", "") for payload in payloads).endswith('x"}')
    ids = {frames.new_tool_use_id() for _ in range(10)}
    assert len(ids) == 10


def test_reasoning_ends_with_its_signature() -> None:
    payloads = [payload for _, payload in decode(data_of(frames.reasoning("thinking about it", "s")))]
    assert payloads == [{"text": "thinking about it"}, {"signature": "s"}]
    assert [payload for _, payload in decode(data_of(frames.reasoning("x", "s", omitted=True)))] == [{"signature": "s"}]


def test_the_three_closing_events() -> None:
    usage: Any = {"outputTokens": 1}
    events = decode(data_of(frames.closing(stop_reason="END_TURN", percentage=1.5, credits_used=0.1, usage=usage)))
    assert events == [
        ("metadataEvent", {"stopReason": "END_TURN", "tokenUsage": {"outputTokens": 1}}),
        ("contextUsageEvent", {"contextUsagePercentage": 1.5}),
        ("meteringEvent", {"unit": "credit", "unitPlural": "credits", "usage": 0.1}),
    ]


def test_failures() -> None:
    assert decode(frames.exception("X", "m", "R").data) == [("!X", {"message": "m", "reason": "R"})]
    assert decode(frames.error("Y", "plain").data) == [("!!Y", "plain")]


def test_the_first_frame() -> None:
    assert decode(frames.initial().data) == [("initial-response", {})]
    assert decode(frames.initial("c").data) == [("initial-response", {"conversationId": "c"})]


def test_half_a_surrogate_does_not_break_the_stream() -> None:
    assert decode(frames.text("a\ud800b")[0].data) == [("assistantResponseEvent", {"content": "a?b"})]


def test_without_a_pause_everything_goes_at_once() -> None:
    assert sends([Event("a", b"1"), Event("b", b"2")]) == [Send(b"12")]
    assert sends([]) == []


def test_with_a_pause_each_event_goes_alone() -> None:
    assert sends([Event("a", b"1"), Event("b", b"2")], 0.5) == [Send(b"1"), Pause(0.5), Send(b"2"), Pause(0.5)]


def test_only_the_same_words_for_the_same_model() -> None:
    signature = sign("I think", "m1")
    assert is_signed("I think", signature, "m1")
    assert not is_signed("I thought", signature, "m1")
    assert not is_signed("I think", signature, "m2")
    assert not is_signed("I think", "", "m1")


def test_a_signature_without_a_model_is_good_for_all() -> None:
    assert is_signed("I think", sign("I think", ""), "any")
