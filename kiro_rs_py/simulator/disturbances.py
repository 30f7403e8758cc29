"""What a fault does to an answer that has begun: events in, steps out."""

from __future__ import annotations

from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.simulator import frames
from kiro_rs_py.simulator.faults import Fault, failure_event
from kiro_rs_py.simulator.frames import CONTENT, Cut, Event, Hang, Pause, Send, Step, sends

DEFAULT_SLOWNESS = 1.0


def disturb(events: list[Event], fault: Fault, pause: float = 0.0) -> list[Step]:
    """The steps of a faulty answer. ``events`` is the whole healthy one, ``pause`` the usual seconds between events."""
    middle = _middle(events)
    first, rest = events[:middle], events[middle:]
    match fault.kind:
        case "cut-tool":
            return sends(_until_cut_tool(events), pause)
        case "end-early":
            return sends(first, pause)
        case "cut-stream" | "reset-stream":
            return [*sends(first, pause), Send(_half(rest)), Cut(reset=fault.kind == "reset-stream")]
        case "cut-frame":
            return [*sends(first, pause), Send(_half(rest))]
        case "stall":
            return [*sends(first, pause), Hang()]
        case "bad-crc":
            return [*sends(first, pause), Send(_flip(rest[0].data, -1)), *sends(rest[1:], pause)]
        case "bad-prelude":
            return [*sends(first, pause), Send(_flip(rest[0].data, 0)), *sends(rest[1:], pause)]
        case "bad-json":
            return sends([*first, _bad_json(), *rest], pause)
        case "slow":
            return sends(events, fault.number(DEFAULT_SLOWNESS))
        case "slow-start":
            return [Pause(fault.number(DEFAULT_SLOWNESS)), *sends(events, pause)]
        case "torn":
            return _torn(events, max(1, int(fault.number(1))))
        case "noise":
            return sends([noisy for event in events for noisy in (*_noise(), event)], pause)
        case "empty":
            return sends([event for event in events if event.kind not in CONTENT], pause)
        case _:
            return _failing(events, first, fault, pause)


def _failing(events: list[Event], first: list[Event], fault: Fault, pause: float) -> list[Step]:
    """Faults that end in a frame of their own; all others leave the answer as it is."""
    failure = failure_event(fault)
    if failure is None:
        return sends(events, pause)
    if fault.kind == "exception":
        return sends([failure], pause)
    return sends([*first, failure], pause)


def _middle(events: list[Event]) -> int:
    """The place in the middle of the content: at least one content event lies before it."""
    content = [index for index, event in enumerate(events) if event.kind in CONTENT]
    return content[max(0, len(content) // 2 - 1)] + 1 if content else 0


def _until_cut_tool(events: list[Event]) -> list[Event]:
    """Everything up to half of the last call's fragments; without a call, up to the middle of the text."""
    last = max((index for index, event in enumerate(events) if event.kind == frames.TOOL_USE), default=None)
    if last is None:
        return events[: _middle(events)]
    start = last
    while start > 0 and events[start - 1].kind == frames.TOOL_USE:
        start -= 1
    return events[: start + max(1, (last - start) // 2)]


def _half(events: list[Event]) -> bytes:
    data = events[0].data
    return data[: len(data) // 2]


def _flip(data: bytes, index: int) -> bytes:
    damaged = bytearray(data)
    damaged[index] ^= 0xFF
    return bytes(damaged)


def _bad_json() -> Event:
    return Event(frames.TEXT, event_frame(frames.TEXT, b'{"content":'))


def _torn(events: list[Event], size: int) -> list[Step]:
    data = b"".join(event.data for event in events)
    steps: list[Step] = []
    for start in range(0, len(data), size):
        # The pause makes each piece a packet and a read of its own.
        steps += [Send(data[start : start + size]), Pause(0.0)]
    return steps


def _noise() -> tuple[Event, ...]:
    return (
        frames.event("eventOfTheFuture", {"content": "not for you", "list": [1, 2]}),
        frames.event("messageMetadataEvent", {"conversationId": "c", "utteranceId": "u"}),
        frames.event("followupPromptEvent", {"followupPrompt": {"content": "And now?", "userIntent": "EXPLAIN"}}),
    )
