"""PDFs: their text, page by page, and their place in a request (PRODUCT §3.1).

Kiro takes no documents, so their text is all that can be sent (field-notes §1 row 25). Reading them can take long and
a hostile one can take for ever, while this room knows no clock: a caller that cannot wait finds them with
:func:`pdfs_in`, reads them elsewhere, within limits of its own, and puts their text in with :func:`with_pdf_texts`.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    DocumentBlock,
    Message,
    MessagesRequest,
    ToolResultBlock,
    every_block,
)
from kiro_rs_py.convert.surrogates import well_formed

MAX_PDF_BYTES = 10_000_000
MAX_PDF_PAGES = 200
MAX_PDF_CHARS = 200_000

# "%PDF-" in base64, whatever follows.
_MAGIC = "JVBERi0"
_MARKS = (b"JVBERi0", b"application/pdf")
_DATA_URL = re.compile(r"data:([^;,]*)[^,]{0,100},")


def may_hold_pdf(body: bytes) -> bool:
    """Whether it is worth looking for PDFs in a request's body."""
    return any(mark in body for mark in _MARKS)


def is_pdf(document: DocumentBlock) -> bool:
    """By its bytes, else by its label."""
    if document.source != "base64" or document.data is None:
        return False
    media_type, data = without_data_url(document.media_type, document.data)
    return media_type == "application/pdf" or data.lstrip().startswith(_MAGIC)


def pdfs_in(messages: Iterable[Message]) -> tuple[str, ...]:
    """The data of all PDFs, each once, as the client sent it (base64, maybe behind a ``data:`` prefix)."""
    pdfs = (block for block in every_block(messages) if isinstance(block, DocumentBlock) and is_pdf(block))
    return tuple(dict.fromkeys(pdf.data or "" for pdf in pdfs))


def with_pdf_texts(request: MessagesRequest, extracted: Mapping[str, str]) -> MessagesRequest:
    """``request`` with the text of its PDFs, by their data."""
    if not extracted:
        return request
    messages = tuple(replace(message, content=_with_texts(message.content, extracted)) for message in request.messages)
    return replace(request, messages=messages)


def _with_texts(content: tuple[ContentBlock, ...], extracted: Mapping[str, str]) -> tuple[ContentBlock, ...]:
    return tuple(_with_text(block, extracted) for block in content)


def _with_text(block: ContentBlock, extracted: Mapping[str, str]) -> ContentBlock:
    match block:
        case DocumentBlock() if is_pdf(block):
            return replace(block, extracted=extracted.get(block.data or ""))
        case ToolResultBlock():
            return replace(block, content=_with_texts(block.content, extracted))
        case _:
            return block


def without_data_url(media_type: str | None, data: str) -> tuple[str, str]:
    """Media type in lower case and without parameters, data without a ``data:`` prefix (R7)."""
    if data.startswith("data:") and (match := _DATA_URL.match(data)):
        media_type, data = match[1] or media_type, data[match.end() :]
    return (media_type or "").partition(";")[0].strip().lower(), data


def decoded(data: str) -> bytes:
    """The bytes of base64 text, which may be broken into lines. Raises ValueError."""
    return base64.b64decode("".join(data.split()), validate=True)


def pdf_pages(raw: bytes) -> Iterator[str]:
    """The text of page after page, up to :data:`MAX_PDF_PAGES`; empty for scans, nothing for what is no PDF. Never
    raises: behind what could be read stands a sentence."""
    # Its import costs more than everything else here and few requests hold a PDF.
    from pypdf import PdfReader

    count = 0
    try:
        for page in PdfReader(io.BytesIO(raw)).pages[:MAX_PDF_PAGES]:
            # Character maps of PDFs name halves of characters, too.
            yield well_formed(page.extract_text())
            count += 1
    except Exception:  # a damaged file can lead pypdf into any error, and what was read before is still worth having
        if count:
            yield texts.PDF_REST_UNREADABLE


def joined(pages: Iterable[str]) -> str:
    """Pages as one text; those behind :data:`MAX_PDF_CHARS` characters are not asked for."""
    read: list[str] = []
    length = 0
    for page in pages:
        read.append(page)
        length += len(page)
        if length > MAX_PDF_CHARS:
            break
    return "\n\n".join(read)
