from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.codec.inspection import Checksum, Piece, inspect
from tests.codec.wire import (
    GOLDEN_FRAMES,
    GOLDEN_STREAM,
    MINIMUM,
    TEXT_DELTA,
    TEXT_PAYLOAD,
    TOOL_CALL,
    build_frame,
    build_header,
    build_prelude,
)


def look(data: bytes) -> list[Piece]:
    """The pieces, which together are always the whole."""
    found = list(inspect(data))
    assert b"".join(piece.data for piece in found) == data
    assert [piece.offset for piece in found] == [
        sum(len(piece.data) for piece in found[:number]) for number in range(len(found))
    ]
    return found


def damaged(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 0xFF
    return bytes(changed)


def test_good_frames() -> None:
    found = look(GOLDEN_STREAM)
    assert [(piece.headers, piece.payload) for piece in found] == GOLDEN_FRAMES
    for piece in found:
        assert piece.problems == ()
        assert piece.prelude is not None
        assert piece.message is not None
        assert piece.message.right
        assert piece.total == len(piece.data)


def test_nothing_is_no_piece() -> None:
    assert look(b"") == []


def test_a_wrong_message_checksum_does_not_hide_what_follows() -> None:
    first, second = look(damaged(TEXT_DELTA, -1) + TOOL_CALL)
    assert first.payload == TEXT_PAYLOAD
    assert first.message is not None
    assert not first.message.right
    assert [problem[:15] for problem in first.problems] == ["its checksum is"]
    assert second.problems == ()


def test_a_wrong_prelude_is_skipped_up_to_the_next_sound_one() -> None:
    stray, frame = look(damaged(TEXT_DELTA, 1) + TOOL_CALL)
    assert stray.data == damaged(TEXT_DELTA, 1)
    assert (stray.prelude, stray.message) == (None, None)
    assert stray.problems[0].startswith("the prelude's checksum is 0x")
    assert frame.problems == ()


def test_impossible_lengths_are_not_believed() -> None:
    [piece] = look(build_prelude(2**31, 5) + b"rest")
    assert piece.problems == ("the prelude names impossible lengths: 2147483648 in all, 5 of headers",)


def test_cut_frames() -> None:
    in_headers, in_payload = TEXT_DELTA[:20], TEXT_DELTA[:-6]
    [piece] = look(in_headers)
    assert (piece.headers, piece.message) == ({}, None)
    assert piece.problems == (f"cut off after 20 of {len(TEXT_DELTA)} bytes",)
    [piece] = look(in_payload)
    assert piece.headers[":event-type"] == "assistantResponseEvent"
    assert piece.payload == TEXT_PAYLOAD[:-2]
    [_, rest] = look(MINIMUM + b"\0" * 7)
    assert rest.problems == ("7 bytes are no frame: the shortest has 16",)


def test_unreadable_headers() -> None:
    [piece] = look(build_frame(build_header(b"a", b"\x0c"), b"x"))
    assert (piece.headers, piece.payload) == ({}, b"x")
    assert "names type 12" in piece.problems[0]


def test_checksums() -> None:
    assert Checksum(1, 1).right
    assert not Checksum(1, 2).right


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=40), max_size=4), st.integers(0, 400), st.integers(1, 255))
def test_every_byte_is_in_one_piece(payloads: list[bytes], place: int, flip: int) -> None:
    data = bytearray(b"".join(event_frame("x", json.dumps(payload.hex()).encode()) for payload in payloads))
    if data:
        data[place % len(data)] ^= flip
    look(bytes(data))
