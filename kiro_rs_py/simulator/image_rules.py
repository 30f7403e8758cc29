"""What the service refuses in images (upstream-protocol §1.7.4, §1.7.7; reasons ``IMAGE_*`` of §11.2)."""

from __future__ import annotations

import base64
import binascii

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.refusal import improperly_formed, invalid

FORMATS = ("png", "jpeg", "gif", "webp")
MAX_IMAGES = 20
MAX_BYTES = int(3.75 * 2**20)
MAX_SIDE = 8000


def check_images(images: Json) -> None:
    """All images of one message. Raises the service's refusal."""
    if not isinstance(images, list):
        raise improperly_formed()
    if len(images) > MAX_IMAGES:
        raise invalid("IMAGE_COUNT_EXCEEDED", f"A message takes at most {MAX_IMAGES} images.")
    for image in images:
        if not isinstance(image, dict):
            raise improperly_formed()
        if image.get("format") not in FORMATS:
            raise invalid("IMAGE_FORMAT_UNSUPPORTED", "The image format is not supported.")
        source = image.get("source")
        encoded = source.get("bytes") if isinstance(source, dict) else None
        if not isinstance(encoded, str):
            raise improperly_formed()
        try:
            # A data: URL fails here too, at its colon.
            data = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise improperly_formed() from None
        _check_image(str(image["format"]), data)


def sniff(data: bytes) -> str | None:
    """The format by the first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def _check_image(label: str, data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise invalid("IMAGE_SIZE_EXCEEDED", "The image is too large.")
    if sniff(data) != label:
        raise invalid("IMAGE_MIME_MISMATCH", f"The image was declared as {label} but its bytes are something else.")
    if max(_sides(label, data)) > MAX_SIDE:
        raise invalid("IMAGE_DIMENSION_EXCEEDED", f"An image side is longer than {MAX_SIDE} pixels.")


def _sides(label: str, data: bytes) -> tuple[int, int]:
    """Width and height where they stand at a fixed place; (0, 0) otherwise."""
    if label == "png" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if label == "gif" and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return 0, 0
