from __future__ import annotations

import base64
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.image_rules import MAX_BYTES, MAX_IMAGES, check_images, sniff
from tests.simulator.talk import PNG, image, verdict

IMPROPER = "Improperly formed request."
GIF = b"GIF89a" + (100).to_bytes(2, "little") + (50).to_bytes(2, "little")
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


def images_verdict(*images: Any) -> str | None:
    return verdict(lambda: check_images(list[Json](images)))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "format_, data", [("png", base64.b64decode(PNG)), ("gif", GIF), ("webp", WEBP), ("jpeg", JPEG)]
)
def test_the_four_formats(format_: str, data: bytes) -> None:
    assert sniff(data) == format_
    assert images_verdict(image(format_, encoded(data))) is None
    other = "gif" if format_ == "png" else "png"
    assert images_verdict(image(other, encoded(data))) == "IMAGE_MIME_MISMATCH"


def test_how_many() -> None:
    assert images_verdict(*[image()] * MAX_IMAGES) is None
    assert images_verdict(*[image()] * (MAX_IMAGES + 1)) == "IMAGE_COUNT_EXCEEDED"


@pytest.mark.parametrize("format_", ["jpg", "bmp", ""])
def test_other_formats(format_: str) -> None:
    assert images_verdict(image(format_)) == "IMAGE_FORMAT_UNSUPPORTED"


def test_too_large() -> None:
    start = base64.b64decode(PNG)[:33]
    assert images_verdict(image("png", encoded(start.ljust(MAX_BYTES, b"\0")))) is None
    assert images_verdict(image("png", encoded(start.ljust(MAX_BYTES + 1, b"\0")))) == "IMAGE_SIZE_EXCEEDED"


@pytest.mark.parametrize("width, expected", [(8000, None), (8001, "IMAGE_DIMENSION_EXCEEDED")])
def test_too_wide(width: int, expected: str | None) -> None:
    data = base64.b64decode(PNG)
    assert images_verdict(image("png", encoded(data[:16] + width.to_bytes(4, "big") + data[20:]))) == expected
    gif = b"GIF87a" + width.to_bytes(2, "little") + (1).to_bytes(2, "little")
    assert images_verdict(image("gif", encoded(gif))) == expected


@pytest.mark.parametrize(
    "entry",
    ["png", {"format": "png"}, {"format": "png", "source": {}}, image("png", f"data:image/png;base64,{PNG}")],
)
def test_shapes_of_an_image(entry: Json) -> None:
    assert images_verdict(entry) == IMPROPER
    assert verdict(lambda: check_images({})) == IMPROPER
