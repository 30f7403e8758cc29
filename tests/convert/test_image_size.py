from __future__ import annotations

import struct

import pytest

from kiro_rs_py.convert.image_size import image_size

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 640, 480)
WEBP = b"RIFF\x00\x00\x00\x00WEBP"
VP8 = WEBP + b"VP8 " + bytes(4) + b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 640 | 1 << 14, 480)
VP8L = WEBP + b"VP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 639 | 479 << 14 | 1 << 28)
VP8X = WEBP + b"VP8X" + bytes(4) + bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")
FRAME = b"\x00\x11\x08" + struct.pack(">HH", 480, 640)
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc4\x00\x02\xff\xff\xff\xd0\xff\xc0" + FRAME
PROGRESSIVE = b"\xff\xd8\xff\xc2" + FRAME


@pytest.mark.parametrize("data", [PNG, GIF, VP8, VP8L, VP8X, JPEG, PROGRESSIVE])
def test_every_format(data: bytes) -> None:
    assert image_size(data + b"and more") == (640, 480)


@pytest.mark.parametrize("data", [PNG, GIF, VP8, VP8L, VP8X, JPEG, PROGRESSIVE])
def test_cut_anywhere(data: bytes) -> None:
    assert all(image_size(data[:length]) is None for length in range(len(data)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"BM" + bytes(30),
        b"\x89PNG\r\n\x1a\n" + bytes(20),
        b"\xff\xd8" + bytes(20),
        b"\xff\xd8\xff\xd9" + bytes(2),
    ],
)
def test_no_size(data: bytes) -> None:
    assert image_size(data) is None
