"""Kiro's answers written down, and what becomes of them, in a form that tests can compare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.codec.frame import event_frame, exception_frame
from kiro_rs_py.codec.sse import SSEDecoder
from kiro_rs_py.convert.anthropic import PLACEHOLDER_SIGNATURE, JsonObject
from kiro_rs_py.convert.blocks import ThinkingFormat
from kiro_rs_py.convert.events import AssistantText, KiroEvent, Reasoning, ToolUseFragment, parse_event
from kiro_rs_py.convert.message_events import (
    BlockStart,
    BlockStop,
    ErrorEvent,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    MessageStreamEvent,
    Ping,
    ReasoningDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    encode_events,
)
from kiro_rs_py.convert.response import MessageStream

_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


@dataclass(frozen=True, slots=True)
class Thinking:
    on: bool
    format: ThinkingFormat = "blocks"


OFF = Thinking(on=False)
ON = Thinking(on=True)


def new_stream(
    thinking: Thinking = OFF,
    *,
    tool_names: dict[str, str] | None = None,
    input_estimate: int = 7,
    window: int = 200_000,
    stop_sequences: Sequence[str] = (),
    expects_metadata: bool = False,
    search_tool: str | None = None,
) -> MessageStream:
    """A machine with the ids that the vectors use."""
    return MessageStream(
        message_id="msg_1",
        model="claude-sonnet-4-5-20250929",
        thinking=thinking,
        tool_names=tool_names or {},
        input_estimate=input_estimate,
        window=window,
        stop_sequences=stop_sequences,
        expects_metadata=expects_metadata,
        search_tool=search_tool,
    )


def answer(events: Iterable[KiroEvent], stream: MessageStream) -> list[MessageStreamEvent]:
    """All events of the message, the end included."""
    given: list[MessageStreamEvent] = []
    for event in events:
        given += stream.receive(event)
    return given + stream.finish()


def text(content: str) -> AssistantText:
    return AssistantText(content)


def tool(tool_use_id: str, name: str = "", arguments: str = "", stop: bool = False) -> ToolUseFragment:
    return ToolUseFragment(tool_use_id, name, arguments, stop)


def reasoning(content: str) -> Reasoning:
    return Reasoning(text=content)


def signature(signature: str) -> Reasoning:
    return Reasoning(signature=signature)


def over_the_wire(answer: Sequence[tuple[str, JsonObject]]) -> list[KiroEvent]:
    """The KiroEvents of frames given as (event type, payload); ``exception:X`` is an exception frame of type X."""
    decoder = EventStreamDecoder()
    for kind, payload in answer:
        body = json.dumps(payload, ensure_ascii=False).encode()
        _, exception, exception_type = kind.partition("exception:")
        decoder.receive_data(exception_frame(exception_type, body) if exception else event_frame(kind, body))
    events: list[KiroEvent] = []
    while (frame := decoder.next_frame()) is not None:
        if (event := parse_event(frame)) is not None:
            events.append(event)
    decoder.receive_eof()
    return events


def transcript(events: Iterable[MessageStreamEvent]) -> list[str]:
    """One short line an event."""
    return [_line(event) for event in events]


def _line(event: MessageStreamEvent) -> str:
    match event:
        case MessageStart():
            return "message_start"
        case BlockStart(index, block):
            return " ".join(str(part) for part in (index, block["type"], block.get("name", "")) if part != "")
        case TextDelta(_, piece):
            return f"text {piece!r}"
        case ReasoningDelta(_, piece):
            return f"reasoning {piece!r}"
        case ThinkingDelta(_, piece):
            return f"thinking {piece!r}"
        case SignatureDelta(_, value):
            return "placeholder" if value == PLACEHOLDER_SIGNATURE else f"signature {value}"
        case InputJsonDelta(_, piece):
            return f"json {piece}"
        case BlockStop(index):
            return f"stop {index}"
        case MessageDelta(reason, sequence, _):
            return reason if sequence is None else f"{reason} {sequence!r}"
        case MessageStop():
            return "message_stop"
        case Ping():
            return "ping"
        case ErrorEvent(type_, message, _):
            return f"error {type_} {message}"


def joined(events: Iterable[MessageStreamEvent]) -> list[MessageStreamEvent]:
    """The same stream with neighbouring deltas of one kind joined: what does not depend on how it was cut."""
    result: list[MessageStreamEvent] = []
    for event in events:
        both = _both(result[-1], event) if result else None
        if both is None:
            result.append(event)
        else:
            result[-1] = both
    return result


def _both(first: MessageStreamEvent, second: MessageStreamEvent) -> MessageStreamEvent | None:
    match first, second:
        case TextDelta(index, before), TextDelta(_, after):
            return TextDelta(index, before + after)
        case ReasoningDelta(index, before), ReasoningDelta(_, after):
            return ReasoningDelta(index, before + after)
        case ThinkingDelta(index, before), ThinkingDelta(_, after):
            return ThinkingDelta(index, before + after)
        case InputJsonDelta(index, before), InputJsonDelta(_, after):
            return InputJsonDelta(index, before + after)
    return None


def accumulated_by_sdk(events: Iterable[MessageStreamEvent]) -> JsonObject:
    """What Anthropic's SDK makes of the bytes; every event must fit its types.

    Blocks that were not closed are taken out first: it keeps the half of a cut tool call.
    """
    events = list(events)
    closed = {event.block_index for event in events if isinstance(event, BlockStop)}
    decoder = SSEDecoder()
    decoder.receive_data(
        encode_events(event for event in events if getattr(event, "block_index", None) in {None, *closed})
    )
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    while (sent := decoder.next_event()) is not None:
        data = json.loads(sent.data)
        assert data["type"] == sent.event
        if sent.event == "ping":
            continue
        event = _EVENT.validate_python(data)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    decoder.receive_eof()
    message: JsonObject = json.loads(snapshot.model_dump_json(exclude_unset=True, by_alias=True))
    del message["stop_details"]  # the accumulator sets it to null
    return message
