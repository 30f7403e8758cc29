"""The plain answer: the message that a stream of events adds up to.

Stream and plain answer agree because this knows nothing but the events (response-conversion D-1).
"""

from __future__ import annotations

from collections.abc import Iterable

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.message_events import (
    BlockStart,
    BlockStop,
    ErrorEvent,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStreamEvent,
    ReasoningDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    start_json,
    usage_json,
)
from kiro_rs_py.convert.tool_calls import parse_tool_input


class _Block:
    """A block under way: its first state and, by key, the pieces that came since."""

    __slots__ = ("pieces", "start")

    def __init__(self, start: JsonObject) -> None:
        self.start = start
        self.pieces: dict[str, list[str]] = {}

    def add(self, key: str, piece: str) -> None:
        self.pieces.setdefault(key, []).append(piece)

    def to_json(self) -> JsonObject:
        block = dict(self.start)
        for key, pieces in self.pieces.items():
            text = "".join(pieces)
            block[key] = parse_tool_input(text) if key == "input" else text
        return block


def fold_message(events: Iterable[MessageStreamEvent]) -> JsonObject:
    """The message of a whole, successful stream, as the Messages API answers without ``stream``.

    A block that was never closed, a tool call cut short, is left out. Raises ValueError for events that are not a
    whole stream, which is a bug of the caller: a failed stream has an error, not a message.
    """
    start: MessageStart | None = None
    ending: MessageDelta | None = None
    blocks: dict[int, _Block] = {}
    closed: set[int] = set()
    reasoning: list[str] = []
    for event in events:
        match event:
            case TextDelta(index, text):
                blocks[index].add("text", text)
            case ReasoningDelta(_, text):
                reasoning.append(text)
            case ThinkingDelta(index, text):
                blocks[index].add("thinking", text)
            case SignatureDelta(index, signature):
                blocks[index].add("signature", signature)
            case InputJsonDelta(index, partial_json):
                blocks[index].add("input", partial_json)
            case BlockStart(index, block):
                blocks[index] = _Block(block)
            case BlockStop(index):
                closed.add(index)
            case MessageStart():
                start = event
            case MessageDelta():
                ending = event
            case ErrorEvent():
                ending = None
    if start is None or ending is None:
        raise ValueError("not the events of a whole message")
    content: list[Json] = [blocks[index].to_json() for index in sorted(closed)]
    message: JsonObject = start_json(start) | {
        "content": content,
        "stop_reason": ending.stop_reason,
        "stop_sequence": ending.stop_sequence,
        "usage": usage_json(ending.usage),
    }
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    return message
