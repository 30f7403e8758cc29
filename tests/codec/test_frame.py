from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.codec.frame import (
    MAX_FRAME_BYTES,
    Frame,
    check_prelude,
    encode_frame,
    event_frame,
    exception_frame,
)
from kiro_rs_py.codec.headers import MAX_HEADERS_BYTES
from kiro_rs_py.errors import CodecError
from tests.codec.wire import (
    EXCEPTION,
    EXCEPTION_PAYLOAD,
    GOLDEN,
    HEADER_TYPES,
    MINIMUM,
    TEXT_DELTA,
    TEXT_PAYLOAD,
    TOOL_CALL,
    TOOL_PAYLOAD,
    build_prelude,
    decode_with_botocore,
)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_frames_are_encoded_exactly(name: str) -> None:
    encoded, frame = GOLDEN[name]
    assert encode_frame(frame.headers, frame.payload) == encoded


def test_kiro_frames_are_encoded_exactly() -> None:
    assert event_frame("assistantResponseEvent", TEXT_PAYLOAD) == TEXT_DELTA
    assert event_frame("toolUseEvent", TOOL_PAYLOAD) == TOOL_CALL
    assert exception_frame("ThrottlingException", EXCEPTION_PAYLOAD) == EXCEPTION


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=4), st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_botocore_reads_what_we_write(headers: dict[str, str], payload: bytes) -> None:
    first, second = decode_with_botocore(encode_frame(headers, payload) + event_frame("x", payload))
    assert (first.headers, first.payload) == (headers, payload)
    assert second.headers == {":event-type": "x", ":content-type": "application/json", ":message-type": "event"}
    assert second.payload == payload


def test_botocore_reads_all_header_types() -> None:
    headers = {name: ours for name, (_, ours, _) in HEADER_TYPES.items()}
    (message,) = decode_with_botocore(encode_frame(headers, b"payload"))
    assert message.headers == {name: theirs for name, (_, _, theirs) in HEADER_TYPES.items()}
    assert message.payload == b"payload"


def test_the_largest_frame() -> None:
    room = MAX_FRAME_BYTES - 16
    assert len(encode_frame({}, bytes(room))) == MAX_FRAME_BYTES
    with pytest.raises(CodecError, match="length is 16777217, frames have 16 to 16777216 bytes"):
        encode_frame({}, bytes(room + 1))


def test_the_largest_header_block() -> None:
    with pytest.raises(CodecError, match=f"at most {MAX_HEADERS_BYTES} are allowed"):
        encode_frame({"a": bytes(65535), "b": bytes(65535)}, b"")


def test_event_type_of_any_length_is_bounded() -> None:
    with pytest.raises(CodecError, match="at most 65535 bytes, not 70000"):
        event_frame("x" * 70_000, b"")
    with pytest.raises(CodecError, match="at most 65535 bytes, not 70000"):
        exception_frame("x" * 70_000, b"")


@pytest.mark.parametrize(
    ("prelude", "message"),
    [
        (MINIMUM[:8] + b"\x05\xc2\x48\xea", "the prelude's checksum is 0x05c248ea, its bytes give 0x05c248eb"),
        (build_prelude(0, 0), "the frame's length is 0, frames have 16 to 16777216 bytes"),
        (build_prelude(15, 0), "the frame's length is 15, frames have 16 to 16777216 bytes"),
        (build_prelude(2**24 + 1, 0), "the frame's length is 16777217, frames have 16 to 16777216 bytes"),
        (build_prelude(2**32 - 1, 0), "the frame's length is 4294967295, frames have 16 to 16777216 bytes"),
        (build_prelude(16, 1), "a header block of 1 bytes does not fit a frame of 16"),
        (build_prelude(100, 2**32 - 1), "the header block has 4294967295 bytes, at most 131072 are allowed"),
        (build_prelude(2**20, 2**17 + 1), "the header block has 131073 bytes, at most 131072 are allowed"),
    ],
)
def test_a_prelude_is_checked_before_it_is_believed(prelude: bytes, message: str) -> None:
    with pytest.raises(CodecError) as caught:
        check_prelude(b"before" + prelude, 6)
    assert str(caught.value) == message


@pytest.mark.parametrize("total", [16, 2**24])
def test_a_good_prelude_gives_the_length(total: int) -> None:
    assert check_prelude(build_prelude(total, 0), 0) == total


def test_repr_does_not_show_the_payload() -> None:
    assert repr(Frame({"a": True}, b"private words")) == "<Frame with 1 headers and 13 payload bytes>"
