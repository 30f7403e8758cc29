"""The reference's vectors (response-conversion §9), with its defects put right. The ids B… and P… are those of §10."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kiro_rs_py.convert.anthropic import PLACEHOLDER_SIGNATURE, JsonObject
from tests.convert.answers import OFF, ON, Thinking

Wire = list[tuple[str, JsonObject]]
Blocks = list[JsonObject]


@dataclass(frozen=True, slots=True)
class Vector:
    """``usage`` is (input, output)."""

    name: str
    estimate: int
    upstream: Wire
    content: Blocks
    stop_reason: str
    usage: tuple[int, int]
    thinking: Thinking = OFF


def said(content: str) -> tuple[str, JsonObject]:
    return ("assistantResponseEvent", {"content": content})


def called(**payload: Any) -> tuple[str, JsonObject]:
    return ("toolUseEvent", payload)


def text_block(content: str) -> JsonObject:
    return {"type": "text", "text": content}


def thinking_block(content: str) -> JsonObject:
    return {"type": "thinking", "thinking": content, "signature": PLACEHOLDER_SIGNATURE}


def tool_block(tool_use_id: str, name: str, arguments: JsonObject) -> JsonObject:
    return {"type": "tool_use", "id": tool_use_id, "name": name, "input": arguments}


VECTORS = [
    # P2: the percentage covers the output too, so 24690 - 4.
    Vector(
        "V1",
        42,
        [
            said("Hello"),
            said(" world"),
            ("meteringEvent", {"unit": "credit", "unitPlural": "credits", "usage": 0.0897}),
            ("contextUsageEvent", {"contextUsagePercentage": 12.345}),
        ],
        [text_block("Hello world")],
        "end_turn",
        (24690 - 4, 4),
    ),
    Vector(
        "V2",
        310,
        [
            said("Let me check."),
            called(name="get_weather", toolUseId="tooluse_A"),
            called(name="get_weather", toolUseId="tooluse_A", input='{"city": "Pa'),
            called(name="get_weather", toolUseId="tooluse_A", input='ris"}'),
            called(name="get_weather", toolUseId="tooluse_A", stop=True),
            called(name="get_time", toolUseId="tooluse_B", input="{}"),
            called(name="get_time", toolUseId="tooluse_B", stop=True),
            ("contextUsageEvent", {"contextUsagePercentage": 1.5}),
        ],
        [
            text_block("Let me check."),
            tool_block("tooluse_A", "get_weather", {"city": "Paris"}),
            tool_block("tooluse_B", "get_time", {}),
        ],
        "tool_use",
        (3000 - 12, 12),
    ),
    # B12: the plain answer has no tags. B16: one estimate, the same in both modes, without the tags.
    Vector(
        "V3",
        100,
        [
            *(said("\n\n"), said("<thin"), said("king>\nLet me think about it"), said(" now.\n</thinking>")),
            *(said("\n\nThe answer"), said(" is 42.")),
            ("contextUsageEvent", {"contextUsagePercentage": 2.25}),
        ],
        [thinking_block("Let me think about it now."), text_block("The answer is 42.")],
        "end_turn",
        (4500 - 16, 16),
        ON,
    ),
    # B13: text after a tool stays behind it.
    Vector(
        "V4",
        100,
        [
            said("<thinking>\nNeed a file</thinking>"),
            called(name="Read", toolUseId="tooluse_R", input='{"file_path":"/a"}', stop=True),
            said("Done reading"),
        ],
        [
            thinking_block("Need a file"),
            tool_block("tooluse_R", "Read", {"file_path": "/a"}),
            text_block("Done reading"),
        ],
        "tool_use",
        (100, 15),
        ON,
    ),
    Vector(
        "V6b",
        7,
        [said("par"), ("exception:ContentLengthExceededException", {"message": "too big"})],
        [text_block("par")],
        "max_tokens",
        (7, 1),
    ),
    # B10: a cut call is left out and not reported as tool_use.
    Vector(
        "V7",
        7,
        [
            said("Writing."),
            called(name="Write", toolUseId="tooluse_W", input='{"file_path": "/a", "content": "abc'),
        ],
        [text_block("Writing.")],
        "max_tokens",
        (7, 16),
    ),
    # B6: no empty text block before the tool. B14: the call is reported although the window is full.
    Vector(
        "V8",
        7,
        [
            called(name="Bash", toolUseId="tooluse_S", input='{"command":"ls"}', stop=True),
            ("contextUsageEvent", {"contextUsagePercentage": 100.25}),
        ],
        [tool_block("tooluse_S", "Bash", {"command": "ls"})],
        "tool_use",
        (200500 - 6, 6),
    ),
    Vector(
        "V9",
        7,
        [said("<thinking>\nabc</thinking>")],
        [thinking_block("abc"), text_block(" ")],
        "max_tokens",
        (7, 1),
        ON,
    ),
    # B1: a closing tag behind a full stop.
    Vector(
        "V10",
        7,
        [said("<thinking>\nAll good.</thinking>\n\nHello")],
        [thinking_block("All good."), text_block("Hello")],
        "end_turn",
        (7, 5),
        ON,
    ),
    # B3: a tag behind visible text is text, and blocks do not overlap.
    Vector(
        "V11",
        7,
        [said("Intro text here. "), said("\n<thinking>\nhmm\n</thinking>\n\nMore text")],
        [text_block("Intro text here. \n<thinking>\nhmm\n</thinking>\n\nMore text")],
        "end_turn",
        (7, 20),
        ON,
    ),
    # B5: thinking is closed before the tool.
    Vector(
        "V12",
        7,
        [said("<thinking>\nabc"), called(name="Read", toolUseId="tooluse_R", input="{}", stop=True)],
        [thinking_block("abc"), tool_block("tooluse_R", "Read", {})],
        "tool_use",
        (7, 1),
        ON,
    ),
    # B11: object input, and continuations without a name.
    Vector(
        "object input",
        7,
        [
            called(name="Read", toolUseId="a", input={}),
            called(toolUseId="a", input={"file_path": "/a"}, stop=True),
        ],
        [tool_block("a", "Read", {"file_path": "/a"})],
        "tool_use",
        (7, 6),
    ),
    # B15: no percentage is no measurement. B17: a repeated stop adds nothing.
    Vector(
        "repeated stop",
        7,
        [
            called(name="Read", toolUseId="a", input="{}", stop=True),
            called(name="Read", toolUseId="a", stop=True),
            ("contextUsageEvent", {}),
        ],
        [tool_block("a", "Read", {})],
        "tool_use",
        (7, 1),
    ),
]
