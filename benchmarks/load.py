"""The load generator: many streams in one thread on epoll. It must cost little, since it shares the machine with what
it measures, so it looks at bytes, not at HTTP.

Events carry the upstream's clock as ``@<16 digits of microseconds>@``, whatever stands between.
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass, field

from benchmarks.servers import Server, cpu_seconds

END = b"0\r\n\r\n"
READ_BYTES = 65_536
# One read in so many is looked at for its latency.
SAMPLE = 8


@dataclass
class Window:
    """What happened in ``seconds`` of wall clock. ``cpu`` seconds are the server's, ``generator`` those of this
    process; ``latencies`` are milliseconds from the upstream's write to our read."""

    seconds: float = 0.0
    cpu: float = 0.0
    generator: float = 0.0
    events: int = 0
    ended: int = 0
    latencies: list[float] = field(default_factory=list)


class Load:
    """Streams of one server. ``window`` is what has happened since it was last replaced.

    ``renew``: a stream that ends is followed by another at once. ``arrivals``: while it is measured, a new one begins
    every so many seconds. (Renewed streams of one length fall into step and stay there, as real ones would not.)
    """

    def __init__(self, server: Server, *, renew: bool = True, arrivals: float | None = None) -> None:
        self.server = server
        self.window = Window()
        self.begun = 0
        """Streams whose first event has come."""
        self._renew = renew
        self._arrivals = arrivals
        self._next = time.perf_counter()
        self._poll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._silent: set[int] = set()
        self._reads = 0

    @property
    def open(self) -> int:
        return len(self._open)

    def start(self, streams: int, spread: float) -> None:
        """Open so many over ``spread`` seconds, since a real load does not march in step; then wait until all have
        had an event."""
        began = time.perf_counter()
        for number in range(streams):
            self.connect()
            while (left := began + spread * (number + 1) / streams - time.perf_counter()) > 0:
                self.turn(left)
        while self.begun < streams:
            self.turn(1.0)

    def measure(self, seconds: float) -> Window:
        """Go on for so long; what happened meanwhile."""
        self.window = window = Window()
        cpu, generator, start = cpu_seconds(self.server.pid), time.process_time(), time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds:
            self.turn(min(seconds - passed, self._arrive()))
        window.seconds = time.perf_counter() - start
        window.cpu = cpu_seconds(self.server.pid) - cpu
        window.generator = time.process_time() - generator
        return window

    def stop(self) -> None:
        """Hang up everywhere and wait until the server has noticed."""
        self._poll.close()
        for opened in self._open.values():
            opened.close()
        self._open.clear()
        for _ in range(50):
            before = cpu_seconds(self.server.pid)
            time.sleep(0.1)
            if cpu_seconds(self.server.pid) - before < 0.002:
                return

    def connect(self) -> None:
        opened = socket.create_connection(("127.0.0.1", self.server.port))
        opened.sendall(self.server.request)
        opened.setblocking(False)
        self._open[opened.fileno()] = opened
        self._silent.add(opened.fileno())
        self._poll.register(opened.fileno(), select.EPOLLIN)

    def _arrive(self) -> float:
        """Begin the streams that are due; seconds until the next one is."""
        if self._arrivals is None:
            return 1.0
        while (left := self._next - time.perf_counter()) <= 0:
            self.connect()
            self._next += self._arrivals
        return left

    def turn(self, timeout: float) -> None:
        """Read what is there, or the first that comes within ``timeout`` seconds."""
        for number, _ in self._poll.poll(timeout):
            data = self._open[number].recv(READ_BYTES)
            count = data.count(b"@") // 2
            self.window.events += count
            if count and number in self._silent:
                self._silent.discard(number)
                self.begun += 1
            self._reads += 1
            if self._reads % SAMPLE == 0:
                self._note_latency(data)
            if not data or data.endswith(END):
                self._end(number)

    def _end(self, number: int) -> None:
        self._poll.unregister(number)
        self._open.pop(number).close()
        self._silent.discard(number)
        self.window.ended += 1
        if self._renew:
            self.connect()

    def _note_latency(self, data: bytes) -> None:
        mark = data.rfind(b"@", 0, data.rfind(b"@"))
        stamp = data[mark + 1 : mark + 17]
        if mark >= 0 and stamp.isdigit():
            self.window.latencies.append((time.monotonic_ns() // 1000 - int(stamp)) / 1000)


def first_event(server: Server) -> float:
    """Milliseconds from the request to the first text, of one stream; the connection's set-up counts."""
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port)) as opened:
        opened.sendall(server.request)
        data = b""
        while b"lorem" not in data:
            data += opened.recv(READ_BYTES)
        milliseconds = (time.perf_counter() - start) * 1000
        while data and not data.endswith(END):
            data = opened.recv(READ_BYTES)
    return milliseconds


def whole_answer(server: Server) -> None:
    """One request, read to the end of its answer."""
    with socket.create_connection(("127.0.0.1", server.port)) as opened:
        opened.sendall(server.request)
        data = opened.recv(READ_BYTES)
        if b" 200 " not in data[:16]:
            raise RuntimeError(f"refused: {data + opened.recv(READ_BYTES)!r}")
        while data and not data.endswith(END):
            data = opened.recv(READ_BYTES)
