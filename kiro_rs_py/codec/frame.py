"""One event-stream message: ``prelude (12) | header block | payload | message checksum (4)``, big-endian.

The prelude is ``u32 total length | u32 header length | u32 CRC-32 of those eight bytes``; the message checksum is the
CRC-32 of everything before it, the prelude included (upstream-protocol §2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from kiro_rs_py.codec.headers import MAX_HEADERS_BYTES, HeaderValue, encode_headers
from kiro_rs_py.errors import CodecError

PRELUDE_BYTES: Final = 12
CHECKSUM_BYTES: Final = 4
MIN_FRAME_BYTES: Final = PRELUDE_BYTES + CHECKSUM_BYTES
# What kiro-rs accepts and AWS's newer decoders allow. Kiro's frames have a few hundred bytes; a larger length is damage
# or an attack, and we would have to buffer all of it before the message checksum could tell.
MAX_FRAME_BYTES: Final = 16 * 2**20

_PRELUDE: Final = Struct(">III")
_LENGTHS: Final = Struct(">II")
_CHECKSUM: Final = Struct(">I")


class Frame(NamedTuple):
    """What a message carries. ``headers`` may be shared with other frames: read only.

    A named tuple, since one is made for each event of each stream: the decoder can make it in a single call.
    """

    headers: Mapping[str, HeaderValue]
    payload: bytes

    def __repr__(self) -> str:
        """Without the payload, which is what somebody's model said."""
        return f"<Frame with {len(self.headers)} headers and {len(self.payload)} payload bytes>"


def encode_frame(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """One message on the wire, headers in the mapping's order. Raises CodecError if it would break a limit."""
    return _assemble(encode_headers(headers), payload)


def event_frame(event_type: str, payload: bytes) -> bytes:
    """A ``:message-type: event`` message as Kiro sends it; the payload is JSON."""
    return _assemble(event_block(event_type), payload)


def event_block(event_type: str) -> bytes:
    """The header block of a ``:message-type: event`` message, in Kiro's order."""
    return encode_headers({":event-type": event_type}) + _EVENT_HEADERS


def exception_frame(exception_type: str, payload: bytes) -> bytes:
    """A ``:message-type: exception`` message as Kiro sends it, its headers in Kiro's order; the payload is JSON."""
    return _assemble(encode_headers({":exception-type": exception_type}) + _EXCEPTION_HEADERS, payload)


def check_prelude(data: bytes, start: int) -> int:
    """The total length, in bytes, of the frame that begins at ``start``, where at least its prelude is present.

    The checksum comes first: nothing may wait for a length nobody vouches for.
    Raises CodecError for a wrong checksum or a length outside the limits.
    """
    total, headers, checksum = _PRELUDE.unpack_from(data, start)
    computed = crc32(data[start : start + _LENGTHS.size])
    if computed != checksum:
        raise CodecError(f"the prelude's checksum is {checksum:#010x}, its bytes give {computed:#010x}")
    check_lengths(total, headers)
    return int(total)


def check_lengths(total: int, headers: int) -> None:
    """Raise CodecError unless a frame may have ``total`` bytes, ``headers`` of them in its header block."""
    if not MIN_FRAME_BYTES <= total <= MAX_FRAME_BYTES:
        raise CodecError(f"the frame's length is {total}, frames have {MIN_FRAME_BYTES} to {MAX_FRAME_BYTES} bytes")
    if headers > MAX_HEADERS_BYTES:
        raise CodecError(f"the header block has {headers} bytes, at most {MAX_HEADERS_BYTES} are allowed")
    if headers > total - MIN_FRAME_BYTES:
        raise CodecError(f"a header block of {headers} bytes does not fit a frame of {total}")


def _assemble(block: bytes, payload: bytes) -> bytes:
    total = MIN_FRAME_BYTES + len(block) + len(payload)
    check_lengths(total, len(block))
    lengths = _LENGTHS.pack(total, len(block))
    message = b"".join((lengths, _CHECKSUM.pack(crc32(lengths)), block, payload))
    return message + _CHECKSUM.pack(crc32(message))


_EVENT_HEADERS: Final = encode_headers({":content-type": "application/json", ":message-type": "event"})
_EXCEPTION_HEADERS: Final = encode_headers({":content-type": "application/json", ":message-type": "exception"})
