"""Images and documents of client messages → what Kiro takes: images by format and base64, documents as text.

What cannot be sent leaves a sentence in the text where it stood: the model then knows that something was there, and the
person learns it from the answer (A3, A4). Nothing is ever fetched (PRODUCT §3.1).
"""

from __future__ import annotations

import re
from types import MappingProxyType

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import DocumentBlock, ImageBlock
from kiro_rs_py.convert.kiro import Image
from kiro_rs_py.convert.pdf import MAX_PDF_BYTES, decoded, is_pdf, joined, pdf_pages, without_data_url

MAX_IMAGES = 20
"""In one message (upstream-protocol §1.7.7)."""
MAX_IMAGE_BYTES = 3_750_000
"""Of the decoded image (upstream-protocol §1.7.7: 3.75 MB before base64)."""
MAX_DOCUMENT_CHARS = 200_000

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_FORMATS = MappingProxyType(
    {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
)
_TEXTS = ("json", "xml", "yaml", "x-yaml", "toml", "javascript", "x-javascript", "typescript", "x-sh", "sql")
_TEXT_TYPES = frozenset(f"application/{name}" for name in _TEXTS)


def convert_image(block: ImageBlock) -> Image | str:
    """Kiro's image, or the sentence that stands in for it.

    The bytes decide the format: a PNG labelled as JPEG is refused upstream (field-notes §1 row 24). The label counts
    only where the bytes say nothing.
    """
    if block.data is None:
        return texts.image_omitted(f"{_no_data(block.source)}; send the image itself as base64")
    media_type, data = without_data_url(block.media_type, block.data)
    if "\n" in data or "\r" in data:
        data = "".join(data.split())
    if not _BASE64.fullmatch(data):
        return texts.image_omitted("its base64 is damaged")
    image_format = _sniff(data) or _FORMATS.get(media_type)
    if image_format is None:
        return texts.image_omitted(f"{media_type or 'its type'} is not supported; PNG, JPEG, GIF and WebP are")
    size = len(data) * 3 // 4
    if size > MAX_IMAGE_BYTES:
        return texts.image_omitted(f"{size} bytes are more than the {MAX_IMAGE_BYTES} that can be sent")
    return Image(image_format, data)


def document_text(block: DocumentBlock) -> str:
    """The document as labelled text, at most :data:`MAX_DOCUMENT_CHARS` of it, or the sentence that stands in."""
    media_type, data = without_data_url(block.media_type, block.data or "")
    label = ", ".join(part for part in (block.title, media_type) if part) or "untitled"
    if block.data is None:
        return texts.document_omitted(label, f"{_no_data(block.source)}; send the document itself")
    text = data
    if block.source == "base64":
        try:
            raw = decoded(data)
        except ValueError:
            return texts.document_omitted(label, "its base64 is damaged")
        if is_pdf(block):
            if len(raw) > MAX_PDF_BYTES:
                return texts.document_omitted(
                    label, f"{len(raw)} bytes are more than the {MAX_PDF_BYTES} that are read"
                )
            text = joined(pdf_pages(raw)) if block.extracted is None else block.extracted
            if not text.strip():
                return texts.document_omitted(label, "no text could be extracted from this PDF")
        elif media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith(("+json", "+xml")):
            text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
        else:
            return texts.document_omitted(label, f"{media_type or 'its type'} is not supported; PDF and text are")
    if len(text) > MAX_DOCUMENT_CHARS:
        text = f"{text[:MAX_DOCUMENT_CHARS]}\n[cut after {MAX_DOCUMENT_CHARS} characters]"
    return texts.document(label, f"{block.context}\n\n{text}" if block.context else text)


def _no_data(source: str) -> str:
    return "URLs are not fetched" if source == "url" else f"{source} sources are not supported"


def _sniff(data: str) -> str | None:
    """Format by the first bytes, read in their base64 spelling."""
    if data.startswith("iVBORw0KGgo"):
        return "png"
    if data.startswith("/9j/"):
        return "jpeg"
    if data.startswith("R0lGOD"):
        return "gif"
    # RIFF, four bytes of length, WEBP: of the byte before the last three only the low bits make a letter of their own.
    if data.startswith("UklGR") and data[11:16] == "XRUJQ":
        return "webp"
    return None
