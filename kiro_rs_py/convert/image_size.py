"""Width and height of an image, from the first bytes of the file."""

from __future__ import annotations

from typing import Final, Literal

# SOF0 … SOF15 without DHT, JPG and DAC, which share the range.
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length behind them: TEM, RST0 … RST7, SOI.
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})


def image_size(data: bytes) -> tuple[int, int] | None:
    """Pixels (width, height) of a PNG, JPEG, GIF or WebP; None for other formats or if ``data`` ends too early."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        size = _pair(data, 16, 4, "big")
    elif data.startswith((b"GIF87a", b"GIF89a")):
        size = _pair(data, 6, 2, "little")
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        size = _webp_size(data)
    elif data.startswith(b"\xff\xd8"):
        size = _jpeg_size(data)
    else:
        return None
    return size if size and all(size) else None


def _pair(data: bytes, start: int, width: int, order: Literal["big", "little"]) -> tuple[int, int] | None:
    """Two unsigned numbers of ``width`` bytes each; None if they are not all there."""
    middle, end = start + width, start + 2 * width
    if len(data) < end:
        return None
    return int.from_bytes(data[start:middle], order), int.from_bytes(data[middle:end], order)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    match data[12:16]:
        case b"VP8X":
            less_one = _pair(data, 24, 3, "little")
            return (less_one[0] + 1, less_one[1] + 1) if less_one else None
        case b"VP8L":
            bits = _pair(data, 21, 2, "little")
            if not bits:
                return None
            both = bits[0] | bits[1] << 16
            return (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1
        case _:
            scaled = _pair(data, 26, 2, "little")
            return (scaled[0] & 0x3FFF, scaled[1] & 0x3FFF) if scaled else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the segments up to the frame header."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            size = _pair(data, at + 5, 2, "big")
            return (size[1], size[0]) if size else None
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
