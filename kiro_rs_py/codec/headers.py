"""The header block of an event-stream frame, both ways (upstream-protocol §2.2).

A block is a run of ``u8 name length | name | u8 type | value``. Each of the ten types has one Python type, so that
what was parsed is encoded to the same bytes again:

====  ==========  ==========================    ====  ==========  =======================
type  on the wire Python                        type  on the wire Python
====  ==========  ==========================    ====  ==========  =======================
0, 1  boolean     ``True``, ``False``           6     byte array  ``bytes``
2     int8        :class:`Byte`                 7     string      ``str``
3     int16       :class:`Short`                8     timestamp   :class:`Timestamp`
4     int32       :class:`Int`                  9     UUID        :class:`Uuid`
5     int64       :class:`Long`
====  ==========  ==========================    ====  ==========  =======================

The integers are wrapped because Python's ``int`` has no width: ``Byte(1) != Short(1)``. A timestamp keeps its
milliseconds since most of its 64 bits fit no ``datetime``; a UUID keeps its bytes since each start would pay for
importing ``uuid``, and no known frame of Kiro's has one.

Names and strings must be UTF-8. The frame's checksum has passed by then, so other bytes are the sender's own mistake,
and a text patched up with replacement characters would pass for one that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Final, TypeAlias

from kiro_rs_py.errors import CodecError

# botocore refuses longer blocks; Kiro's have about 100 bytes.
MAX_HEADERS_BYTES: Final = 128 * 1024
# Both are what the length fields can say: u8 and u16.
MAX_NAME_BYTES: Final = 0xFF
MAX_VALUE_BYTES: Final = 0xFFFF

_TRUE: Final = 0
_FALSE: Final = 1
_BYTES: Final = 6
_STRING: Final = 7
_UUID: Final = 9
_LENGTH: Final = Struct(">H")


@dataclass(frozen=True, slots=True)
class _Integer:
    """A signed number of a fixed width; :class:`CodecError` if ``value`` does not fit."""

    value: int
    code: ClassVar[int]
    layout: ClassVar[Struct]

    def __post_init__(self) -> None:
        bits = 8 * self.layout.size
        if not -(1 << bits - 1) <= self.value < 1 << bits - 1:
            raise CodecError(f"{self.value} does not fit the {bits} bits of a {type(self).__name__} header")


class Byte(_Integer):
    """int8."""

    __slots__ = ()
    code = 2
    layout = Struct(">b")


class Short(_Integer):
    """int16."""

    __slots__ = ()
    code = 3
    layout = Struct(">h")


class Int(_Integer):
    """int32."""

    __slots__ = ()
    code = 4
    layout = Struct(">i")


class Long(_Integer):
    """int64."""

    __slots__ = ()
    code = 5
    layout = Struct(">q")


class Timestamp(_Integer):
    """int64: milliseconds since 1970-01-01 UTC."""

    __slots__ = ()
    code = 8
    layout = Struct(">q")


@dataclass(frozen=True, slots=True)
class Uuid:
    """The 16 bytes of a UUID, as ``uuid.UUID.bytes`` has them."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != 16:
            raise CodecError(f"a UUID header has 16 bytes, not {len(self.value)}")


HeaderValue: TypeAlias = bool | str | bytes | Byte | Short | Int | Long | Timestamp | Uuid

_INTEGERS: Final[Mapping[int, type[Byte | Short | Int | Long | Timestamp]]] = {
    integer.code: integer for integer in (Byte, Short, Int, Long, Timestamp)
}


def encode_headers(headers: Mapping[str, HeaderValue]) -> bytes:
    """Headers → header block, in the mapping's order.

    Raises CodecError for a name of 0 or more than 255 bytes, a value of more than 65,535 bytes, text that is not
    Unicode (lone surrogates), or a block of more than 128 KiB.
    """
    block = b"".join([_encode_name(name) + _encode_value(value) for name, value in headers.items()])
    if len(block) > MAX_HEADERS_BYTES:
        raise CodecError(f"the header block would have {len(block)} bytes, at most {MAX_HEADERS_BYTES} are allowed")
    return block


def parse_headers(block: bytes) -> dict[str, HeaderValue]:
    """Header block → headers, in the order they came in; of two with the same name the last one counts.

    The length of the whole block is not checked here: the frame's prelude says it, and is checked first.
    Raises CodecError for an empty name, an unknown type, a name or value that runs past the block, bytes that are not
    UTF-8.
    """
    headers: dict[str, HeaderValue] = {}
    position = 0
    while position < len(block):
        name_start = position + 1
        type_start = name_start + block[position]
        if type_start == name_start:
            raise CodecError(f"the header at byte {position} has an empty name")
        name = _decode_text(_take(block, name_start, block[position]), name_start)
        headers[name], position = _parse_value(block, type_start)
    return headers


def _encode_name(name: str) -> bytes:
    encoded = _encode_text(name)
    if not 1 <= len(encoded) <= MAX_NAME_BYTES:
        raise CodecError(f"a header name has 1 to {MAX_NAME_BYTES} bytes, not {len(encoded)}")
    return bytes((len(encoded),)) + encoded


def _encode_value(value: HeaderValue) -> bytes:
    if isinstance(value, str):
        return _encode_sized(_STRING, _encode_text(value))
    if isinstance(value, bool):
        return bytes((_TRUE if value else _FALSE,))
    if isinstance(value, bytes):
        return _encode_sized(_BYTES, value)
    if isinstance(value, Uuid):
        return bytes((_UUID,)) + value.value
    return bytes((value.code,)) + value.layout.pack(value.value)


def _encode_sized(code: int, value: bytes) -> bytes:
    if len(value) > MAX_VALUE_BYTES:
        raise CodecError(f"a header value has at most {MAX_VALUE_BYTES} bytes, not {len(value)}")
    return bytes((code,)) + _LENGTH.pack(len(value)) + value


def _encode_text(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise CodecError(f"character {exc.start} of a header's text is a lone surrogate") from exc


def _parse_value(block: bytes, type_start: int) -> tuple[HeaderValue, int]:
    """The value whose type byte is at ``type_start``, and where the next header starts."""
    code = _take(block, type_start, 1)[0]
    start = type_start + 1
    if code in (_BYTES, _STRING):
        (size,) = _LENGTH.unpack(_take(block, start, 2))
        start += 2
        value = _take(block, start, size)
        return value if code == _BYTES else _decode_text(value, start), start + size
    if code in (_TRUE, _FALSE):
        return code == _TRUE, start
    if code == _UUID:
        return Uuid(_take(block, start, 16)), start + 16
    integer = _INTEGERS.get(code)
    if integer is None:
        raise CodecError(f"byte {type_start} of the header block names type {code}, types are 0 to 9")
    size = integer.layout.size
    return integer(*integer.layout.unpack(_take(block, start, size))), start + size


def _take(block: bytes, start: int, size: int) -> bytes:
    """``size`` bytes from ``start``, where a plain slice would quietly give fewer."""
    if start + size > len(block):
        raise CodecError(f"the header block of {len(block)} bytes ends within a header: {size} wanted at byte {start}")
    return block[start : start + size]


def _decode_text(encoded: bytes, start: int) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError as exc:
        raise CodecError(f"byte {start + exc.start} of the header block is not UTF-8") from exc
