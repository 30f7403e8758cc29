from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from anthropic._streaming import SSEDecoder as AnthropicDecoder
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.codec import sse
from kiro_rs_py.codec.sse import ServerSentEvent, SSEDecoder, encode_sse
from kiro_rs_py.errors import CodecError, TruncatedStream
from tests.codec.wire import cut, pieces, places

Events = list[tuple[str, str]]


def decode(reads: Iterable[bytes]) -> Events:
    """The events of a whole stream; its end must be clean."""
    decoder = SSEDecoder()
    events: Events = []
    for data in reads:
        decoder.receive_data(data)
        events += take_events(decoder)
    decoder.receive_eof()
    return events


def take_events(decoder: SSEDecoder) -> list[ServerSentEvent]:
    events = []
    while (event := decoder.next_event()) is not None:
        events.append(event)
    return events


def decode_with_anthropic(stream: bytes) -> Events:
    return [(event.event or "message", event.data) for event in AnthropicDecoder().iter_bytes(iter([stream]))]


# Bytes, and the events in them by the standard.
STREAMS: dict[str, tuple[bytes, Events]] = {
    "nothing": (b"", []),
    "one event": (b"event: ping\ndata: {}\n\n", [("ping", "{}")]),
    "two events": (b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", [("a", "1"), ("b", "2")]),
    "CRLF": (b"event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n", [("a", "1"), ("b", "2")]),
    "CR": (b"event: a\rdata: 1\r\revent: b\rdata: 2\r\r", [("a", "1"), ("b", "2")]),
    "mixed line ends": (b"event: a\rdata: 1\ndata: 2\r\n\ndata: 3\n\r\ndata: 4\r\r", [
        ("a", "1\n2"), ("message", "3"), ("message", "4"),
    ]),
    "no space after the colon": (b"event:a\ndata:1\n\n", [("a", "1")]),
    "only one space is taken": (b"event:  a\ndata:  1 \n\n", [(" a", " 1 ")]),
    "a tab is not a space": (b"data:\t1\n\n", [("message", "\t1")]),
    "colons in the value": (b"data: a:b: c\n\n", [("message", "a:b: c")]),
    "several data lines": (b"data: 1\ndata\ndata:\ndata: 2\n\n", [("message", "1\n\n\n2")]),
    "empty data": (b"data\n\ndata:\n\ndata: \n\n", [("message", "")] * 3),
    "two empty data lines": (b"data\ndata\n\n", [("message", "\n")]),
    "no data, no event": (b"event: a\n\ndata: 1\n\n", [("message", "1")]),
    "the last event name counts": (b"event: a\nevent: b\ndata: 1\n\n", [("b", "1")]),
    "an empty event name": (b"event:\ndata: 1\n\n", [("message", "1")]),
    "comments": (b": hello\n:\n\ndata: 1\n: in between\ndata: 2\n\n:bye\n", [("message", "1\n2")]),
    "id and retry": (b"id: 7\nretry: 10\ndata: 1\n\nid\nretry: x\n\n", [("message", "1")]),
    "unknown fields": (b"foo: 1\nbar\nData: 2\ndata : 3\n data: 4\ndata: 5\n\n", [("message", "5")]),
    "blank lines": (b"\n\r\n\r\r\ndata: 1\n\n\n\n", [("message", "1")]),
    "byte order mark": (b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n", [("message", "1"), ("message", "2")]),
    "byte order mark and a blank line": (b"\xef\xbb\xbf\ndata: 1\n\n", [("message", "1")]),
    "only the first mark is dropped": (
        b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\ndata: \xef\xbb\xbf\n\n", [("message", "\ufeff")]
    ),
    "UTF-8": ("event: é\ndata: 日本 🎈\n\n".encode(), [("é", "日本 🎈")]),
    "not UTF-8": (b"data: a\xffb\xe2\x82\n\n", [("message", "a\ufffdb\ufffd")]),
    "other line separators": ("data: a\u2028b\x0bc\x0cd\x85e\n\n".encode(), [("message", "a\u2028b\x0bc\x0cd\x85e")]),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_streams_whole_and_in_pieces(name: str) -> None:
    stream, events = STREAMS[name]
    for size in (1, 2, 3, 5, 1000):
        assert decode(pieces(stream, size)) == events


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_streams_cut_anywhere(data: st.DataObject) -> None:
    # A stream that ends with a blank line may be followed by any other that has no mark of its own.
    names = data.draw(st.lists(st.sampled_from([name for name in STREAMS if "mark" not in name]), max_size=4))
    stream = b"".join(STREAMS[name][0] + b"\n\n" for name in names)
    events = [event for name in names for event in STREAMS[name][1]]
    assert decode(cut(stream, data.draw(places(stream)))) == events


def test_an_event_is_not_held_back_for_a_line_feed_that_may_never_come() -> None:
    decoder = SSEDecoder()
    decoder.receive_data(b"data: 1\r\n\r")
    assert decoder.next_event() == ("message", "1")
    decoder.receive_eof()
    decoder.receive_data(b"\ndata: 2\r\r")
    assert decoder.next_event() == ("message", "2")
    assert decoder.next_event() is None


# --- encoding ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "data", "text"),
    [
        ("ping", "{}", "event: ping\ndata: {}\n\n"),
        ("a", "", "event: a\ndata: \n\n"),
        ("a", " x", "event: a\ndata:  x\n\n"),
        ("a", "1\n2\r\n3\r4\n", "event: a\ndata: 1\ndata: 2\ndata: 3\ndata: 4\ndata: \n\n"),
        ("a", "x\n\nevent: b", "event: a\ndata: x\ndata: \ndata: event: b\n\n"),
    ],
)
def test_encode(event: str, data: str, text: str) -> None:
    assert encode_sse(event, data) == text


@pytest.mark.parametrize("event", ["a\nb", "a\r", "\r\n"])
def test_an_event_name_cannot_forge_a_field(event: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        encode_sse(event, "1")


LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(LINES.filter(bool), st.lists(LINES, min_size=1, max_size=3).map("\n".join)), max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_is_encoded_is_read_back_by_us_and_by_anthropic(events: Events) -> None:
    stream = "".join(encode_sse(event, data) for event, data in events).encode()
    assert decode(pieces(stream, 7)) == events
    assert decode_with_anthropic(stream) == events


def test_a_message_stream_as_anthropic_reads_it() -> None:
    bodies: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "msg_1"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "naïve\n\r\u2028 🎈"}},
        {"type": "ping"},
    ]
    for ascii_only in (True, False):
        events = [(body["type"], json.dumps(body, ensure_ascii=ascii_only)) for body in bodies]
        stream = "".join(encode_sse(event, data) for event, data in events)
        for line_end in ("\n", "\r\n", "\r"):
            encoded = (": hello" + "\n" + stream).replace("\n", line_end).encode()
            assert decode([encoded]) == events
            assert decode_with_anthropic(encoded) == events


# --- the end, and the limit -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "residue", [b"d", b"data: 1", b"data: 1\n", b"event: a\n", b"data: 1\r\n", b": comment", b"\xef"]
)
def test_a_stream_cut_inside_an_event(residue: bytes) -> None:
    decoder = SSEDecoder()
    decoder.receive_data(b"data: 0\n\n" + residue)
    assert take_events(decoder) == [("message", "0")]
    for _ in range(2):
        with pytest.raises(TruncatedStream, match="the stream ended inside an event"):
            decoder.receive_eof()


def test_a_large_event() -> None:
    data = "x" * (sse.MAX_EVENT_BYTES - len("data: \n"))
    assert decode(pieces(encode_sse("a", data).encode(), 2**20)) == [("a", data)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_limit_is_exact(size: int) -> None:
    line = b"data: 3456789\n"
    decoder = SSEDecoder(max_event_bytes=2 * len(line))
    for data in pieces((line + line + b"\n") * 2, size):
        decoder.receive_data(data)
        for event in take_events(decoder):
            assert event == ("message", "3456789\n3456789")
    decoder.receive_eof()

    decoder = SSEDecoder(max_event_bytes=2 * len(line) - 1)
    with pytest.raises(CodecError, match="28 bytes lie in an unfinished event, at most 27 are allowed"):
        flood(decoder, pieces(line + line, size))


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"x" * 100, id="a line without end"),
        pytest.param((b"data: " + b"x" * 10 + b"\n") * 5, id="data lines without end"),
        pytest.param(b"data\n" * 20, id="empty data lines without end"),
    ],
)
def test_an_event_without_end_is_an_error_that_stays(endless: bytes) -> None:
    decoder = SSEDecoder(max_event_bytes=1000)
    decoder.receive_data(b"data: 0\n\n")
    assert decoder.next_event() == ("message", "0")
    with pytest.raises(CodecError, match=r"bytes lie in an unfinished event, at most 1000 are allowed") as caught:
        flood(decoder, [endless] * 20)
    check_stays_failed(decoder, str(caught.value))


def flood(decoder: SSEDecoder, reads: Iterable[bytes]) -> None:
    for data in reads:
        decoder.receive_data(data)
        assert decoder.next_event() is None


def test_bytes_that_nobody_takes_are_bounded() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    decoder.receive_data(b"\n" * 11)
    with pytest.raises(CodecError, match="11 bytes lie in an unfinished event, at most 10 are allowed") as caught:
        decoder.receive_data(b"\n")
    check_stays_failed(decoder, str(caught.value))


def check_stays_failed(decoder: SSEDecoder, message: str) -> None:
    for call in (decoder.next_event, decoder.receive_eof, lambda: decoder.receive_data(b"data: 1\n\n")):
        with pytest.raises(CodecError) as caught:
            call()
        assert str(caught.value) == message
        assert type(caught.value) is CodecError
