"""Redacted answers: the shape stays, the words go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.codec.frame import encode_frame, event_frame
from kiro_rs_py.codec.headers import Byte, HeaderValue, Uuid
from kiro_rs_py.codec.inspection import inspect
from kiro_rs_py.simulator import frames
from kiro_rs_py.upstream.redaction import masked, masked_json, redacted_answer, redacted_stream

SALT = b"salt"


def events(data: bytes) -> list[tuple[object, Any]]:
    """Event type and payload of every frame, which are all sound."""
    pieces = list(inspect(data))
    assert not [piece.problems for piece in pieces if piece.problems]
    return [(piece.headers.get(":event-type"), json.loads(piece.payload)) for piece in pieces]


def step_of(scenario: bytes) -> Any:
    (step,) = json.loads(scenario)
    return step


def joined(*parts: frames.Event | list[frames.Event]) -> bytes:
    return b"".join(event.data for part in parts for event in (part if isinstance(part, list) else [part]))


def test_text_keeps_its_cuts_and_its_thinking_tags() -> None:
    said = "<thinking>My plan: 42 Dinge für Ärzte</thinking>\n\nGrüße, 世界 🎉!"
    before = joined(frames.text(said))
    after = redacted_stream(before, SALT)
    assert len(after) == len(before)
    assert [kind for kind, _ in events(after)] == [kind for kind, _ in events(before)]
    text = "".join(payload["content"] for _, payload in events(after))
    assert text == "<thinking>Xx xxxx: 00 Xxxxx xéx éxxxx</thinking>\n\nXxééx, 世世 😀!"


def test_a_call_stays_a_call() -> None:
    arguments = {"file_path": "/home/me/secret.txt", "count": -12.5, "deep": {"on": True, "a b": [None, 'q"\\u\n']}}
    before = joined(frames.tool_use("Write", json.dumps(arguments), "tooluse_AbCdEfGhIjKl"))
    after = events(redacted_stream(before, SALT))
    [use_id] = {payload["toolUseId"] for _, payload in after}
    assert use_id.startswith("tooluse_")
    assert len(use_id) == len("tooluse_AbCdEfGhIjKl")
    assert use_id != "tooluse_AbCdEfGhIjKl"
    assert {payload["name"] for _, payload in after} == {"Write"}
    text = "".join(payload.get("input", "") for _, payload in after)
    assert len(text) == len(json.dumps(arguments))
    assert json.loads(text) == {
        "file_path": "/xxxx/xx/xxxxxx.xxx",
        "count": -11.1,
        "deep": {"on": True, "x x": [None, 'x"\\x\n']},
    }


def test_calls_that_interleave_are_masked_each_by_itself() -> None:
    first, second = (frames.tool_use("a", json.dumps({"text": word * 30}), word) for word in ("one", "two"))
    mixed = [event for pair in zip(first, second, strict=True) for event in pair]
    after = events(redacted_stream(joined(mixed), SALT))
    by_id: dict[str, str] = {}
    for _, payload in after:
        by_id[payload["toolUseId"]] = by_id.get(payload["toolUseId"], "") + payload.get("input", "")
    assert [json.loads(text) for text in by_id.values()] == [{"text": "xxx" * 30}] * 2


def test_an_input_that_is_an_object_is_masked_too() -> None:
    payload: Any = {"name": "a", "toolUseId": "t", "input": {"name": "Alice", "message": "invalid token", "n": ["Bob"]}}
    [(_, after)] = events(redacted_stream(joined(frames.event("toolUseEvent", payload)), SALT))
    assert after["input"] == {"name": "Xxxxx", "message": "xxxxxxx xxxxx", "n": ["Xxx"]}
    assert after["name"] == "a"


def test_what_a_report_needs_stays() -> None:
    usage: Any = {"uncachedInputTokens": 12}
    closing = frames.closing(stop_reason="END_TURN", percentage=12.5, credits_used=0.25, usage=usage)
    before = joined(frames.initial("conversation-1"), closing)
    after = events(redacted_stream(before, SALT))
    assert after[1:] == events(before)[1:]
    assert after[0][0] == "initial-response"
    assert len(after[0][1]["conversationId"]) == len("conversation-1")
    assert "conversation-1" not in str(after)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Input is too long.", "Input is too long."),
        ("Your User ID (d-1.a2) temporarily is suspended.", "Xxxx Xxxx XX (x-0.x0) xxxxxxxxxxx xx suspended."),
        ("The bearer token aoaAAAA included", "Xxx bearer token xxxXXXX xxxxxxxx"),
    ],
)
def test_failures_keep_the_words_they_are_known_by(said: str, shown: str) -> None:
    exception, error = frames.exception("ValidationException", said, "SOME_REASON"), frames.error("Oops", said)
    first, second = inspect(redacted_stream(joined(exception, error), SALT))
    assert json.loads(first.payload) == {"message": shown, "reason": "SOME_REASON"}
    assert first.headers[":exception-type"] == "ValidationException"
    assert second.headers[":error-message"] == shown
    assert second.payload.decode() == shown


def test_signatures_and_strange_fields_are_masked() -> None:
    payload: Any = {"text": "Hm", "signature": "AbC1+/=", "später": "Wort", "list": [{"k k": "v", "x": None}, 1]}
    [(_, after)] = events(redacted_stream(joined(frames.event("reasoningContentEvent", payload)), SALT))
    assert after == {"text": "Xx", "signature": "XxX0+/=", "xxéxxx": "Xxxx", "list": [{"x x": "x", "x": None}, 1]}


def test_headers() -> None:
    headers: dict[str, HeaderValue] = {
        ":event-type": "x",
        "who": "Alice",
        "blob": b"secret",
        "n": Byte(3),
        "id": Uuid(b"0123456789abcdef"),
    }
    [piece] = inspect(redacted_stream(encode_frame(headers, b"\xff\xfe"), SALT))
    assert dict(piece.headers) == {
        ":event-type": "x",
        "who": "Xxxxx",
        "blob": b"??????",
        "n": Byte(3),
        "id": Uuid(bytes(16)),
    }
    assert piece.payload == b"??"


def test_an_event_without_its_text_is_no_trouble() -> None:
    odd: list[Any] = [{"content": 1}, {"content": None}, {}]
    before = joined([frames.event("assistantResponseEvent", payload) for payload in odd])
    assert events(redacted_stream(before, SALT)) == events(before)
    [piece] = inspect(redacted_stream(event_frame("toolUseEvent", b"[]"), SALT))
    assert piece.payload == b"[]"
    assert redacted_stream(encode_frame({}, b"{}"), SALT) == encode_frame({}, b"{}")


# --- damage -------------------------------------------------------------------------------------------------------


def test_damage_stays_damage() -> None:
    good = event_frame("assistantResponseEvent", b'{"content":"secret"}')
    bad_checksum = good[:-1] + bytes([good[-1] ^ 1])
    bad_prelude = bytes([good[0] ^ 1]) + good[1:]
    unreadable = encode_frame({"a": Byte(1)}, b"secret").replace(b"\x01a\x02", b"\x01a\x0c")
    for before, problem in (
        (bad_checksum, "its checksum is"),
        (bad_prelude, "the prelude's checksum is"),
        (good[:-8], "cut off after"),
        (good[:14], "cut off after"),
        (good[:7], "7 bytes are no frame"),
        (unreadable, "its checksum is"),
    ):
        after = redacted_stream(good + before, SALT)
        assert len(after) == len(good + before)
        assert b"secret" not in after
        first, second = inspect(after)
        assert first.problems == ()
        assert second.problems[0].startswith(problem)
    assert b"assistantResponseEvent" in redacted_stream(good[:-8], SALT)


# --- parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"path": "a', '{"path": "x'),
        ('{"a": "b\\', '{"a": "x\\'),
        ('{"a": "b\\"', '{"a": "x\\"'),
        ('"\\ud83d\\ude00 \\n\\u12', '"\\u0078\\u0078 \\n\\u00'),
        ('{"the key": 1, "' + "k" * 50 + '": 2}', '{"xxx xxx": 1, "' + "x" * 50 + '": 1}'),
        ("[true, false, null, 1e-7]", "[true, false, null, 1e-1]"),
        ("nonsense 42", "xxxxxxxx 11"),
        ("[4٢]", "[1é]"),  # digits of other scripts are no JSON, and longer
        ('"', '"'),
        ("", ""),
    ],
)
def test_json_in_any_state(text: str, shown: str) -> None:
    assert masked_json(text) == shown


@settings(max_examples=200)
@given(st.text(st.characters(codec="utf-8")))
def test_filler_is_as_long_as_the_text(text: str) -> None:
    for shown in (masked(text), masked_json(text)):
        assert len(shown) == len(text)
        assert len(shown.encode()) == len(text.encode())
        assert not {*"abcdefghijkmopqvwyz"} & {*shown} - {*"truefalsn"}


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_masked_json_is_json_of_the_same_shape(value: Any) -> None:
    def shape(part: Any) -> Any:
        if isinstance(part, dict):
            return [shape(inner) for inner in part.values()]
        return [shape(inner) for inner in part] if isinstance(part, list) else type(part)

    for ascii_only in (True, False):
        before = json.dumps(value, ensure_ascii=ascii_only)
        after = json.loads(masked_json(before), object_pairs_hook=lambda pairs: dict(enumerate(v for _, v in pairs)))
        assert shape(after) == shape(value)


# --- answers that are no stream -----------------------------------------------------------------------------------


def test_an_error_answer() -> None:
    headers = {"retry-after": "7", "x-amzn-errortype": "ThrottlingException:http://internal/", "set-cookie": "a=b"}
    body = {"message": "Too many requests from Alice", "reason": "X_Y", "error": {"userId": "d-1234567890"}}
    answer = step_of(redacted_answer(429, headers, json.dumps(body).encode(), SALT))
    assert answer["status"] == 429
    assert answer["headers"] == {"retry-after": "7", "x-amzn-errortype": "ThrottlingException"}
    assert answer["body"]["message"] == "Too many requests xxxx Xxxxx"
    assert answer["body"]["reason"] == "X_Y"
    assert "1234567890" not in str(answer)


def test_a_page_of_some_gateway() -> None:
    answer = step_of(redacted_answer(502, {}, b"<html>Bad Gateway Timeout\xff</html>", SALT))
    assert answer == {"status": 502, "headers": {}, "body": "<xxxx>Xxx Gateway Timeout世</xxxx>"}
    assert step_of(redacted_answer(500, {}, b"[1]", SALT))["body"] == "[0]"
