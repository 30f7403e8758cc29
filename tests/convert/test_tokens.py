from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    Message,
    MessagesRequest,
    OtherBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    Tool,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from kiro_rs_py.convert.tokens import TokenEstimate, UnitCounter, count_text, count_units, estimate_request, tokens_of


# request-conversion §8.3 and response-conversion §5.1
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 0),
        ("ab", 0),
        ("é", 0),
        ("abc", 1),
        ("abcd", 1),
        ("Hello", 1),
        ("Hello world", 4),
        ("You are X.", 3),
        ("Get weather", 4),
        ('{"type":"object","properties":{"city":{"type":"string"}}}', 21),
        ("你好", 3),
        ("…", 1),
        ("’", 1),
        ("é" * 10, 3),
        ("a" * 396, 148),
        ("a" * 399, 149),
        ("a" * 400, 130),
        ("a" * 799, 259),
        ("a" * 800, 250),
        ("a" * 1199, 374),
        ("a" * 1200, 360),
        ("a" * 3199, 959),
        ("a" * 3200, 800),
    ],
)
def test_reference_table(text: str, tokens: int) -> None:
    assert count_text(text) == tokens


LATIN = [(0, 0x24F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF), (0xAB30, 0xAB6F)]


def weight(character: str) -> int:
    return 1 if any(first <= ord(character) <= last for first, last in LATIN) else 4


@pytest.mark.parametrize(
    "code_point",
    [
        *(bound + step for first, last in LATIN for bound in (first, last) for step in (-1, 0, 1) if bound + step >= 0),
        0x7F,
        0x80,
        0x240,
        0x27F,
        0x280,
        0x7FF,
        0x800,
        0xD800,
        0xFFFF,
        0x10000,
        0x10FFFF,
    ],
)
def test_the_bounds_of_the_latin_ranges(code_point: int) -> None:
    character = chr(code_point)
    assert count_units(character) == weight(character)
    assert count_units(f"a{character}é") == weight(character) + 2


@given(st.text() | st.text("aɏɐʀẀỿ‐ⱠⱿ₠꜠ꟿꬰ꭯ꝏ가你é😀"))
def test_units_are_the_sum_of_the_characters(text: str) -> None:
    assert count_units(text) == sum(map(weight, text))


@given(st.lists(st.text("a你é"), max_size=200))
def test_pieces_weigh_what_the_whole_weighs(pieces: list[str]) -> None:
    counter = UnitCounter()
    for piece in pieces:
        counter.add(piece)
    assert counter.units() == count_units("".join(pieces))


def test_many_pieces() -> None:
    counter = UnitCounter()
    for _ in range(1000):
        counter.add("é")
    assert counter.units() == 1000
    assert tokens_of(counter.units()) == count_text("é" * 1000)


def request(*blocks: ContentBlock, system: tuple[str, ...] = (), tools: tuple[Tool, ...] = ()) -> MessagesRequest:
    return MessagesRequest("claude-sonnet-4-5", (Message("user", blocks),), system=system, tools=tools)


def test_reference_example() -> None:
    """request-conversion §8.3, and the tool result that kiro-rs leaves out."""
    schema = Tool("get_weather", "Get weather", {"type": "object", "properties": {"city": {"type": "string"}}})
    estimate = estimate_request(
        request(
            TextBlock("Hello world"),
            ToolResultBlock("t", (TextBlock("8 chars."),)),
            system=("You are X.",),
            tools=(schema,),
        )
    )
    assert estimate == TokenEstimate(system=3, text=4, tool_results=3, tools=4 + 4 + 21)
    assert estimate.total == 36 + 3


def test_nothing_counts_one() -> None:
    assert estimate_request(request()) == TokenEstimate()
    assert estimate_request(request()).total == 1


PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 300, 250)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("block", "estimate"),
    [
        (TextBlock("Hello world"), TokenEstimate(text=4)),
        (OtherBlock("search_result", "Hello world"), TokenEstimate(text=4)),
        (OtherBlock("unknown"), TokenEstimate()),
        (ToolReferenceBlock("Hello world"), TokenEstimate(text=4)),
        (ToolUseBlock("t", "Hello world", {"a": "Hello"}), TokenEstimate(tool_use=4 + 4)),
        (ToolUseBlock("t", "x", {"a": "你"}), TokenEstimate(tool_use=4)),
        (ThinkingBlock("Hello world", "sig"), TokenEstimate(thinking=4)),
        (RedactedThinkingBlock("Hello world"), TokenEstimate(thinking=4)),
        (ToolResultBlock("t", ()), TokenEstimate()),
        (
            ToolResultBlock(
                "t", (TextBlock("Hello world"), ToolReferenceBlock("Hello"), ImageBlock("image/png", None))
            ),
            TokenEstimate(tool_results=4 + 1, images=1600),
        ),
        (ImageBlock("image/png", encoded(PNG)), TokenEstimate(images=100)),
        (ImageBlock("image/png", "data:image/png;base64," + encoded(PNG)), TokenEstimate(images=100)),
        (ImageBlock("image/png", encoded(PNG) + "A" * 1_000_000), TokenEstimate(images=100)),
        (ImageBlock("image/png", encoded(b"no image")), TokenEstimate(images=1600)),
        (ImageBlock("image/png", "A"), TokenEstimate(images=1600)),
        (ImageBlock("image/png", ""), TokenEstimate(images=1600)),
        (ImageBlock(None, None, "url"), TokenEstimate(images=1600)),
        (DocumentBlock("text/plain", "Hello world", "text", "Hello", "Hello"), TokenEstimate(documents=4 + 1 + 1)),
        (DocumentBlock("text/markdown", encoded(b"Hello world"), "base64"), TokenEstimate(documents=4)),
        (DocumentBlock("text/markdown", "A", "base64"), TokenEstimate()),
        (DocumentBlock(None, None, "url"), TokenEstimate()),
        (
            DocumentBlock("application/pdf", encoded(b"/Type /Pages /Type /Page /Type/Page>>"), "base64"),
            TokenEstimate(documents=3000),
        ),
        (DocumentBlock("application/pdf", encoded(b"compressed"), "base64"), TokenEstimate(documents=1500)),
        (DocumentBlock(None, encoded(b"what is it"), "base64"), TokenEstimate(documents=1500)),
    ],
)
def test_blocks(block: ContentBlock, estimate: TokenEstimate) -> None:
    assert estimate_request(request(block)) == estimate


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [(1, 1, 1), (200, 200, 53), (1000, 1000, 1333), (1092, 1092, 1590), (4000, 4000, 1600), (15680, 750, 157)],
)
def test_images_by_their_pixels(width: int, height: int, tokens: int) -> None:
    data = b"GIF89a" + struct.pack("<HH", width, height)
    assert estimate_request(request(ImageBlock("image/gif", encoded(data)))).images == tokens


def test_an_output_schema_is_part_of_the_prompt() -> None:
    asked = MessagesRequest("m", (), output_schema={"type": "object"})
    assert estimate_request(asked) == TokenEstimate(system=count_text('{"type":"object"}'))
