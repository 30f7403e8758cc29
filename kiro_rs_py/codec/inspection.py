"""Event-stream bytes as they lie, damage and all: for people who look, not for answers.

The decoder stops at the first wrong byte. :func:`inspect` says what is wrong with it and goes on: behind a frame whose
length is vouched for, else at the next place where a prelude's checksum is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from kiro_rs_py.codec.frame import CHECKSUM_BYTES, MIN_FRAME_BYTES, PRELUDE_BYTES, check_lengths
from kiro_rs_py.codec.headers import HeaderValue, parse_headers
from kiro_rs_py.errors import CodecError

_PRELUDE = Struct(">III")
_LENGTHS = Struct(">II")
_CHECKSUM = Struct(">I")


class Checksum(NamedTuple):
    """A CRC-32: ``sent`` stands in the bytes, ``computed`` is what they give."""

    sent: int
    computed: int

    @property
    def right(self) -> bool:
        return self.sent == self.computed


@dataclass(frozen=True, slots=True)
class Piece:
    """One frame, or bytes between frames that are none.

    ``data`` are its bytes as far as they are there; ``total`` is the length its prelude says. ``prelude`` is the
    prelude's checksum, which is right, or None for bytes that are no frame; ``message`` is None where the frame is cut
    off; ``headers`` are empty where they cannot be read. ``problems`` are clauses, none for a good frame.
    """

    offset: int
    data: bytes
    total: int
    prelude: int | None
    message: Checksum | None
    headers: Mapping[str, HeaderValue]
    payload: bytes
    problems: tuple[str, ...]


def inspect(data: bytes) -> Iterator[Piece]:
    """Every byte of ``data`` in exactly one piece, in order."""
    offset = 0
    while offset < len(data):
        piece = _frame_at(data, offset) or _stray(data, offset)
        yield piece
        offset += len(piece.data)


def _frame_at(data: bytes, offset: int) -> Piece | None:
    """The frame whose sound prelude is at ``offset``, whole or not."""
    if not _starts_frame(data, offset):
        return None
    total, headers_length, prelude = _PRELUDE.unpack_from(data, offset)
    raw = data[offset : offset + total]
    payload_start = PRELUDE_BYTES + headers_length
    problems: list[str] = []
    message: Checksum | None = None
    payload = raw[payload_start:]
    if len(raw) < total:
        problems.append(f"cut off after {len(raw)} of {total} bytes")
    else:
        payload = payload[:-CHECKSUM_BYTES]
        message = Checksum(_CHECKSUM.unpack(raw[-CHECKSUM_BYTES:])[0], crc32(raw[:-CHECKSUM_BYTES]))
        if not message.right:
            problems.append(f"its checksum is {message.sent:#010x}, its bytes give {message.computed:#010x}")
    headers: Mapping[str, HeaderValue] = {}
    if len(raw) >= payload_start:
        try:
            headers = parse_headers(raw[PRELUDE_BYTES:payload_start])
        except CodecError as exc:
            problems.append(str(exc))
    return Piece(offset, raw, total, prelude, message, headers, payload, tuple(problems))


def _starts_frame(data: bytes, offset: int) -> bool:
    if len(data) - offset < PRELUDE_BYTES:
        return False
    total, headers_length, sent = _PRELUDE.unpack_from(data, offset)
    if crc32(data[offset : offset + _LENGTHS.size]) != sent:
        return False
    try:
        check_lengths(total, headers_length)
    except CodecError:
        return False
    return True


def _stray(data: bytes, offset: int) -> Piece:
    """Bytes up to the next sound prelude, or the end."""
    end = offset + 1
    while end < len(data) and not _starts_frame(data, end):
        end += 1
    stray = data[offset:end]
    if len(stray) < PRELUDE_BYTES:
        problem = f"{len(stray)} bytes are no frame: the shortest has {MIN_FRAME_BYTES}"
    else:
        total, headers_length, sent = _PRELUDE.unpack_from(stray)
        computed = crc32(stray[: _LENGTHS.size])
        problem = f"the prelude's checksum is {sent:#010x}, its bytes give {computed:#010x}"
        if sent == computed:
            problem = f"the prelude names impossible lengths: {total} in all, {headers_length} of headers"
    return Piece(offset, stray, len(stray), None, None, {}, stray, (problem,))
