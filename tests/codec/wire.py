"""Event-stream bytes written down or built without the package, and ways to feed them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

from botocore.eventstream import EventStreamBuffer
from hypothesis import strategies as st

from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.codec.frame import Frame
from kiro_rs_py.codec.headers import Byte, HeaderValue, Int, Long, Short, Timestamp, Uuid

# upstream-protocol §2.6: bytes beside what they mean.
MINIMUM = bytes.fromhex("000000100000000005c248eb7d98c8ff")
TEXT_DELTA = bytes.fromhex(
    "0000007c0000005c3bddcf780b3a6576656e742d747970650700166173736973"
    "74616e74526573706f6e73654576656e740d3a636f6e74656e742d7479706507"
    "00106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065"
    "0700056576656e747b22636f6e74656e74223a224869227db02babdc"
)
TOOL_CALL = bytes.fromhex(
    "000000a000000052906070270b3a6576656e742d7479706507000c746f6f6c55"
    "73654576656e740d3a636f6e74656e742d747970650700106170706c69636174"
    "696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22"
    "696e707574223a227b5c22705c223a317d222c226e616d65223a226c73222c22"
    "73746f70223a747275652c22746f6f6c5573654964223a227431227d38996edf"
)
EXCEPTION = bytes.fromhex(
    "0000008800000061de0175f40f3a657863657074696f6e2d7479706507001354"
    "68726f74746c696e67457863657074696f6e0d3a636f6e74656e742d74797065"
    "0700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970"
    "65070009657863657074696f6e7b226d657373616765223a22736c6f7720646f"
    "776e227d5b4bbb49"
)
TEXT_PAYLOAD = b'{"content":"Hi"}'
TOOL_PAYLOAD = b'{"input":"{\\"p\\":1}","name":"ls","stop":true,"toolUseId":"t1"}'
EXCEPTION_PAYLOAD = b'{"message":"slow down"}'
JSON = "application/json"

GOLDEN: dict[str, tuple[bytes, Frame]] = {
    "minimum": (MINIMUM, Frame({}, b"")),
    "text delta": (
        TEXT_DELTA,
        Frame({":event-type": "assistantResponseEvent", ":content-type": JSON, ":message-type": "event"}, TEXT_PAYLOAD),
    ),
    "tool call": (
        TOOL_CALL,
        Frame({":event-type": "toolUseEvent", ":content-type": JSON, ":message-type": "event"}, TOOL_PAYLOAD),
    ),
    "exception": (
        EXCEPTION,
        Frame(
            {":exception-type": "ThrottlingException", ":content-type": JSON, ":message-type": "exception"},
            EXCEPTION_PAYLOAD,
        ),
    ),
}
GOLDEN_STREAM = b"".join(encoded for encoded, _ in GOLDEN.values())
GOLDEN_FRAMES = [frame for _, frame in GOLDEN.values()]

# Each header type: its bytes behind the name, our value, botocore's value.
HEADER_TYPES: dict[str, tuple[bytes, HeaderValue, object]] = {
    "true": (b"\x00", True, True),
    "false": (b"\x01", False, False),
    "byte": (b"\x02\xff", Byte(-1), -1),
    "short": (b"\x03\x01\x02", Short(258), 258),
    "int": (b"\x04\x80\x00\x00\x00", Int(-(2**31)), -(2**31)),
    "long": (b"\x05\x7f\xff\xff\xff\xff\xff\xff\xff", Long(2**63 - 1), 2**63 - 1),
    "bytes": (b"\x06\x00\x03\x00\xff\x80", b"\x00\xff\x80", b"\x00\xff\x80"),
    "string": (b"\x07\x00\x05na\xc3\xafv", "naïv", "naïv"),
    "timestamp": (b"\x08\x00\x00\x01\x9b\x00\x00\x00\x01", Timestamp(0x19B_0000_0001), 0x19B_0000_0001),
    "uuid": (b"\x09" + bytes(range(16)), Uuid(bytes(range(16))), bytes(range(16))),
}


def build_frame(block: bytes, payload: bytes) -> bytes:
    """A frame around any header block, well-formed or not, with true lengths and checksums."""
    return close_frame(build_prelude(16 + len(block) + len(payload), len(block)) + block + payload)


def build_prelude(total: int, headers: int) -> bytes:
    """A prelude with any lengths and a true checksum."""
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", crc32(lengths))


def close_frame(message: bytes) -> bytes:
    """Append the message checksum."""
    return message + struct.pack(">I", crc32(message))


def build_header(name: bytes, value: bytes) -> bytes:
    """One header; ``value`` begins with its type byte."""
    return bytes([len(name)]) + name + value


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """``data`` in pieces of ``size`` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """``data`` cut at each of ``places``; equal places give empty pieces."""
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def places(data: bytes) -> st.SearchStrategy[list[int]]:
    """Where to cut ``data``."""
    return st.lists(st.integers(0, len(data)), max_size=12)


def take_frames(decoder: EventStreamDecoder) -> list[Frame]:
    """All frames that are complete."""
    frames = []
    while (frame := decoder.next_frame()) is not None:
        frames.append(frame)
    return frames


def decode_with_botocore(data: bytes) -> list[Any]:
    """The messages botocore sees in ``data``."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)
