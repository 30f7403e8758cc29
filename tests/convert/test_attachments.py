"""Images and documents: what is sent, and the sentence left where something cannot be sent."""

from __future__ import annotations

import base64

import pytest

from kiro_rs_py.convert.anthropic import DocumentBlock, ImageBlock
from kiro_rs_py.convert.attachments import (
    MAX_DOCUMENT_CHARS,
    MAX_IMAGE_BYTES,
    convert_image,
    document_text,
)
from kiro_rs_py.convert.kiro import Image
from kiro_rs_py.convert.pdf import MAX_PDF_BYTES

PNG, JPEG, GIF, WEBP = (
    base64.b64encode(head + b"\0" * 12).decode()
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x12\x34\x56\x78WEBPVP8 ")
)


def encoded(data: bytes | str) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


@pytest.mark.parametrize(
    ("media_type", "data", "image_format"),
    [
        ("image/png", PNG, "png"),
        ("image/jpeg", JPEG, "jpeg"),
        ("image/gif", GIF, "gif"),
        ("image/webp", WEBP, "webp"),
        # The bytes know better than the label.
        ("image/jpeg", PNG, "png"),
        ("image/png", JPEG, "jpeg"),
        ("application/octet-stream", WEBP, "webp"),
        (None, GIF, "gif"),
        # Where they say nothing, the label decides.
        ("image/png", "AAAA", "png"),
        ("image/jpg", "AAAA", "jpeg"),
        ("IMAGE/WebP; q=1", "AAAA", "webp"),
        ("image/gif", "UklGRAAAAAAAAAAAAAAA", "gif"),
    ],
)
def test_formats(media_type: str | None, data: str, image_format: str) -> None:
    assert convert_image(ImageBlock(media_type, data)) == Image(image_format, data)


def test_data_urls_are_unwrapped() -> None:
    assert convert_image(ImageBlock("image/png", "data:image/jpg;base64,AAAA")) == Image("jpeg", "AAAA")
    assert convert_image(ImageBlock("image/png", "data:;base64,AAAA")) == Image("png", "AAAA")
    assert convert_image(ImageBlock(None, f"data:text/plain;base64,{PNG}")) == Image("png", PNG)


def test_line_breaks_in_base64_are_removed() -> None:
    assert convert_image(ImageBlock("image/png", f"{PNG[:8]}\r\n{PNG[8:]}\n")) == Image("png", PNG)


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (ImageBlock(None, None, "url"), "URLs are not fetched"),
        (ImageBlock(None, None, "file"), "file sources are not supported"),
        (ImageBlock("image/svg+xml", "AAAA"), "image/svg+xml is not supported"),
        (ImageBlock(None, "AAAA"), "its type is not supported"),
        (ImageBlock("image/png", ""), "base64 is damaged"),
        (ImageBlock("image/png", "%%%"), "base64 is damaged"),
        (ImageBlock("image/png", "data:image/png;base64"), "base64 is damaged"),
        (ImageBlock("image/png", "A" * (MAX_IMAGE_BYTES // 3 * 4 + 8)), "bytes are more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_images_that_cannot_be_sent_leave_a_sentence(block: ImageBlock, says: str) -> None:
    sentence = convert_image(block)
    assert isinstance(sentence, str)
    assert sentence.startswith("[image omitted: ")
    assert says in sentence


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (DocumentBlock("text/plain", "Words", "text", "T"), "[document: T, text/plain]\nWords\n[end of document]"),
        (DocumentBlock(None, "Words", "text"), "[document: untitled]\nWords\n[end of document]"),
        (
            DocumentBlock("text/markdown", encoded("# Ü"), "base64", context="From the wiki."),
            "[document: text/markdown]\nFrom the wiki.\n\n# Ü\n[end of document]",
        ),
        (
            DocumentBlock("application/json", encoded("{}"), "base64"),
            "[document: application/json]\n{}\n[end of document]",
        ),
        (
            DocumentBlock("image/svg+xml", encoded("<svg/>"), "base64"),
            "[document: image/svg+xml]\n<svg/>\n[end of document]",
        ),
        (
            DocumentBlock("text/plain", encoded("\ufeffx".encode()), "base64"),
            "[document: text/plain]\nx\n[end of document]",
        ),
        (
            DocumentBlock("text/plain", encoded("x".encode("utf-16")), "base64"),
            "[document: text/plain]\nx\n[end of document]",
        ),
        (
            DocumentBlock("text/plain", encoded(b"a\xffb"), "base64"),
            "[document: text/plain]\na\ufffdb\n[end of document]",
        ),
        (
            DocumentBlock(None, f"data:text/csv;base64,{encoded('a,b')}", "base64"),
            "[document: text/csv]\na,b\n[end of document]",
        ),
    ],
)
def test_documents_become_text(block: DocumentBlock, text: str) -> None:
    assert document_text(block) == text


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (DocumentBlock(None, None, "url", "T"), "T omitted: URLs are not fetched"),
        (DocumentBlock(None, None, "file"), "file sources are not supported"),
        (DocumentBlock("text/plain", "%%%", "base64"), "its base64 is damaged"),
        (DocumentBlock("application/zip", "AAAA", "base64"), "application/zip is not supported"),
        (DocumentBlock(None, "AAAA", "base64"), "its type is not supported"),
        (DocumentBlock("application/pdf", encoded("%PDF-"), "base64"), "no text could be extracted"),
        (DocumentBlock("application/pdf", encoded("no PDF at all"), "base64"), "no text could be extracted"),
        (DocumentBlock("application/pdf", encoded("%PDF-"), "base64", extracted=" "), "no text could be extracted"),
        (DocumentBlock("application/pdf", encoded(b"x" * (MAX_PDF_BYTES + 1)), "base64"), "bytes are more than"),
    ],
)
def test_documents_that_cannot_be_read_leave_a_sentence(block: DocumentBlock, says: str) -> None:
    sentence = document_text(block)
    assert sentence.startswith("[document: ")
    assert says in sentence


def test_a_pdf_that_was_read_elsewhere_is_not_read_again() -> None:
    block = DocumentBlock("application/pdf", encoded("%PDF-"), "base64", "Paper", extracted="Words")
    assert document_text(block) == "[document: Paper, application/pdf]\nWords\n[end of document]"


def test_long_documents_are_cut() -> None:
    text = document_text(DocumentBlock(None, "ü" * (MAX_DOCUMENT_CHARS + 1), "text"))
    assert text.count("ü") == MAX_DOCUMENT_CHARS
    assert f"[cut after {MAX_DOCUMENT_CHARS} characters]" in text
    whole = document_text(DocumentBlock(None, "ü" * MAX_DOCUMENT_CHARS, "text"))
    assert "[cut" not in whole
