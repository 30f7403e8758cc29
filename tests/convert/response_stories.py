"""KiroEvents in, events out: the stories that MessageStream has to tell right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kiro_rs_py.convert.events import ContextUsage, Fault, KiroEvent, Metadata, Metering, Reasoning
from tests.convert.answers import OFF, ON, Thinking, reasoning, signature, text, tool

END = Metadata("END_TURN")


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    gives: list[KiroEvent]
    expects: list[str]
    thinking: Thinking = OFF
    options: dict[str, Any] = field(default_factory=dict)


STORIES = [
    Story(
        "text",
        [text("Hello"), text(" world"), Metering(0.1), ContextUsage(1)],
        ["0 text", "text 'Hello'", "text ' world'", "stop 0", "end_turn"],
    ),
    Story("empty pieces", [text(""), text("a"), text("")], ["0 text", "text 'a'", "stop 0", "end_turn"]),
    Story(
        "text piece by piece, not ASCII",
        [text("é"), text("你")],
        ["0 text", "text 'é'", "text '你'", "stop 0", "end_turn"],
    ),
    Story(
        "thinking, tags split",
        [text("\n<thin"), text("king>\nhm"), text("m\n</thinking>"), text("\n\nHi")],
        [
            *("0 thinking", "thinking 'hm'", "thinking 'm'", "placeholder", "stop 0"),
            *("1 text", "text 'Hi'", "stop 1", "end_turn"),
        ],
        ON,
    ),
    Story(
        "tags are text if thinking was not asked for",
        [text("<thinking>a</thinking>b")],
        ["0 text", "text '<thinking>a</thinking>b'", "stop 0", "end_turn"],
    ),
    Story(
        "native thinking",
        [reasoning("h"), reasoning("m"), signature("sig"), text("Hi"), END],
        [
            *("0 thinking", "thinking 'h'", "thinking 'm'", "signature sig", "stop 0"),
            *("1 text", "text 'Hi'", "stop 1", "end_turn"),
        ],
        ON,
    ),
    Story(
        "text and signature in one event, several segments",
        [Reasoning("a", "sig1"), Reasoning("b", "sig2"), Reasoning(redacted="AAAA"), text("Hi")],
        [
            *("0 thinking", "thinking 'a'", "signature sig1", "stop 0"),
            *("1 thinking", "thinking 'b'", "signature sig2", "stop 1"),
            *("2 redacted_thinking", "stop 2"),
            *("3 text", "text 'Hi'", "stop 3", "end_turn"),
        ],
        ON,
    ),
    Story(
        "native thinking nobody asked for",
        [reasoning("hm"), signature("sig"), text("Hi")],
        ["0 text", "text 'Hi'", "stop 0", "end_turn"],
    ),
    Story(
        "once thinking is native, tags only repeat it",
        [reasoning("hm"), signature("s"), text("<thinking>h"), text("m</thinking>\n\nHi <thinking>")],
        [
            *("0 thinking", "thinking 'hm'", "signature s", "stop 0"),
            *("1 text", "text 'Hi <thinking>'", "stop 1", "end_turn"),
        ],
        ON,
    ),
    Story(
        "thoughts in a row are one block",
        [text("<thinking>a</thinking>\n\n<thin"), text("king>b</thinking>\n\nC")],
        [
            *("0 thinking", "thinking 'a'", "thinking '\\n\\n'", "thinking 'b'", "placeholder", "stop 0"),
            *("1 text", "text 'C'", "stop 1", "end_turn"),
        ],
        ON,
    ),
    Story(
        "a thought behind a tool call",
        [text("<thinking>a</thinking>\n"), tool("t", "Read", "{}", True), text("<thinking>b</thinking>\n\nC")],
        [
            *("0 thinking", "thinking 'a'", "placeholder", "stop 0"),
            *("1 tool_use Read", "json {}", "stop 1"),
            *("2 thinking", "thinking 'b'", "placeholder", "stop 2"),
            *("3 text", "text 'C'", "stop 3", "tool_use"),
        ],
        ON,
    ),
    Story(
        "half a character in the arguments of a call",
        [tool("t", "Read", '{"a":"x\\ud83d'), tool("t", "Read", 'y"'), tool("t", "Read", "}", True)],
        [
            *("0 tool_use Read", """json {"a":"x""", """json \\ufffdy\"""", "json }", "stop 0", "tool_use"),
        ],
    ),
    Story(
        "a stop sequence does not hide a call",
        [tool("t", "Read", "{}", True), text("Now STOP and more")],
        [*("0 tool_use Read", "json {}", "stop 0"), *("1 text", "text 'Now '", "stop 1", "tool_use")],
        OFF,
        {"stop_sequences": ("STOP",)},
    ),
    Story(
        "a tagged block has no part in a native signature",
        [text("<thinking>a</thinking>"), reasoning("b"), signature("s"), text("Hi")],
        [
            *("0 thinking", "thinking 'a'", "placeholder", "stop 0"),
            *("1 thinking", "thinking 'b'", "signature s", "stop 1"),
            *("2 text", "text 'Hi'", "stop 2", "end_turn"),
        ],
        ON,
    ),
    Story(
        "thinking after the tools, as GPT models do",
        [tool("t", "Read", "{}", True), reasoning("hm"), END],
        [
            *("0 tool_use Read", "json {}", "stop 0"),
            *("1 thinking", "thinking 'hm'", "placeholder", "stop 1", "tool_use"),
        ],
        ON,
    ),
    Story(
        "a held tail is text when native thinking begins",
        [text("a EN"), reasoning("hm"), text("D")],
        [
            *("0 text", "text 'a '", "text 'EN'", "stop 0"),
            *("1 thinking", "thinking 'hm'", "placeholder", "stop 1"),
            *("2 text", "text 'D'", "stop 2", "end_turn"),
        ],
        ON,
        {"stop_sequences": ["END"]},
    ),
    Story(
        "a tool alone",
        [tool("t", "Read"), tool("t", "Read", '{"a":'), tool("t", "Read", "1}"), tool("t", "Read", stop=True)],
        ["0 tool_use Read", 'json {"a":', "json 1}", "stop 0", "tool_use"],
    ),
    Story(
        "a tool without arguments",
        [tool("t", "List"), tool("t", "List", stop=True)],
        ["0 tool_use List", "stop 0", "tool_use"],
    ),
    Story(
        "continuations without name and id",
        [tool("t", "Read"), tool("t", "", '{"a":'), tool("", "", "1}"), tool("", stop=True)],
        ["0 tool_use Read", 'json {"a":', "json 1}", "stop 0", "tool_use"],
    ),
    Story(
        "a continuation of nothing",
        [tool("", "", "{}", True), text("Hi")],
        ["0 text", "text 'Hi'", "stop 0", "end_turn"],
    ),
    Story(
        "a name that comes late",
        [text("a"), tool("t", "", '{"a":'), text("b"), tool("t", "Read", "1}", True)],
        [
            *("0 text", "text 'a'", "stop 0"),
            *("1 tool_use Read", 'json {"a":', "json 1}", "stop 1"),
            *("2 text", "text 'b'", "stop 2", "tool_use"),
        ],
    ),
    Story(
        "a repeated id",
        [tool("t", "Read", "{}", True), tool("t", "Read", "{}", True), text("Hi")],
        ["0 tool_use Read", "json {}", "stop 0", "1 text", "text 'Hi'", "stop 1", "tool_use"],
    ),
    Story(
        "an alias",
        [tool("t", "short_1234", "{}", True)],
        ["0 tool_use mcp__the_long_name", "json {}", "stop 0", "tool_use"],
        OFF,
        {"tool_names": {"short_1234": "mcp__the_long_name"}},
    ),
    Story(
        "interleaved tools",
        [
            *(tool("a", "Read", '{"x":'), tool("b", "List", '{"y"'), text("later")),
            *(tool("a", "Read", "1"), tool("b", "List", ":2}"), tool("a", "Read", "}", True), tool("b", stop=True)),
            tool("c", "Last", "{}", True),
        ],
        [
            *("0 tool_use Read", 'json {"x":', "json 1", "json }", "stop 0"),
            *("1 tool_use List", 'json {"y"', "json :2}", "stop 1"),
            *("2 text", "text 'later'", "stop 2"),
            *("3 tool_use Last", "json {}", "stop 3", "tool_use"),
        ],
    ),
    Story(
        "a whole tool that was not told to stop makes way",
        [tool("a", "Read", "{}"), text("Hi"), tool("a", stop=True), tool("b", "List", '{"a":1}')],
        [
            *("0 tool_use Read", "json {}", "stop 0"),
            *("1 text", "text 'Hi'", "stop 1"),
            *("2 tool_use List", 'json {"a":1}', "stop 2", "tool_use"),
        ],
    ),
    # clients §1.2: without content_block_stop, clients drop the half call and ask the model to resume.
    Story(
        "a cut tool",
        [text("Writing."), tool("w", "Write", '{"a": "b')],
        ["0 text", "text 'Writing.'", "stop 0", "1 tool_use Write", 'json {"a": "b', "max_tokens"],
    ),
    Story(
        "a cut tool with what waited behind it",
        [tool("w", "Write", '{"a": "b'), text("later"), tool("r", "Read", "{}", True), END],
        ["0 tool_use Write", 'json {"a": "b', "max_tokens"],
    ),
    Story(
        "a tool cut before its arguments",
        [tool("w", "Write")],
        ["0 tool_use Write", "max_tokens"],
    ),
    Story(
        "a stopped tool that is no JSON ends the turn",
        [tool("w", "Write", '{"a": "b', True), text("later"), tool("r", "Read", "{}", True), Metadata("TOOL_USE")],
        ["0 tool_use Write", 'json {"a": "b', "max_tokens"],
    ),
    Story(
        "a tool after a whole one is cut",
        [tool("r", "Read", "{}", True), tool("w", "Write", "{")],
        ["0 tool_use Read", "json {}", "stop 0", "1 tool_use Write", "json {", "max_tokens"],
    ),
    Story(
        "a tool that never had a name",
        [text("a"), tool("w", "", "{}", True), text("b")],
        ["0 text", "text 'a'", "stop 0", "max_tokens"],
    ),
    Story(
        "a stop sequence",
        [text("One E"), text("ND two"), text("three"), tool("t", "Read", "{}", True)],
        ["0 text", "text 'One '", "stop 0", "stop_sequence 'END'"],
        OFF,
        {"stop_sequences": ["END", ""]},
    ),
    Story(
        "a stop sequence at once",
        [text("END")],
        ["stop_sequence 'END'"],
        OFF,
        {"stop_sequences": ["END"]},
    ),
    Story(
        "no stop sequence after all",
        [text("One E"), tool("t", "Read", "{}", True), text("ND"), text(" E")],
        [
            *("0 text", "text 'One '", "text 'E'", "stop 0"),
            *("1 tool_use Read", "json {}", "stop 1"),
            *("2 text", "text 'ND'", "text ' '", "text 'E'", "stop 2", "tool_use"),
        ],
        OFF,
        {"stop_sequences": ["END"]},
    ),
    Story(
        "stop sequences are not looked for in thinking",
        [text("<thinking>END</thinking>\n\n"), text("aENDb")],
        [
            "0 thinking",
            "thinking 'END'",
            "placeholder",
            "stop 0",
            "1 text",
            "text 'a'",
            "stop 1",
            "stop_sequence 'END'",
        ],
        ON,
        {"stop_sequences": ["END"]},
    ),
    Story(
        "thinking and then a stop sequence at once",
        [text("<thinking>a</thinking>END")],
        ["0 thinking", "thinking 'a'", "placeholder", "stop 0", "stop_sequence 'END'"],
        ON,
        {"stop_sequences": ["END"]},
    ),
    Story(
        "a stop sequence in the held tail, before a tool",
        [text("<thin"), tool("t", "Read", "{}", True)],
        ["stop_sequence '<th'"],
        ON,
        {"stop_sequences": ["<th"]},
    ),
    Story(
        "a stop sequence in the held tail, before native thinking",
        [text("<thin"), reasoning("hm")],
        ["stop_sequence '<th'"],
        ON,
        {"stop_sequences": ["<th"]},
    ),
    Story(
        "a stop sequence between thinking and the rest of a piece",
        [text("<thinking>a</thinking>b END c")],
        ["0 thinking", "thinking 'a'", "placeholder", "stop 0", "1 text", "text 'b '", "stop 1", "stop_sequence 'END'"],
        ON,
        {"stop_sequences": ["END"]},
    ),
    # D-10
    Story(
        "only thinking",
        [text("<thinking>abc</thinking>")],
        ["0 thinking", "thinking 'abc'", "placeholder", "stop 0", "1 text", "text ' '", "stop 1", "max_tokens"],
        ON,
    ),
    Story(
        "only thinking, and the end of the turn",
        [reasoning("abc"), signature("s"), END],
        ["0 thinking", "thinking 'abc'", "signature s", "stop 0", "1 text", "text ' '", "stop 1", "end_turn"],
        ON,
    ),
    Story("only thinking, not shown", [reasoning("abc")], ["0 text", "text ' '", "stop 0", "max_tokens"]),
    Story(
        "only redacted thinking, which text cannot show",
        [Reasoning(redacted="AAAA"), END],
        ["0 text", "text ' '", "stop 0", "end_turn"],
        Thinking(True, "think"),
    ),
    # PRODUCT §3.2, thinkingFormat
    Story(
        "thinking as tagged text",
        [text("<thinking>\na"), text("b\n</thinking>\n\nHi")],
        ["0 text", "text '<thinking>a'", "text 'b'", "text '</thinking>\\n\\nHi'", "stop 0", "end_turn"],
        Thinking(True, "thinking"),
    ),
    Story(
        "native thinking as tagged text, then a tool",
        [reasoning("a"), signature("s"), tool("t", "Read", "{}", True)],
        ["0 text", "text '<think>a'", "text '</think>'", "stop 0", "1 tool_use Read", "json {}", "stop 1", "tool_use"],
        Thinking(True, "think"),
    ),
    Story(
        "only thinking, as tagged text",
        [reasoning("a")],
        ["0 text", "text '<think>a'", "text '</think>'", "stop 0", "max_tokens"],
        Thinking(True, "think"),
    ),
    Story(
        "thinking as reasoning_content",
        [text("<thinking>\na\n</thinking>\n\nHi"), text("!")],
        ["0 text", "reasoning 'a'", "text 'Hi'", "text '!'", "stop 0", "end_turn"],
        Thinking(True, "reasoning_content"),
    ),
    Story(
        "only thinking, as reasoning_content",
        [reasoning("a")],
        ["0 text", "reasoning 'a'", "text ' '", "stop 0", "max_tokens"],
        Thinking(True, "reasoning_content"),
    ),
    Story("a refusal without a word", [Metadata("CONTENT_FILTERED")], ["refusal"]),
    Story(
        "too long after output is how a long answer ends",
        [text("par"), Fault("ContentLengthExceededException", "too big"), text("no more"), ContextUsage(1)],
        ["0 text", "text 'par'", "stop 0", "max_tokens"],
    ),
    Story(
        "too long with text held back",
        [text("a E"), Fault("ContentLengthExceededException", "too big")],
        ["0 text", "text 'a '", "text 'E'", "stop 0", "max_tokens"],
        OFF,
        {"stop_sequences": ["END"]},
    ),
    Story(
        "too long in a tool",
        [tool("w", "Write", '{"a'), Fault("ContentLengthExceededException", "too big")],
        ["0 tool_use Write", 'json {"a', "max_tokens"],
    ),
    Story(
        "a fault when the answer is over already",
        [text("a END"), Fault("ThrottlingException", "slow down")],
        ["0 text", "text 'a '", "stop 0", "stop_sequence 'END'"],
        OFF,
        {"stop_sequences": ["END"]},
    ),
    Story(
        "an end mark that is missing",
        [text("Hi"), ContextUsage(1)],
        ["0 text", "text 'Hi'", "stop 0", "max_tokens"],
        OFF,
        {"expects_metadata": True},
    ),
]
