"""HTTP/1.1 on the wire, without I/O: the bytes of a request, and bytes back into one response (RFC 9112).

Not h11: a streamed answer is mostly small chunks, and an h11 event for each costs more than all our conversion of it
(``benchmarks/bench_transport.py`` prints both). What is here is the client half only, one exchange a connection, and
strict: what is not plainly HTTP/1.1 raises ``httpx.RemoteProtocolError``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

import httpx

HeaderList: TypeAlias = list[tuple[bytes, bytes]]

MAX_HEAD_BYTES = 64 * 1024
MAX_CHUNK_LINE_BYTES = 4 * 1024
MAX_TRAILER_BYTES = 16 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: ([^\0\r\n]*))?")
_HEADER_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\0\r\n]*)?")
_PLAIN_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_FORBIDDEN_IN_TARGET = re.compile(rb"[\0-\x20\x7f]")
_FORBIDDEN_IN_VALUE = re.compile(rb"[\0\r\n]")


def encode_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Request line and header block, names in lower case, order kept (upstream-protocol §1.1).

    Raises ``httpx.LocalProtocolError`` for characters that would end a line early.
    """
    if _FORBIDDEN_IN_TARGET.search(target):
        raise httpx.LocalProtocolError("The request target contains a space or control character.")
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name) or _FORBIDDEN_IN_VALUE.search(value):
            raise httpx.LocalProtocolError(f"The header {name!r} cannot be sent as it is.")
        lines.append(b"%b: %b" % (name.lower(), value))
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


class ResponseHead(NamedTuple):
    """``headers`` in the order received, names as written."""

    status: int
    reason: bytes
    headers: HeaderList


class _Body(Protocol):
    @property
    def ended(self) -> bool: ...

    def receive_data(self, data: bytes) -> bytes: ...

    def receive_eof(self) -> None: ...


class ResponseReader:
    """One response, fed as it arrives.

    ``receive_data`` returns the body bytes found in what it was given, joined, maybe none. ``head`` is None until the
    final response head is complete (1xx heads are skipped). ``ended`` says that the body is complete; what the server
    sends after it is ignored, since the connection is not used again.
    """

    def __init__(self, method: bytes) -> None:
        self.head: ResponseHead | None = None
        self._method = method
        self._buffer = b""
        self._body: _Body | None = None

    @property
    def ended(self) -> bool:
        return self._body is not None and self._body.ended

    def receive_data(self, data: bytes) -> bytes:
        """Feed what one read returned. Raises ``httpx.RemoteProtocolError``."""
        if self._body is not None:
            return self._body.receive_data(data)
        self._buffer += data
        while self._body is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
                raise httpx.RemoteProtocolError(f"The response head is larger than {MAX_HEAD_BYTES} bytes.")
            if end < 0:
                return b""
            head = _parse_head(self._buffer[:end])
            self._buffer = self._buffer[end + 4 :]
            if head.status == 101:
                raise httpx.RemoteProtocolError("The server switched protocols unasked.")
            if head.status >= 200:
                self.head = head
                self._body = _choose_body(self._method, head)
        rest, self._buffer = self._buffer, b""
        return self._body.receive_data(rest) if rest else b""

    def receive_eof(self) -> None:
        """The connection is at its end. Raises ``httpx.RemoteProtocolError`` if the response is not."""
        if self._body is None:
            raise httpx.RemoteProtocolError("The server closed the connection without a response.")
        self._body.receive_eof()


def _parse_head(head: bytes) -> ResponseHead:
    status_line, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(status_line)
    if match is None:
        raise httpx.RemoteProtocolError("The server does not speak HTTP/1.1.")
    headers: HeaderList = []
    for line in lines:
        name, colon, value = line.partition(b":")
        # Folded lines start with a blank and fail here too; no server of today sends them.
        if not colon or not _HEADER_NAME.fullmatch(name) or _FORBIDDEN_IN_VALUE.search(value):
            raise httpx.RemoteProtocolError("The server sent a malformed header line.")
        headers.append((name, value.strip(b" \t")))
    return ResponseHead(int(match[1]), match[2] or b"", headers)


def _choose_body(method: bytes, head: ResponseHead) -> _Body:
    """RFC 9112 §6.3: how the end of this body is told."""
    if method == b"HEAD" or head.status in (204, 304):
        return _SizedBody(0)
    codings = [value.lower() for name, value in head.headers if name.lower() == b"transfer-encoding"]
    if codings:
        if codings != [b"chunked"]:
            raise httpx.RemoteProtocolError("The server uses a transfer coding we did not ask for.")
        return _ChunkedBody()
    lengths = {
        length.strip()
        for name, value in head.headers
        if name.lower() == b"content-length"
        for length in value.split(b",")
    }
    if not lengths:
        return _BodyUntilClose()
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > 15:
        raise httpx.RemoteProtocolError("The server sent an unusable content-length.")
    return _SizedBody(int(length))


class _SizedBody:
    def __init__(self, size: int) -> None:
        self._left = size
        self.ended = size == 0

    def receive_data(self, data: bytes) -> bytes:
        piece = data[: self._left]
        self._left -= len(piece)
        self.ended = self._left == 0
        return piece

    def receive_eof(self) -> None:
        if not self.ended:
            raise httpx.RemoteProtocolError(f"The server closed the connection {self._left} bytes too early.")


class _BodyUntilClose:
    ended = False

    def receive_data(self, data: bytes) -> bytes:
        return data

    def receive_eof(self) -> None:
        self.ended = True


class _Phase(Enum):
    SIZE_LINE = 1
    PAYLOAD = 2
    PAYLOAD_END = 3
    TRAILER_LINE = 4
    ENDED = 5


class _ChunkedBody:
    """RFC 9112 §7.1. ``_rest`` is an unfinished size line, payload end or trailer line; payload is never held back."""

    def __init__(self) -> None:
        self._phase = _Phase.SIZE_LINE
        self._rest = b""
        self._left = 0
        self._trailer_bytes = 0

    @property
    def ended(self) -> bool:
        return self._phase is _Phase.ENDED

    def receive_data(self, data: bytes) -> bytes:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        pieces: list[bytes] = []
        position = self._take_whole_chunks(data, pieces) if self._phase is _Phase.SIZE_LINE else 0
        while position < len(data) and self._phase is not _Phase.ENDED:
            if self._phase is _Phase.PAYLOAD:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._phase = _Phase.PAYLOAD_END
                continue
            end = data.find(b"\r\n", position)
            if end < 0:
                self._keep(data[position:])
                break
            self._receive_line(data[position:end])
            position = end + 2
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take_whole_chunks(self, data: bytes, pieces: list[bytes]) -> int:
        """Chunks from the front that are complete; how far that went. Nearly all of a stream comes this way."""
        position = 0
        while (size := _PLAIN_CHUNK_SIZE.match(data, position)) is not None:
            start = size.end()
            end = start + int(size[1], 16)
            if end == start or data[end : end + 2] != b"\r\n":
                break
            pieces.append(data[start:end])
            position = end + 2
        return position

    def _keep(self, rest: bytes) -> None:
        limit = 1 if self._phase is _Phase.PAYLOAD_END else MAX_CHUNK_LINE_BYTES
        if len(rest) > limit:
            raise httpx.RemoteProtocolError("The server sent a chunk line without an end.")
        self._rest = rest

    def _receive_line(self, line: bytes) -> None:
        match self._phase:
            case _Phase.PAYLOAD_END:
                if line:
                    raise httpx.RemoteProtocolError("The server sent a chunk longer than it said.")
                self._phase = _Phase.SIZE_LINE
            case _Phase.SIZE_LINE:
                size = _CHUNK_SIZE.fullmatch(line) if len(line) <= MAX_CHUNK_LINE_BYTES else None
                if size is None:
                    raise httpx.RemoteProtocolError("The server sent a malformed chunk size.")
                self._left = int(size[1], 16)
                self._phase = _Phase.PAYLOAD if self._left else _Phase.TRAILER_LINE
            case _:
                self._trailer_bytes += len(line) + 2
                if self._trailer_bytes > MAX_TRAILER_BYTES:
                    raise httpx.RemoteProtocolError("The server sent too large a trailer.")
                if not line:
                    self._phase = _Phase.ENDED

    def receive_eof(self) -> None:
        if not self.ended:
            raise httpx.RemoteProtocolError("The server closed the connection inside a chunked body.")
