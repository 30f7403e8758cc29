"""Paced streams: one task writes the events of all of them, so that a thousand cost a fraction of a core."""

from __future__ import annotations

import heapq
import itertools
import time
from struct import Struct
from zlib import crc32

import trio

from kiro_rs_py.simulator import frames
from kiro_rs_py.simulator.connection import Connection
from kiro_rs_py.simulator.frames import Paced

# Wake-ups are the expensive part: events due within one grain share one. Far below what a pace can express.
GRAIN = 0.001
# A client that does not read gets no further events, as a service would stop generating.
MAX_PENDING = 256 * 1024
MARK_DIGITS = 16

_CHECKSUM = Struct(">I")


class PacedFrames:
    """Makes the bytes of one tick: ``burst`` text frames, as one HTTP chunk when ``chunked``."""

    def __init__(self, paced: Paced, *, chunked: bool) -> None:
        self._paced = paced
        self._chunked = chunked
        mark = f"@{0:0{MARK_DIGITS}d}@" if paced.marks else ""
        filler = "".join(itertools.islice(itertools.cycle("lorem ipsum "), max(0, paced.size - len(mark))))
        frame = frames.event(frames.TEXT, {"content": mark + filler}).data
        place = frame.index(mark.encode()) + 1 if mark else 0
        self._before, self._after = frame[:place], frame[place + MARK_DIGITS : -4]
        self._frame = frame
        self._constant = self._chunk(frame, paced.burst)

    def next(self, count: int) -> bytes:
        """The bytes for ``count`` events, at most a burst."""
        if self._paced.marks:
            return self._chunk(self._marked(), count)
        return self._constant if count == self._paced.burst else self._chunk(self._frame, count)

    def _marked(self) -> bytes:
        stamp = time.monotonic_ns() // 1000
        message = b"".join((self._before, b"%016d" % stamp, self._after))
        return message + _CHECKSUM.pack(crc32(message))

    def _chunk(self, frame: bytes, count: int) -> bytes:
        data = frame * count
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data


class PacedStream:
    """One stream in the pacer's hands. ``done`` is set when all its events are written, or when nobody is left to
    write them to (then it is ``broken``); ``pending`` are bytes the socket would not take yet."""

    def __init__(self, connection: Connection, paced: Paced, start: float) -> None:
        self.done = trio.Event()
        self.due = start
        self.broken = False
        self._connection = connection
        self._paced = paced
        self._frames = PacedFrames(paced, chunked=True)
        self._left = paced.events
        self.pending = b""

    def tick(self) -> None:
        """Writes what is due. Never waits."""
        self.due += self._paced.every
        if self._left and len(self.pending) < MAX_PENDING:
            count = min(self._left, self._paced.burst)
            self._left -= count
            self.pending += self._frames.next(count)
        try:
            self.pending = self.pending[self._connection.write_now(self.pending) :]
        except OSError:
            self.broken = True
            self._left, self.pending = 0, b""
        if not (self._left or self.pending):
            self.done.set()


class Pacer:
    """The task that ticks all paced streams; it must run (:meth:`run`) while any of them does."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, PacedStream]] = []
        self._order = itertools.count()
        self._sooner = trio.Event()

    @property
    def stuck(self) -> int:
        """Streams whose client does not read fast enough just now."""
        return sum(bool(stream.pending) for _, _, stream in self._heap)

    def add(self, stream: PacedStream) -> None:
        """From ``stream.due`` on, until it is done or its ``done`` is set by its owner."""
        if not self._heap or stream.due < self._heap[0][0]:
            self._sooner.set()
        heapq.heappush(self._heap, (stream.due, next(self._order), stream))

    async def run(self) -> None:
        while True:
            now = trio.current_time()
            while self._heap and self._heap[0][0] <= now:
                _, order, stream = heapq.heappop(self._heap)
                if not stream.done.is_set():
                    stream.tick()
                if not stream.done.is_set():
                    heapq.heappush(self._heap, (stream.due, order, stream))
            self._sooner = trio.Event()
            wake = max(self._heap[0][0], now + GRAIN) if self._heap else float("inf")
            with trio.move_on_at(wake):
                await self._sooner.wait()
