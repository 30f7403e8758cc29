"""Event-stream bytes, cut anywhere → frames.

Written for speed where a frame is complete, as this runs once for each event of each stream (benchmarks/bench_codec.py
has the figures):

* A stream has about five distinct header blocks, so a block is parsed once and then found by its bytes; those that
  every stream has can be given ready-made.
* Slices of ``bytes`` are faster than a ``memoryview`` for frames of this size.
* The message checksum covers the prelude. So the prelude's own checksum is computed only while the frame is
  incomplete, when its length has to be believed before the message checksum is there.

There is no resynchronisation after an error, as some clients have it: TCP and TLS already protect the bytes, so damage
means a bug or an attack, and guessing where the next frame starts would invent an answer with a hole in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from types import MappingProxyType
from typing import Final, NoReturn
from zlib import crc32

from kiro_rs_py.codec.frame import (
    CHECKSUM_BYTES,
    MAX_FRAME_BYTES,
    MIN_FRAME_BYTES,
    PRELUDE_BYTES,
    Frame,
    check_lengths,
    check_prelude,
)
from kiro_rs_py.codec.headers import HeaderValue, parse_headers
from kiro_rs_py.errors import CodecError, TruncatedStream

# Far more than a stream has; blocks beyond it are parsed each time, so a hostile stream is slow but not large.
MAX_KNOWN_BLOCKS: Final = 64

_unpack_lengths = Struct(">II").unpack_from
_unpack_checksum = Struct(">I").unpack_from
_new_tuple = tuple.__new__


class EventStreamDecoder:
    """Takes bytes, gives frames::

        decoder.receive_data(data)
        while (frame := decoder.next_frame()) is not None: ...

    Good frames in front of a bad one are delivered before the error is raised. After an error every call raises it
    again. ``known_blocks`` are header blocks already parsed; frames come with these very objects.
    """

    __slots__ = ("_buffer", "_failure", "_known_blocks", "_position", "_tail")

    def __init__(self, known_blocks: Mapping[bytes, Mapping[str, HeaderValue]] = MappingProxyType({})) -> None:
        # Undecoded bytes are _buffer[_position:] + _tail. The tail collects the pieces of a frame larger than a read:
        # to append each of them to immutable bytes would take quadratic time.
        self._buffer = b""
        self._position = 0
        self._tail = bytearray()
        self._known_blocks = known_blocks  # shared until this stream has one of its own
        self._failure: str | None = None

    def receive_data(self, data: bytes) -> None:
        """Store bytes for :meth:`next_frame`.

        Raises CodecError if an error was raised before, or if more than MAX_FRAME_BYTES lie undecoded, which does not
        happen to a caller that takes all frames after each call.
        """
        if self._failure is not None:
            raise CodecError(self._failure)
        if not self._buffer and not self._tail:
            self._buffer = data
            return
        undecoded = self._undecoded()
        if undecoded > MAX_FRAME_BYTES:
            raise self._fail(CodecError(f"{undecoded} bytes lie undecoded, at most {MAX_FRAME_BYTES} are allowed"))
        if undecoded <= len(data) and not self._tail:
            # The beginning of a frame that costs no more to copy than the data itself.
            self._buffer = self._buffer[self._position :] + data
            self._position = 0
        else:
            self._tail += data

    def next_frame(self) -> Frame | None:
        """The next complete frame; None if more bytes are needed first.

        Raises CodecError when the bytes are no event stream: a checksum, a length or a header is wrong.
        """
        while True:
            buffer = self._buffer
            start = self._position
            size = len(buffer)
            if size - start >= MIN_FRAME_BYTES:
                total, headers_length = _unpack_lengths(buffer, start)
                end = start + total
                if end <= size:
                    # Nothing vouches for the lengths yet. The checksum does, and this keeps it inside the frame.
                    if not headers_length + MIN_FRAME_BYTES <= total <= MAX_FRAME_BYTES:
                        self._reject(start)
                    payload_end = end - CHECKSUM_BYTES
                    if crc32(buffer[start:payload_end]) != _unpack_checksum(buffer, payload_end)[0]:
                        self._reject(start)
                    block_start = start + PRELUDE_BYTES
                    payload_start = block_start + headers_length
                    block = buffer[block_start:payload_start]
                    try:
                        headers = self._known_blocks[block]
                    except KeyError:
                        headers = self._learn(block, total)
                    if end == size:  # an idle stream must not hold on to the last read
                        self._buffer = b""
                        self._position = 0
                    else:
                        self._position = end
                    return _new_tuple(Frame, (headers, buffer[payload_start:payload_end]))
            elif not size and not self._tail and self._failure is None:
                return None
            if not self._join_tail():
                return None

    def receive_eof(self) -> None:
        """Say that the stream has ended. To be called after :meth:`next_frame` has returned None.

        Raises TruncatedStream if it ended inside a frame, CodecError if an error was raised before.
        """
        if self._failure is not None:
            raise CodecError(self._failure)
        undecoded = self._undecoded()
        if undecoded:
            wanted = f"at least {MIN_FRAME_BYTES}"
            if len(self._buffer) - self._position >= PRELUDE_BYTES:
                wanted = str(_unpack_lengths(self._buffer, self._position)[0])
            raise TruncatedStream(f"the stream ended after {undecoded} of {wanted} bytes of a frame")

    def _undecoded(self) -> int:
        return len(self._buffer) - self._position + len(self._tail)

    def _join_tail(self) -> bool:
        """Move the tail into the buffer if that may complete the frame at its front; say whether it did.

        Otherwise only drop what is decoded.
        """
        if self._failure is not None:
            raise CodecError(self._failure)
        rest = self._buffer[self._position :]
        self._buffer = rest
        self._position = 0
        needed = PRELUDE_BYTES
        if len(rest) >= PRELUDE_BYTES:
            try:
                needed = check_prelude(rest, 0)
            except CodecError as exc:
                self._fail(exc)
                raise
        if not self._tail or len(rest) + len(self._tail) < needed:
            return False
        self._buffer = rest + self._tail
        self._tail.clear()
        return True

    def _learn(self, block: bytes, total: int) -> Mapping[str, HeaderValue]:
        """Parse a header block met for the first time, out of a frame of ``total`` bytes."""
        try:
            check_lengths(total, len(block))
            headers = MappingProxyType(parse_headers(block))
        except CodecError as exc:
            self._fail(exc)
            raise
        if len(self._known_blocks) < MAX_KNOWN_BLOCKS:
            self._known_blocks = {**self._known_blocks, block: headers}
        return headers

    def _reject(self, start: int) -> NoReturn:
        """Say what is wrong with the complete frame at ``start``, which failed a test of :meth:`next_frame`."""
        try:
            total = check_prelude(self._buffer, start)
            end = start + total - CHECKSUM_BYTES
            (checksum,) = _unpack_checksum(self._buffer, end)
            computed = crc32(self._buffer[start:end])
            raise CodecError(
                f"the checksum of a {total}-byte frame is {checksum:#010x}, its bytes give {computed:#010x}"
            )
        except CodecError as exc:
            self._fail(exc)
            raise

    def _fail(self, error: CodecError) -> CodecError:
        """Stay failed, and give the error back to be raised.

        Only its text is kept. The error itself would keep its traceback, and through it this decoder and its caller.
        """
        self._failure = str(error)
        self._buffer = b""
        self._position = 0
        self._tail.clear()
        return error
