from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.codec.decoder import MAX_KNOWN_BLOCKS, EventStreamDecoder
from kiro_rs_py.codec.frame import MAX_FRAME_BYTES, Frame, encode_frame, event_block, event_frame
from kiro_rs_py.errors import CodecError, TruncatedStream
from tests.codec.wire import (
    GOLDEN,
    GOLDEN_FRAMES,
    GOLDEN_STREAM,
    HEADER_TYPES,
    MINIMUM,
    TEXT_DELTA,
    build_frame,
    build_header,
    build_prelude,
    close_frame,
    cut,
    decode_with_botocore,
    pieces,
    places,
    take_frames,
)


def decode(reads: Iterable[bytes]) -> tuple[list[Frame], CodecError | None]:
    """The frames of a whole stream, and the error that ended it, if one did; an error must stay."""
    decoder = EventStreamDecoder()
    frames: list[Frame] = []
    try:
        for data in reads:
            decoder.receive_data(data)
            while (frame := decoder.next_frame()) is not None:
                frames.append(frame)
    except CodecError as exc:
        check_stays_failed(decoder, str(exc))
        return frames, exc
    try:
        decoder.receive_eof()
    except TruncatedStream as exc:
        return frames, exc
    return frames, None


def check_stays_failed(decoder: EventStreamDecoder, message: str) -> None:
    for call in (decoder.next_frame, decoder.receive_eof, lambda: decoder.receive_data(TEXT_DELTA), decoder.next_frame):
        with pytest.raises(CodecError) as caught:
            call()
        assert str(caught.value) == message
        assert type(caught.value) is CodecError


# --- good streams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_frame_whole_and_byte_by_byte(name: str) -> None:
    encoded, frame = GOLDEN[name]
    assert decode([encoded]) == ([frame], None)
    assert decode(pieces(encoded, 1)) == ([frame], None)
    assert decode([encoded * 3]) == ([frame] * 3, None)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12, 13, 16, 64, 150, 10_000])
def test_the_golden_stream_in_pieces(size: int) -> None:
    assert decode(pieces(GOLDEN_STREAM, size)) == (GOLDEN_FRAMES, None)


@given(places(GOLDEN_STREAM))
@settings(max_examples=150, deadline=None)
def test_the_golden_stream_cut_anywhere(where: list[int]) -> None:
    assert decode(cut(GOLDEN_STREAM, where)) == (GOLDEN_FRAMES, None)


def test_an_empty_stream_is_a_whole_one() -> None:
    assert decode([]) == ([], None)
    assert decode([b"", b""]) == ([], None)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_botocore_and_we_read_the_same(data: st.DataObject) -> None:
    names = st.lists(st.sampled_from(list(HEADER_TYPES)), unique=True)
    shapes = data.draw(st.lists(st.tuples(names, st.binary(max_size=200)), max_size=5))
    stream = b"".join(
        build_frame(b"".join(build_header(name.encode(), HEADER_TYPES[name][0]) for name in chosen), payload)
        for chosen, payload in shapes
    )
    frames, error = decode(cut(stream, data.draw(places(stream))))

    assert error is None
    assert frames == [Frame({name: HEADER_TYPES[name][1] for name in chosen}, payload) for chosen, payload in shapes]
    theirs = decode_with_botocore(stream)
    assert [message.payload for message in theirs] == [frame.payload for frame in frames]
    assert [message.headers for message in theirs] == [
        {name: HEADER_TYPES[name][2] for name in frame.headers} for frame in frames
    ]


def test_reads_may_pile_up_before_the_frames_are_taken() -> None:
    decoder = EventStreamDecoder()
    for data in pieces(GOLDEN_STREAM, 50):
        decoder.receive_data(data)
    assert take_frames(decoder) == GOLDEN_FRAMES
    decoder.receive_eof()


@given(places(GOLDEN_STREAM), st.lists(st.integers(0, 3)))
@settings(max_examples=150, deadline=None)
def test_reads_and_frames_may_take_turns_in_any_way(where: list[int], turns: list[int]) -> None:
    decoder = EventStreamDecoder()
    frames: list[Frame | None] = []
    for data, turn in zip_longest(cut(GOLDEN_STREAM, where), turns):
        decoder.receive_data(data or b"")
        frames += [decoder.next_frame() for _ in range(turn or 0)]
    assert [frame for frame in frames if frame is not None] + take_frames(decoder) == GOLDEN_FRAMES
    decoder.receive_eof()


def test_a_read_joins_those_that_wait_behind_the_last_frame_taken() -> None:
    decoder = EventStreamDecoder()
    decoder.receive_data(TEXT_DELTA)
    decoder.receive_data(MINIMUM)
    assert decoder.next_frame() == GOLDEN["text delta"][1]
    decoder.receive_data(TEXT_DELTA)
    assert take_frames(decoder) == [GOLDEN["minimum"][1], GOLDEN["text delta"][1]]
    decoder.receive_eof()


@pytest.mark.parametrize("read", [1000, 65_536, MAX_FRAME_BYTES])
def test_the_largest_frame(read: int) -> None:
    size = MAX_FRAME_BYTES if read > 1000 else 2**20
    payload = bytes(size - 16)
    encoded = encode_frame({}, payload)
    assert decode([*pieces(encoded, read), TEXT_DELTA]) == ([Frame({}, payload), GOLDEN["text delta"][1]], None)


def test_more_header_blocks_than_are_remembered() -> None:
    types = [f"type{number}" for number in range(MAX_KNOWN_BLOCKS + 10)] * 2
    frames, error = decode([event_frame(name, name.encode()) for name in types])
    assert error is None
    assert [(frame.headers[":event-type"], frame.payload.decode()) for frame in frames] == [(t, t) for t in types]


def test_headers_are_shared_and_read_only() -> None:
    (first, second), _ = decode([TEXT_DELTA * 2])
    assert first.headers is second.headers
    assert not hasattr(first.headers, "__setitem__")


def test_the_payload_is_plain_bytes() -> None:
    for reads in ([TEXT_DELTA], pieces(TEXT_DELTA, 5)):
        frames, _ = decode(reads)
        assert type(frames[0]) is Frame
        assert type(frames[0].payload) is bytes
        assert json.loads(frames[0].payload) == {"content": "Hi"}


# --- the end ----------------------------------------------------------------------------------------------------


def test_a_stream_cut_inside_a_frame() -> None:
    boundaries = {0}
    for encoded, _ in GOLDEN.values():
        boundaries.add(max(boundaries) + len(encoded))
    for end in range(len(GOLDEN_STREAM) + 1):
        frames, error = decode([GOLDEN_STREAM[:end]])
        assert frames == GOLDEN_FRAMES[: len(frames)]
        assert isinstance(error, TruncatedStream) == (end not in boundaries)


@pytest.mark.parametrize(
    ("residue", "message"),
    [
        (TEXT_DELTA[:1], "the stream ended after 1 of at least 16 bytes of a frame"),
        (TEXT_DELTA[:11], "the stream ended after 11 of at least 16 bytes of a frame"),
        (TEXT_DELTA[:12], "the stream ended after 12 of 124 bytes of a frame"),
        (TEXT_DELTA[:123], "the stream ended after 123 of 124 bytes of a frame"),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_the_residue_is_told(residue: bytes, message: str, size: int) -> None:
    decoder = EventStreamDecoder()
    for data in pieces(residue, size):
        decoder.receive_data(data)
        assert decoder.next_frame() is None
    for _ in range(2):
        with pytest.raises(TruncatedStream) as caught:
            decoder.receive_eof()
        assert str(caught.value) == message


# --- damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [40, 10_000])
def test_any_flipped_bit_is_noticed_in_its_frame(size: int) -> None:
    for bit in range(8 * len(GOLDEN_STREAM)):
        damaged = bytearray(GOLDEN_STREAM)
        damaged[bit // 8] ^= 1 << bit % 8
        frames, error = decode(pieces(bytes(damaged), size))
        assert error is not None
        assert frames == GOLDEN_FRAMES[: frames_before(bit // 8)]


def frames_before(offset: int) -> int:
    """How many golden frames end at or before ``offset``."""
    end = count = 0
    for encoded, _ in GOLDEN.values():
        end += len(encoded)
        count += end <= offset
    return count


def test_any_flipped_bit_is_noticed_byte_by_byte() -> None:
    for bit in range(8 * len(TEXT_DELTA)):
        damaged = bytearray(TEXT_DELTA)
        damaged[bit // 8] ^= 1 << bit % 8
        frames, error = decode(pieces(bytes(damaged), 1))
        assert frames == []
        assert error is not None


@pytest.mark.parametrize("extra", [b"", b"\x00", TEXT_DELTA])
def test_the_prelude_is_checked_at_twelve_bytes(extra: bytes) -> None:
    decoder = EventStreamDecoder()
    decoder.receive_data(b"\x00\x10\x00\x00" + TEXT_DELTA[4:11])
    assert decoder.next_frame() is None
    decoder.receive_data(TEXT_DELTA[11:12] + extra)
    with pytest.raises(CodecError, match="the prelude's checksum is 0x3bddcf78, its bytes give 0x") as caught:
        decoder.next_frame()
    check_stays_failed(decoder, str(caught.value))


BAD_FRAMES: dict[str, tuple[bytes, str]] = {
    "not an event stream": (b'{"message":"Bad Request"}', "the prelude's checksum is"),
    "message checksum": (
        TEXT_DELTA[:-1] + b"\xdd",
        "the checksum of a 124-byte frame is 0xb02babdd, its bytes give 0xb02babdc",
    ),
    "length 0": (close_frame(build_prelude(0, 0)), "the frame's length is 0, frames have 16 to 16777216 bytes"),
    "length 15": (close_frame(build_prelude(15, 0)), "the frame's length is 15, frames have 16 to 16777216 bytes"),
    "header block too long for its frame": (
        close_frame(build_prelude(20, 5) + bytes(4)),
        "a header block of 5 bytes does not fit a frame of 20",
    ),
    "header block over the limit": (
        build_frame(bytes(2**17 + 1), b""),
        "the header block has 131073 bytes, at most 131072 are allowed",
    ),
    "frame over the limit": (
        build_prelude(MAX_FRAME_BYTES + 1, 0),
        "the frame's length is 16777217, frames have 16 to 16777216 bytes",
    ),
    "whole frame over the limit": (
        build_frame(b"", bytes(MAX_FRAME_BYTES - 15)),
        "the frame's length is 16777217, frames have 16 to 16777216 bytes",
    ),
    "unknown header type": (
        build_frame(build_header(b"n", b"\x0a"), b""),
        "byte 2 of the header block names type 10, types are 0 to 9",
    ),
    "cut header": (build_frame(b"\x05ab", b""), "the header block of 3 bytes ends within a header: 5 wanted at byte 1"),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_good_frames_in_front_of_a_bad_one_are_delivered(name: str) -> None:
    bad, message = BAD_FRAMES[name]
    for reads in (
        [GOLDEN_STREAM + bad + TEXT_DELTA],
        [GOLDEN_STREAM, bad, TEXT_DELTA],
        [GOLDEN_STREAM + bad[:13], bad[13:]],
    ):
        frames, error = decode(reads)
        assert frames == GOLDEN_FRAMES
        assert type(error) is CodecError
        assert str(error).startswith(message)


def test_a_bad_header_block_is_not_remembered() -> None:
    bad = build_frame(build_header(b"n", b"\x0a"), b"")
    for _ in range(2):
        frames, error = decode([bad])
        assert frames == []
        assert str(error) == "byte 2 of the header block names type 10, types are 0 to 9"


def test_bytes_that_nobody_takes_are_bounded() -> None:
    decoder = EventStreamDecoder()
    large = encode_frame({}, bytes(MAX_FRAME_BYTES - 16))
    decoder.receive_data(large)
    decoder.receive_data(b"\x00")
    with pytest.raises(CodecError, match="16777217 bytes lie undecoded, at most 16777216 are allowed") as caught:
        decoder.receive_data(b"\x00")
    check_stays_failed(decoder, str(caught.value))


@given(st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=150, deadline=None)
def test_noise_never_becomes_a_frame(reads: list[bytes]) -> None:
    frames, error = decode(reads)
    assert frames == []
    assert (error is None) == (not b"".join(reads))


def test_known_header_blocks_are_not_parsed_again() -> None:
    known = {event_block("one"): {"ready": "made"}}
    decoder = EventStreamDecoder(known)
    decoder.receive_data(event_frame("one", b"{}") + event_frame("two", b"{}") * 2)
    first, second, third = decoder.next_frame(), decoder.next_frame(), decoder.next_frame()
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.headers is known[event_block("one")]
    assert second.headers is third.headers
    assert second.headers[":event-type"] == "two"
    assert len(known) == 1
