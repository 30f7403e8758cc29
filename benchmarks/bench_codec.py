"""The codec against the JSON work nobody can avoid and against botocore, per frame.

Yardstick: ``json.loads`` of a text frame's payload plus ``json.dumps`` of its text, the two things every converter does
with it. Run with ``python -m benchmarks.bench_codec [--json]``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from botocore.eventstream import EventStreamBuffer

from benchmarks.timing import measure, report, wants_json
from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.codec.sse import SSEDecoder, encode_sse

YARDSTICK = "json.loads + json.dumps"
TEXT = " a few words of text"
PAYLOAD = '{"content":" a few words of text"}'
FRAME = event_frame("assistantResponseEvent", PAYLOAD.encode())
EVENT = encode_sse("content_block_delta", PAYLOAD)
# As many frames go through each candidate in one call, so that all figures are of the same amount of work.
FRAMES = 240
SEGMENT = 1448  # bytes of a TCP segment on Ethernet: frames are torn where it ends


def main() -> None:
    """Measure and print."""
    as_json = wants_json(__doc__)
    medians = {name: seconds / FRAMES for name, seconds in measure(candidates()).items()}
    title = f"Event-stream and SSE codec, {len(FRAME)}-byte text frames, CPU time per frame"
    print(report(title, medians, YARDSTICK, as_json=as_json))


def candidates() -> dict[str, Callable[[], object]]:
    """What is measured; each call handles FRAMES frames."""
    stream = FRAME * FRAMES
    torn = [stream[start : start + SEGMENT] for start in range(0, len(stream), SEGMENT)]
    return {
        YARDSTICK: json_work,
        "decode, 1 frame a read": partial(decode, [FRAME] * FRAMES),
        "decode, 8 frames a read": partial(decode, [FRAME * 8] * (FRAMES // 8)),
        "decode, torn at 1,448 bytes": partial(decode, torn),
        "decode, all in one read": partial(decode, [stream]),
        "botocore, 8 frames a read": partial(decode_with_botocore, [FRAME * 8] * (FRAMES // 8)),
        "encode": encode,
        "SSE encode": encode_events,
        "SSE decode, 8 events a read": partial(decode_events, [EVENT.encode() * 8] * (FRAMES // 8)),
    }


def json_work() -> None:
    """The yardstick."""
    for _ in range(FRAMES):
        json.loads(PAYLOAD)
        json.dumps(TEXT)


def decode(reads: list[bytes]) -> None:
    """One stream through our decoder, frame headers learned anew as in each request."""
    decoder = EventStreamDecoder()
    for data in reads:
        decoder.receive_data(data)
        while decoder.next_frame() is not None:
            pass
    decoder.receive_eof()


def decode_with_botocore(reads: list[bytes]) -> None:
    """The same through AWS's Python decoder."""
    buffer = EventStreamBuffer()
    for data in reads:
        buffer.add_data(data)
        for _ in buffer:
            pass


def encode() -> None:
    """Frames as the simulator writes them."""
    payload = PAYLOAD.encode()
    for _ in range(FRAMES):
        event_frame("assistantResponseEvent", payload)


def encode_events() -> None:
    """One SSE event at a time."""
    for _ in range(FRAMES):
        encode_sse("content_block_delta", PAYLOAD)


def decode_events(reads: list[bytes]) -> None:
    """SSE bytes as a client of ours sees them."""
    decoder = SSEDecoder()
    for data in reads:
        decoder.receive_data(data)
        while decoder.next_event() is not None:
            pass
    decoder.receive_eof()


if __name__ == "__main__":
    main()
