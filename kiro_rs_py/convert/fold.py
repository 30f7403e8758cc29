"""The plain answer: the message that a stream of events adds up to.

Stream and plain answer agree because this knows nothing but the events (response-conversion D-1).
"""

from __future__ import annotations

from collections import defaultdict
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


def fold_message(events: Iterable[MessageStreamEvent]) -> JsonObject:
    """The message of a whole, successful stream, as the Messages API answers without ``stream``.

    A block that was never closed, a tool call cut short, is left out. Raises ValueError for events that are not a
    whole stream, which is a bug of the caller: a failed stream has an error, not a message.
    """
    start: MessageStart | None = None
    ending: MessageDelta | None = None
    blocks: dict[int, JsonObject] = {}
    pieces: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    closed: set[int] = set()
    reasoning: list[str] = []
    for event in events:
        match event:
            case TextDelta(index, text):
                pieces[index, "text"].append(text)
            case ReasoningDelta(_, text):
                reasoning.append(text)
            case ThinkingDelta(index, text):
                pieces[index, "thinking"].append(text)
            case SignatureDelta(index, signature):
                pieces[index, "signature"].append(signature)
            case InputJsonDelta(index, partial_json):
                pieces[index, "input"].append(partial_json)
            case BlockStart(index, block):
                blocks[index] = dict(block)
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
    for (index, key), parts in pieces.items():
        whole = "".join(parts)
        blocks[index][key] = parse_tool_input(whole) if key == "input" else whole
    content: list[Json] = [blocks[index] for index in sorted(closed)]
    message: JsonObject = start_json(start) | {
        "content": content,
        "stop_reason": ending.stop_reason,
        "stop_sequence": ending.stop_sequence,
        "usage": usage_json(ending.usage),
    }
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    return message
