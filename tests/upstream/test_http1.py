"""HTTP/1.1 without I/O: framings, splits and limits."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.upstream.http1 import (
    MAX_CHUNK_LINE_BYTES,
    MAX_HEAD_BYTES,
    MAX_TRAILER_BYTES,
    ResponseReader,
    encode_head,
)

HEAD = b"HTTP/1.1 200 OK\r\n"


def read(*pieces: bytes, method: bytes = b"GET", eof: bool = False) -> tuple[ResponseReader, bytes]:
    reader = ResponseReader(method)
    body = b"".join(reader.receive_data(piece) for piece in pieces)
    if eof:
        reader.receive_eof()
    return reader, body


def test_encode_head_keeps_order_and_lowers_names() -> None:
    head = encode_head(b"POST", b"/a?b=c", [(b"B-One", b"1"), (b"a-two", b"2"), (b"B-One", b"3")])
    assert head == b"POST /a?b=c HTTP/1.1\r\nb-one: 1\r\na-two: 2\r\nb-one: 3\r\n\r\n"


@pytest.mark.parametrize(
    "target, headers",
    [
        (b"/a b", []),
        (b"/a\r\nx: y", []),
        (b"/", [(b"x", b"a\r\nb: c")]),
        (b"/", [(b"x", b"a\nb: c")]),
        (b"/", [(b"x y", b"a")]),
        (b"/", [(b"", b"a")]),
    ],
)
def test_encode_head_refuses_what_would_end_a_line(target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        encode_head(b"GET", target, headers)


@pytest.mark.parametrize(
    "response, body",
    [
        (HEAD + b"content-length: 5\r\n\r\nhello", b"hello"),
        (HEAD + b"Content-Length: 5, 5\r\nCONTENT-LENGTH: 5\r\n\r\nhello", b"hello"),
        (HEAD + b"content-length: 5\r\n\r\nhello and more", b"hello"),
        (HEAD + b"content-length: 0\r\n\r\n", b""),
        (b"HTTP/1.0 200\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (HEAD + b"Transfer-Encoding: Chunked\r\n\r\n05;a=b\r\nhello\r\n1 \r\n!\r\n0\r\n\r\n", b"hello!"),
        (HEAD + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n", b"ok"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nrubbish", b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + HEAD + b"content-length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"content-length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", b""),
    ],
)
def test_framings_whole_and_byte_by_byte(response: bytes, body: bytes) -> None:
    reader, whole = read(response)
    assert (whole, reader.ended) == (body, True)
    reader, torn = read(*(response[i : i + 1] for i in range(len(response))))
    assert (torn, reader.ended) == (body, True)
    reader.receive_eof()


def test_head_of_a_response() -> None:
    reader, _ = read(b"HTTP/1.1 404 Not Found\r\nX-A:  b \r\nx-a:\r\n\r\n")
    assert reader.head is not None
    assert reader.head.status == 404
    assert reader.head.reason == b"Not Found"
    assert reader.head.headers == [(b"X-A", b"b"), (b"x-a", b"")]


def test_answer_to_head_has_no_body() -> None:
    reader, body = read(HEAD + b"content-length: 5\r\n\r\n", method=b"HEAD")
    assert (body, reader.ended) == (b"", True)


def test_body_until_close() -> None:
    reader, body = read(HEAD + b"\r\nab", b"cd")
    assert (body, reader.ended) == (b"abcd", False)
    reader.receive_eof()
    assert reader.ended


def test_payload_is_never_held_back() -> None:
    reader = ResponseReader(b"GET")
    reader.receive_data(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    assert reader.receive_data(b"a\r\nabc") == b"abc"
    assert reader.receive_data(b"defghij\r") == b"defghij"
    assert reader.receive_data(b"\n2") == b""
    assert reader.receive_data(b"\r\nkl\r\n3\r\nmno\r\n") == b"klmno"


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"a: b\r\n folded\r\n\r\n",
        HEAD + b"a b: c\r\n\r\n",
        HEAD + b"a: b\nc: d\r\n\r\n",
        HEAD + b"a: \0\r\n\r\n",
        HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: \r\n\r\n",
        HEAD + b"content-length: 1" + b"0" * 20 + b"\r\n\r\n",
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        HEAD + b"a: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
        HEAD + b"a: " + b"x" * MAX_HEAD_BYTES,
    ],
)
def test_bad_heads(response: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        read(response)


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"1_0\r\n",
        b"10000000000000000\r\n",
        b"5\r\nhello!\r\n",
        b"5\r\nhelloXY",
        b"5;" + b"a" * MAX_CHUNK_LINE_BYTES + b"\r\nhello\r\n",
        b"5;" + b"a" * MAX_CHUNK_LINE_BYTES,
        b"0\r\n" + b"a: b\r\n" * (MAX_TRAILER_BYTES // 6 + 1) + b"\r\n",
    ],
)
def test_bad_chunks(body: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        read(HEAD + b"transfer-encoding: chunked\r\n\r\n" + body)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        HEAD,
        HEAD + b"content-length: 5\r\n\r\nhell",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_end_of_connection_too_early(response: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        read(response, eof=True)


@settings(max_examples=100)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.lists(st.integers(1, 60), max_size=30))
def test_any_cut_of_a_chunked_body_gives_the_same_bytes(chunks: list[bytes], cuts: list[int]) -> None:
    encoded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    response = HEAD + b"transfer-encoding: chunked\r\n\r\n" + encoded + b"0\r\n\r\n"
    pieces = []
    for cut in cuts:
        pieces.append(response[:cut])
        response = response[cut:]
    reader, body = read(*pieces, response)
    assert (body, reader.ended) == (b"".join(chunks), True)
