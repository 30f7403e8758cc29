"""Content blocks, written one at a time (response-conversion D-2, D-3, D-5, D-8).

:class:`BlockWriter` knows how a block of each kind begins and ends, and how thinking is shown. What belongs into which
block is decided by :mod:`kiro_rs_py.convert.response`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Literal, TypeAlias

from kiro_rs_py.convert.anthropic import PLACEHOLDER_SIGNATURE, JsonObject
from kiro_rs_py.convert.message_events import (
    BlockStart,
    BlockStop,
    InputJsonDelta,
    MessageStart,
    MessageStreamEvent,
    Ping,
    ReasoningDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from kiro_rs_py.convert.native_thinking import seal
from kiro_rs_py.convert.tokens import UnitCounter

ThinkingFormat: TypeAlias = Literal["blocks", "thinking", "think", "reasoning_content"]


class Open(Enum):
    """What is being written just now."""

    NOTHING = auto()
    TEXT = auto()
    TAGGED = auto()
    """A text block, inside a pair of thinking tags."""
    REASONING = auto()
    """A text block that carries only ``reasoning_content`` so far."""
    THINKING = auto()
    TOOL = auto()


class BlockWriter:
    """Turns pieces of content into events. The message starts with its first block, so that an answer without any can
    still become an HTTP error (D-4). ``thinking_model`` is the upstream id that signatures are sealed with; without it
    they are passed on as they are.

    ``events`` are those not yet taken, ``written`` weighs all content so far, ``index`` is that of the newest
    block.
    """

    def __init__(self, start: MessageStart, thinking_format: ThinkingFormat, *, thinking_model: str = "") -> None:
        self._start = start
        self._format = thinking_format
        self._tag: Final = "think" if thinking_format == "think" else "thinking"
        self._thinking_model = thinking_model
        self._signature = ""
        self._signature_missed = False
        self.events: list[MessageStreamEvent] = []
        self.open = Open.NOTHING
        self.index = -1
        self.written = UnitCounter()
        self.started = False
        self.answered = False
        """Something other than thinking was written."""
        self.left_open = False
        """The last block was abandoned: no other may come behind it."""

    @property
    def in_thought(self) -> bool:
        """More thinking would join the open block. A signature ends its block; what follows it is another thought."""
        return self.open is Open.THINKING and not self._signature

    def take(self) -> list[MessageStreamEvent]:
        events, self.events = self.events, []
        return events

    def start(self) -> None:
        """Start the message, once."""
        if not self.started:
            self.started = True
            self.events.append(self._start)

    def text(self, text: str) -> None:
        """``text`` is not empty; so for all the others."""
        self.answered = True
        self.written.add(text)
        match self.open:
            case Open.TAGGED:
                text = f"</{self._tag}>\n\n{text}"
            case Open.TEXT | Open.REASONING:
                pass
            case _:
                self._begin({"type": "text", "text": ""})
        self.open = Open.TEXT
        self.events.append(TextDelta(self.index, text))

    def thinking(self, text: str) -> None:
        self.written.add(text)
        match self._format:
            case "blocks":
                if not self.in_thought:
                    self._begin_thinking()
                self.events.append(ThinkingDelta(self.index, text))
            case "reasoning_content":
                if self.open not in (Open.TEXT, Open.REASONING):
                    self._begin({"type": "text", "text": ""})
                    self.open = Open.REASONING
                self.events.append(ReasoningDelta(self.index, text))
            case _:
                self._tagged_thinking(text)

    def _tagged_thinking(self, text: str) -> None:
        if self.open is Open.TEXT:
            text = f"\n\n<{self._tag}>{text}"
        elif self.open is not Open.TAGGED:
            self._begin({"type": "text", "text": ""})
            text = f"<{self._tag}>{text}"
        self.open = Open.TAGGED
        self.events.append(TextDelta(self.index, text))

    def signature(self, piece: str) -> None:
        """A piece of the signature of the thinking just written, or of thinking whose text is kept from us."""
        if self._format != "blocks":
            return
        if self.open is not Open.THINKING:
            # The block it belongs to is closed already, with the placeholder; a block of its own would be refused
            # when it comes back, as signatures are checked against the text (upstream-protocol §1.10).
            if self._signature_missed:
                return
            self._begin_thinking()
        self._signature += piece

    def redacted(self, data: str) -> None:
        """Thinking that only Kiro can read. There is no way to show it but as a block."""
        if self._format == "blocks":
            self.whole({"type": "redacted_thinking", "data": self._sealed(data)})

    def tool(self, tool_use_id: str, name: str) -> None:
        self.answered = True
        self._begin({"type": "tool_use", "id": tool_use_id, "name": name, "input": {}})
        self.open = Open.TOOL

    def tool_input(self, partial_json: str) -> None:
        self.written.add(partial_json)
        self.events.append(InputJsonDelta(self.index, partial_json))

    def server_tool(self, block_id: str, name: str, arguments: str) -> None:
        """A whole call of a tool that is run here; ``arguments`` is JSON."""
        self.answered = True
        self._begin({"type": "server_tool_use", "id": block_id, "name": name, "input": {}})
        self.tool_input(arguments)
        self._stop()

    def whole(self, block: JsonObject) -> None:
        """A block that has no deltas."""
        self._begin(block)
        self._stop()

    def close(self) -> None:
        """Close the open block, if there is one. A text block is never left empty (D-5)."""
        match self.open:
            case Open.NOTHING:
                return
            case Open.TAGGED:
                self.events.append(TextDelta(self.index, f"</{self._tag}>"))
            case Open.REASONING:
                self.events.append(TextDelta(self.index, " "))
            case Open.THINKING:
                self._signature_missed = not self._signature
                signature = self._sealed(self._signature) if self._signature else PLACEHOLDER_SIGNATURE
                self.events.append(SignatureDelta(self.index, signature))
        self._stop()

    def abandon_tool(self) -> None:
        """Leave a tool block without its ``content_block_stop``, at which clients would run the tool (clients §1.2)."""
        if self.open is Open.TOOL:
            self.open = Open.NOTHING
            self.left_open = True

    def _begin(self, block: JsonObject) -> None:
        self.close()
        self.start()
        self.index += 1
        self.events.append(BlockStart(self.index, block))
        if self.index == 0:
            self.events.append(Ping())

    def _begin_thinking(self) -> None:
        self._begin({"type": "thinking", "thinking": "", "signature": ""})
        self._signature = ""
        self._signature_missed = False
        self.open = Open.THINKING

    def _sealed(self, signature: str) -> str:
        return seal(self._thinking_model, signature) if self._thinking_model else signature

    def _stop(self) -> None:
        self.events.append(BlockStop(self.index))
        self.open = Open.NOTHING
