from __future__ import annotations

import pytest
from botocore.eventstream import EventStreamHeaderParser
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.codec.headers import (
    Byte,
    HeaderValue,
    Int,
    Long,
    Short,
    Timestamp,
    Uuid,
    encode_headers,
    parse_headers,
)
from kiro_rs_py.errors import CodecError
from tests.codec.wire import HEADER_TYPES, build_header

INTEGERS: list[tuple[type[Byte | Short | Int | Long | Timestamp], int]] = [
    (Byte, 8),
    (Short, 16),
    (Int, 32),
    (Long, 64),
    (Timestamp, 64),
]

VALUES: st.SearchStrategy[HeaderValue] = st.one_of(
    st.booleans(),
    st.text(max_size=30),
    st.binary(max_size=30),
    st.binary(min_size=16, max_size=16).map(Uuid),
    *(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(integer) for integer, bits in INTEGERS),
)
NAMES = st.text(min_size=1, max_size=60)


@pytest.mark.parametrize("name", HEADER_TYPES)
def test_each_type_both_ways(name: str) -> None:
    encoded, value, botocore_value = HEADER_TYPES[name]
    block = build_header(name.encode(), encoded)

    headers = parse_headers(block)
    assert headers == {name: value}
    assert type(headers[name]) is type(value)
    assert encode_headers({name: value}) == block
    assert EventStreamHeaderParser().parse(block) == {name: botocore_value}


def test_all_types_in_one_block_keep_their_order() -> None:
    block = b"".join(build_header(name.encode(), encoded) for name, (encoded, _, _) in HEADER_TYPES.items())
    headers = {name: value for name, (_, value, _) in HEADER_TYPES.items()}

    assert list(parse_headers(block).items()) == list(headers.items())
    assert encode_headers(headers) == block
    assert EventStreamHeaderParser().parse(block) == {name: theirs for name, (_, _, theirs) in HEADER_TYPES.items()}


@given(st.dictionaries(NAMES, VALUES, max_size=6))
@settings(max_examples=150, deadline=None)
def test_round_trip_is_exact(headers: dict[str, HeaderValue]) -> None:
    block = encode_headers(headers)
    parsed = parse_headers(block)

    assert list(parsed.items()) == list(headers.items())
    assert [type(value) for value in parsed.values()] == [type(value) for value in headers.values()]
    theirs = EventStreamHeaderParser().parse(block)
    assert theirs == {name: getattr(value, "value", value) for name, value in headers.items()}


def test_equal_numbers_of_different_width_differ() -> None:
    assert len({Byte(1), Short(1), Int(1), Long(1), Timestamp(1)}) == 5
    assert repr(Short(-2)) == "Short(value=-2)"


@pytest.mark.parametrize(("integer", "bits"), INTEGERS)
def test_integers_know_their_range(integer: type[Byte | Short | Int | Long | Timestamp], bits: int) -> None:
    top = 2 ** (bits - 1)
    for value in (-top, top - 1):
        assert parse_headers(encode_headers({"n": integer(value)})) == {"n": integer(value)}
    for value in (-top - 1, top):
        with pytest.raises(CodecError, match=rf"^{value} does not fit the {bits} bits of a {integer.__name__} header$"):
            integer(value)


def test_uuid_has_sixteen_bytes() -> None:
    with pytest.raises(CodecError, match="16 bytes, not 15"):
        Uuid(bytes(15))


def test_the_last_of_equal_names_counts() -> None:
    block = build_header(b"a", b"\x02\x01") + build_header(b"b", b"\x00") + build_header(b"a", b"\x03\x00\x02")
    assert list(parse_headers(block).items()) == [("a", Short(2)), ("b", True)]


def test_no_headers() -> None:
    assert parse_headers(b"") == {}
    assert encode_headers({}) == b""


def test_longest_name_and_values() -> None:
    headers: dict[str, HeaderValue] = {"n" * 255: "v" * 65535, "é" * 127: bytes(65533)}
    with pytest.raises(CodecError, match=f"would have {255 + 254 + 65535 + 65533 + 8} bytes, at most 131072"):
        encode_headers(headers)
    for name, value in headers.items():
        assert parse_headers(encode_headers({name: value})) == {name: value}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"": True}, "a header name has 1 to 255 bytes, not 0"),
        ({"n" * 256: True}, "a header name has 1 to 255 bytes, not 256"),
        ({"é" * 128: True}, "a header name has 1 to 255 bytes, not 256"),
        ({"n": "v" * 65536}, "a header value has at most 65535 bytes, not 65536"),
        ({"n": bytes(65536)}, "a header value has at most 65535 bytes, not 65536"),
        ({"n": "ab\ud800"}, "character 2 of a header's text is a lone surrogate"),
        ({"\udfff": True}, "character 0 of a header's text is a lone surrogate"),
    ],
)
def test_what_cannot_be_encoded(headers: dict[str, HeaderValue], message: str) -> None:
    with pytest.raises(CodecError) as caught:
        encode_headers(headers)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (b"\x00\x07\x00\x00", "the header at byte 0 has an empty name"),
        (build_header(b"ab", b"\x00") + b"\x00", "the header at byte 4 has an empty name"),
        (build_header(b"ab", b"\x0a"), "byte 3 of the header block names type 10, types are 0 to 9"),
        (build_header(b"ab", b"\xff"), "byte 3 of the header block names type 255, types are 0 to 9"),
        (build_header(b"a\xff", b"\x00"), "byte 2 of the header block is not UTF-8"),
        (build_header(b"ab", b"\x07\x00\x02a\xc3"), "byte 7 of the header block is not UTF-8"),
        (b"\x05ab", "the header block of 3 bytes ends within a header: 5 wanted at byte 1"),
        (b"\x02ab", "the header block of 3 bytes ends within a header: 1 wanted at byte 3"),
        (b"\x01a\x06\x00", "the header block of 4 bytes ends within a header: 2 wanted at byte 3"),
    ],
)
def test_what_cannot_be_parsed(block: bytes, message: str) -> None:
    with pytest.raises(CodecError) as caught:
        parse_headers(block)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", HEADER_TYPES)
def test_a_block_cut_anywhere_is_an_error(name: str) -> None:
    block = build_header(b"name", HEADER_TYPES[name][0])
    for end in range(1, len(block)):
        with pytest.raises(CodecError, match=f"the header block of {end} bytes ends within a header"):
            parse_headers(block[:end])


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_bytes_parse_or_raise_our_error(block: bytes) -> None:
    try:
        headers = parse_headers(block)
    except CodecError:
        return
    assert parse_headers(encode_headers(headers)) == headers
