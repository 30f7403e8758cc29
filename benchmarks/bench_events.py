"""One text event, from Kiro's bytes to the client's: decode, convert, encode.

Yardstick: ``json.loads`` of the payload plus ``json.dumps`` of its text, the work nobody can avoid. The budget is 1.5
times that. What comes once a stream, the machine and its first and last events, is part of the whole way, spread over
EVENTS. Run with ``python -m benchmarks.bench_events [--json]``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.timing import measure, report, wants_json
from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.codec.frame import Frame, event_block, event_frame
from kiro_rs_py.convert.blocks import ThinkingFormat
from kiro_rs_py.convert.events import HEADER_BLOCKS, AssistantText, KiroEvent, parse_event
from kiro_rs_py.convert.message_events import MessageStreamEvent, TextDelta, encode_events
from kiro_rs_py.convert.response import MessageStream

YARDSTICK = "json.loads + json.dumps"
TEXTS = {
    "ASCII": " a few words of text",
    "non-ASCII": " ein paar Wörter, 几个字",
    "escapes": 'print("a line")\n',
}
# As many events go through each candidate in one call, so that all figures are of the same amount of work.
EVENTS = 240


@dataclass(frozen=True, slots=True)
class Thinking:
    on: bool
    format: ThinkingFormat = "blocks"


def main() -> None:
    """Measure and print."""
    as_json = wants_json(__doc__)
    medians = {name: seconds / EVENTS for name, seconds in measure(candidates()).items()}
    title = "Text events from Kiro's bytes to SSE bytes, CPU time per event"
    print(report(title, medians, YARDSTICK, as_json=as_json))


def candidates() -> dict[str, Callable[[], object]]:
    """What is measured; each call handles EVENTS events."""
    plain, *others = TEXTS.items()
    frame = frame_of(plain[1])
    parsed = Frame(HEADER_BLOCKS[event_block("assistantResponseEvent")], payload_of(plain[1]))
    return {
        YARDSTICK: partial(json_work, plain[1]),
        "whole way, 1 frame a read": partial(whole_way, [frame] * EVENTS),
        "whole way, 8 frames a read": partial(whole_way, [frame * 8] * (EVENTS // 8)),
        "whole way, thinking on": partial(whole_way, [frame * 8] * (EVENTS // 8), thinking=True),
        "whole way, a stop sequence": partial(whole_way, [frame * 8] * (EVENTS // 8), stop_sequences=("\n\nHuman:",)),
        "native thinking": partial(whole_way, [reasoning_frame(plain[1]) * 8] * (EVENTS // 8), thinking=True),
        "a tool's input": partial(whole_way, [b"".join(tool_frame(plain[1]) for _ in range(8))] * (EVENTS // 8)),
        "of it decode, 1 frame a read": partial(decode, [frame] * EVENTS),
        "of it decode, 8 frames a read": partial(decode, [frame * 8] * (EVENTS // 8)),
        "of it start and end, once a stream": partial(whole_way, [frame]),
        "of it parse": partial(parse, parsed),
        "of it convert": partial(convert, AssistantText(plain[1])),
        "of it encode, 1 event a write": partial(encode, [TextDelta(0, plain[1])]),
        "of it encode, 8 events a write": partial(encode, [TextDelta(0, plain[1])] * 8),
        **{
            f"{name}: {part}": candidate
            for name, text in others
            for part, candidate in {
                YARDSTICK: partial(json_work, text),
                "whole way": partial(whole_way, [frame_of(text) * 8] * (EVENTS // 8)),
            }.items()
        },
    }


def payload_of(text: str) -> bytes:
    """The payload as Kiro writes it: compact, non-ASCII as UTF-8."""
    return json.dumps({"content": text}, ensure_ascii=False, separators=(",", ":")).encode()


def frame_of(text: str) -> bytes:
    """One text frame."""
    return event_frame("assistantResponseEvent", payload_of(text))


def reasoning_frame(text: str) -> bytes:
    """One frame of native thinking."""
    return event_frame("reasoningContentEvent", json.dumps({"text": text}, separators=(",", ":")).encode())


def tool_frame(text: str) -> bytes:
    """One frame of a tool call's input, in mid-call; the text is no JSON, which nobody asks before its end."""
    fragment = {"name": "Write", "toolUseId": "tooluse_0123456789abcdefghijkl", "input": text}
    return event_frame("toolUseEvent", json.dumps(fragment, separators=(",", ":")).encode())


def json_work(text: str) -> None:
    """The yardstick."""
    payload = payload_of(text)
    for _ in range(EVENTS):
        json.loads(payload)
        json.dumps(text)


def whole_way(reads: list[bytes], *, thinking: bool = False, stop_sequences: tuple[str, ...] = ()) -> None:
    """One stream, as serve drives it: all events of one read are encoded together."""
    decoder = EventStreamDecoder(HEADER_BLOCKS)
    stream = new_stream(thinking=thinking, stop_sequences=stop_sequences)
    for data in reads:
        events: list[MessageStreamEvent] = []
        decoder.receive_data(data)
        while (frame := decoder.next_frame()) is not None:
            event = parse_event(frame)
            if event is not None:
                events += stream.receive(event)
        encode_events(events)
    encode_events(stream.finish())


def new_stream(*, thinking: bool = False, stop_sequences: tuple[str, ...] = ()) -> MessageStream:
    """A machine for one answer."""
    names: Mapping[str, str] = {}
    return MessageStream(
        message_id="msg_0",
        model="claude-sonnet-4-5",
        thinking=Thinking(thinking),
        tool_names=names,
        input_estimate=100,
        window=200_000,
        stop_sequences=stop_sequences,
    )


def decode(reads: list[bytes]) -> None:
    """Bytes to frames."""
    decoder = EventStreamDecoder(HEADER_BLOCKS)
    for data in reads:
        decoder.receive_data(data)
        while decoder.next_frame() is not None:
            pass


def parse(frame: Frame) -> None:
    """Frames to KiroEvents."""
    for _ in range(EVENTS):
        parse_event(frame)


def convert(event: KiroEvent) -> None:
    """KiroEvents to Anthropic events."""
    stream = new_stream()
    for _ in range(EVENTS):
        stream.receive(event)


def encode(events: list[MessageStreamEvent]) -> None:
    """Anthropic events to SSE bytes."""
    for _ in range(EVENTS // len(events)):
        encode_events(events)


if __name__ == "__main__":
    main()
