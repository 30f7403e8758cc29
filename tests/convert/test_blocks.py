"""How blocks of each kind begin, end and follow each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kiro_rs_py.convert.blocks import BlockWriter, Open, ThinkingFormat
from kiro_rs_py.convert.message_events import MessageStart, Usage
from kiro_rs_py.convert.tokens import count_units
from tests.convert.answers import transcript

Step = Callable[[BlockWriter], None]


def new_writer(thinking_format: ThinkingFormat = "blocks") -> BlockWriter:
    return BlockWriter(MessageStart("msg_1", "claude-sonnet-4-5", Usage(7, 1)), thinking_format)


def think(writer: BlockWriter) -> None:
    writer.thinking("hm")


def say(writer: BlockWriter) -> None:
    writer.text("Hi")


def call(writer: BlockWriter) -> None:
    writer.tool("t", "Read")


def sign(writer: BlockWriter) -> None:
    writer.signature("sig")


def redact(writer: BlockWriter) -> None:
    writer.redacted("AAAA")


def close(writer: BlockWriter) -> None:
    writer.close()


STORIES: list[tuple[str, ThinkingFormat, list[Step], list[str]]] = [
    ("nothing", "blocks", [close], []),
    ("text", "blocks", [say, say, close], ["0 text", "text 'Hi'", "text 'Hi'", "stop 0"]),
    (
        "thinking, text, tool, text",
        "blocks",
        [think, say, call, say, close],
        [
            *("0 thinking", "thinking 'hm'", "placeholder", "stop 0"),
            *("1 text", "text 'Hi'", "stop 1"),
            *("2 tool_use Read", "stop 2"),
            *("3 text", "text 'Hi'", "stop 3"),
        ],
    ),
    (
        "a signature ends its block",
        "blocks",
        [think, think, sign, think, close],
        [
            *("0 thinking", "thinking 'hm'", "thinking 'hm'", "signature sig", "stop 0"),
            *("1 thinking", "thinking 'hm'", "placeholder", "stop 1"),
        ],
    ),
    ("a signature alone", "blocks", [sign, close], ["0 thinking", "signature sig", "stop 0"]),
    (
        "a signature too late for its block, in pieces",
        "blocks",
        [think, say, sign, sign, think, sign, close],
        [
            *("0 thinking", "thinking 'hm'", "placeholder", "stop 0"),
            *("1 text", "text 'Hi'", "stop 1"),
            *("2 thinking", "thinking 'hm'", "signature sig", "stop 2"),
        ],
    ),
    (
        "a signature in pieces",
        "blocks",
        [think, sign, sign, say, close],
        [
            *("0 thinking", "thinking 'hm'", "signature sigsig", "stop 0"),
            *("1 text", "text 'Hi'", "stop 1"),
        ],
    ),
    (
        "redacted thinking",
        "blocks",
        [think, redact, say, close],
        [
            *("0 thinking", "thinking 'hm'", "placeholder", "stop 0"),
            *("1 redacted_thinking", "stop 1"),
            *("2 text", "text 'Hi'", "stop 2"),
        ],
    ),
    (
        "tags around thinking, in the text",
        "thinking",
        [think, think, say, close],
        ["0 text", "text '<thinking>hm'", "text 'hm'", "text '</thinking>\\n\\nHi'", "stop 0"],
    ),
    (
        "short tags",
        "think",
        [think, call, say, close],
        [
            *("0 text", "text '<think>hm'", "text '</think>'", "stop 0"),
            *("1 tool_use Read", "stop 1"),
            *("2 text", "text 'Hi'", "stop 2"),
        ],
    ),
    (
        "tags behind text",
        "think",
        [say, think, close],
        ["0 text", "text 'Hi'", "text '\\n\\n<think>hm'", "text '</think>'", "stop 0"],
    ),
    ("signatures have no place in a text", "thinking", [sign, redact, say, close], ["0 text", "text 'Hi'", "stop 0"]),
    (
        "reasoning beside the text",
        "reasoning_content",
        [think, think, say, think, close],
        ["0 text", "reasoning 'hm'", "reasoning 'hm'", "text 'Hi'", "reasoning 'hm'", "stop 0"],
    ),
    (
        "a block that carries reasoning alone gets a blank",
        "reasoning_content",
        [think, call, close],
        ["0 text", "reasoning 'hm'", "text ' '", "stop 0", "1 tool_use Read", "stop 1"],
    ),
]


@pytest.mark.parametrize(
    ("thinking_format", "steps", "expected"), [story[1:] for story in STORIES], ids=[story[0] for story in STORIES]
)
def test_stories(thinking_format: ThinkingFormat, steps: list[Step], expected: list[str]) -> None:
    writer = new_writer(thinking_format)
    for step in steps:
        step(writer)
    # message_start and the first ping have their own test.
    assert [line for line in transcript(writer.take()) if line not in ("message_start", "ping")] == expected


def test_the_message_starts_with_the_first_block() -> None:
    writer = new_writer()
    assert not writer.started
    say(writer)
    call(writer)
    assert writer.started
    assert transcript(writer.take()) == [
        *("message_start", "0 text", "ping", "text 'Hi'", "stop 0"),
        "1 tool_use Read",
    ]
    assert writer.take() == []


def test_or_when_it_is_told_to() -> None:
    writer = new_writer()
    writer.start()
    writer.start()
    say(writer)
    assert transcript(writer.take()) == ["message_start", "0 text", "ping", "text 'Hi'"]


def test_a_cut_tool_is_not_closed() -> None:
    writer = new_writer()
    call(writer)
    writer.tool_input('{"a":')
    writer.abandon_tool()
    close(writer)
    assert writer.open is Open.NOTHING
    assert transcript(writer.take())[-1] == 'json {"a":'


def test_only_a_tool_can_be_abandoned() -> None:
    writer = new_writer()
    say(writer)
    writer.abandon_tool()
    assert writer.open is Open.TEXT


def test_what_was_written_is_weighed_without_tags() -> None:
    for thinking_format in ("blocks", "think", "reasoning_content"):
        writer = new_writer(thinking_format)
        writer.thinking("hm")
        writer.text("你")
        writer.tool("t", "Read")
        writer.tool_input("{}")
        assert writer.written.units() == count_units("hm你{}")


def test_thinking_is_no_answer() -> None:
    writer = new_writer()
    think(writer)
    sign(writer)
    redact(writer)
    assert not writer.answered
    say(writer)
    assert writer.answered


def test_a_tool_that_is_run_here() -> None:
    writer = new_writer()
    writer.text("Hi")
    writer.server_tool("srvtoolu_1", "web_search", '{"query":"q"}')
    writer.whole({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []})
    assert transcript(writer.take())[4:] == [
        *("stop 0", "1 server_tool_use web_search", 'json {"query":"q"}', "stop 1"),
        *("2 web_search_tool_result", "stop 2"),
    ]
    assert (writer.open, writer.answered) == (Open.NOTHING, True)
    # What was found is input, not output.
    assert writer.written.units() == count_units('Hi{"query":"q"}')
