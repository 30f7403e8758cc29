"""The one token estimator: behind ``count_tokens``, ``message_start`` and every answer without exact numbers.

One text weighs what kiro-rs says it weighs (request-conversion §8.3), so numbers stay comparable. What is counted is
more than there: tool calls and results, thinking, images and documents too (response-conversion §10.3, 19).
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, fields
from typing import Final

from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    MessagesRequest,
    OtherBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    json_text,
)
from kiro_rs_py.convert.image_size import image_size

# UTF-8 lead bytes of U+0280 and above. Characters below count 1 unit, these 4, but for the exceptions that follow.
_WIDE_LEADS: Final = bytes(range(0xCA, 0xF5))
_WIDE_BELOW: Final = re.compile("[\u0250-\u027f]+")
_NARROW_ABOVE: Final = re.compile("[\u1e00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff\uab30-\uab6f]+")
# A plain search for how those begin comes first: on a text without any it takes a fifth of the expression's time.
_NARROW_FIRST: Final = (b"\xe1", b"\xe2\xb1", b"\xea")
_NARROW_LEADS: Final = re.compile(rb"\xe1[\xb8-\xbb]|\xe2\xb1|\xea[\x9c-\x9f\xac\xad]")

_PIECES_AT_ONCE: Final = 64

# Anthropic's public rule: pixels / 750, the long edge scaled down to 1568 first; about 1,600 at most.
_PIXELS_PER_TOKEN: Final = 750
_LONGEST_EDGE: Final = 1568
_IMAGE_TOKENS: Final = 1600
# A JPEG's size stands behind its metadata, which may hold a preview of up to 64 KiB.
_IMAGE_HEAD: Final = 96 * 1024
# Anthropic's public figure for a page is 1,500 to 3,000.
_PDF_PAGE_TOKENS: Final = 1500
_PDF_PAGE: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")


def count_units(text: str) -> int:
    """The weight of ``text``: 1 for each Latin character, 4 for each other one."""
    # Nearly all text is ASCII; the rest is counted in bulk over its UTF-8 bytes, twenty times faster than by character
    # (stack §D1).
    if text.isascii():
        return len(text)
    data = text.encode("utf-8", "surrogatepass")
    wide = len(data) - len(data.translate(None, _WIDE_LEADS))
    if b"\xc9" in data:
        wide += sum(map(len, _WIDE_BELOW.findall(text)))
    if any(first in data for first in _NARROW_FIRST) and _NARROW_LEADS.search(data):
        wide -= sum(map(len, _NARROW_ABOVE.findall(text)))
    return len(text) + 3 * wide


class UnitCounter:
    """The weight of a text that comes in pieces, independent of the pieces."""

    __slots__ = ("_pieces", "counted")

    def __init__(self) -> None:
        self.counted = 0
        """Who is in a hurry may add the length of an ASCII text here."""
        # Other pieces are kept until there are enough of them to be counted in one go, which costs a third.
        self._pieces: list[str] = []

    def add(self, text: str) -> None:
        if text.isascii():
            self.counted += len(text)
        else:
            self._pieces.append(text)
            if len(self._pieces) >= _PIECES_AT_ONCE:
                self._count_pieces()

    def units(self) -> int:
        """The weight of everything added, see :func:`count_units`."""
        self._count_pieces()
        return self.counted

    def _count_pieces(self) -> None:
        self.counted += count_units("".join(self._pieces))
        self._pieces.clear()


def tokens_of(units: int) -> int:
    """Tokens of a text that weighs ``units``. Not monotonic at the steps, as in kiro-rs."""
    tokens = units / 4
    if tokens < 100:
        return int(tokens * 1.5)
    if tokens < 200:
        return int(tokens * 1.3)
    if tokens < 300:
        return int(tokens * 1.25)
    if tokens < 800:
        return int(tokens * 1.2)
    return int(tokens)


def count_text(text: str) -> int:
    """Tokens of one text."""
    return tokens_of(count_units(text))


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """Tokens of a request by part; ``text`` is that of the messages."""

    system: int = 0
    text: int = 0
    tool_use: int = 0
    tool_results: int = 0
    thinking: int = 0
    images: int = 0
    documents: int = 0
    tools: int = 0

    @property
    def total(self) -> int:
        """At least 1, as in kiro-rs."""
        parts: list[int] = [getattr(self, part.name) for part in fields(self)]
        return max(1, sum(parts))


def estimate_request(request: MessagesRequest) -> TokenEstimate:
    """Tokens of everything in ``request`` that a model reads. Linear in its size."""
    counts = dict.fromkeys((part.name for part in fields(TokenEstimate)), 0)
    for message in request.messages:
        for block in message.content:
            _count_block(block, counts)
    counts["system"] = sum(map(count_text, request.system))
    if request.output_schema is not None:
        counts["system"] += count_text(json_text(request.output_schema))
    counts["tools"] = sum(
        count_text(tool.name) + count_text(tool.description) + count_text(json_text(tool.input_schema))
        for tool in request.tools
    )
    return TokenEstimate(**counts)


def _count_block(block: ContentBlock, counts: dict[str, int], text_part: str = "text") -> None:
    """Add ``block`` to its part; texts go to ``text_part``, since a tool result holds blocks too."""
    match block:
        case TextBlock(text) | OtherBlock(text=text):
            counts[text_part] += count_text(text)
        case ToolReferenceBlock(name):
            counts[text_part] += count_text(name)
        case ToolUseBlock(name=name, input=arguments):
            counts["tool_use"] += count_text(name) + count_text(json_text(arguments))
        case ToolResultBlock(content=content):
            for inner in content:
                _count_block(inner, counts, "tool_results")
        case ThinkingBlock(thinking):
            counts["thinking"] += count_text(thinking)
        case RedactedThinkingBlock(data):
            counts["thinking"] += count_text(data)
        case ImageBlock():
            counts["images"] += _image_tokens(block)
        case _:
            counts["documents"] += _document_tokens(block)


def _image_tokens(image: ImageBlock) -> int:
    """By its pixels where the file tells them, else the most an image can cost."""
    head = _decode(image.data, _IMAGE_HEAD) if image.data else None
    size = image_size(head) if head else None
    if size is None:
        return _IMAGE_TOKENS
    scale = min(1.0, _LONGEST_EDGE / max(size))
    return max(1, min(_IMAGE_TOKENS, round(size[0] * scale * size[1] * scale / _PIXELS_PER_TOKEN)))


def _document_tokens(document: DocumentBlock) -> int:
    tokens = count_text(document.title or "") + count_text(document.context or "")
    if document.data is None:
        return tokens
    if document.source == "text":
        return tokens + count_text(document.data)
    content = _decode(document.data) or b""
    if (document.media_type or "").startswith("text/"):
        return tokens + count_text(content.decode("utf-8", "replace"))
    # Pages inside compressed object streams are not found; one page is the least there can be.
    return tokens + _PDF_PAGE_TOKENS * max(1, len(_PDF_PAGE.findall(content)))


def _decode(data: str, limit: int | None = None) -> bytes | None:
    """The bytes of base64 ``data``, with or without a ``data:`` prefix; only about ``limit`` of them if given."""
    start = data.find(",") + 1 if data.startswith("data:") else 0
    end = None if limit is None else start + limit // 3 * 4
    try:
        return binascii.a2b_base64(data[start:end])
    except ValueError:
        return None
