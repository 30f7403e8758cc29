"""The whole proxy against the limit of the stack, in one run, over real sockets.

Four processes: the simulator with paced streams, this load generator, and in turn a bare Trio byte relay (the limit),
the proxy as users start it, and a plain asyncio proxy that makes the same conversion calls. What is quoted is the
CPU time of the process under test for one event, from the kernel's accounting, and its ratio to the relay's.

    python -m benchmarks.bench_proxy [--json] [--streams 16 64 256 1000] [--rounds 3]

paced     N streams at once, one event of 140 bytes every 50 ms each, 100 events a stream
mixed     the same, but each stream has 40 events and is renewed at once: streams come and go
first     one stream after the other, nothing else running: milliseconds to the first event
memory    resident memory at the start, for each of 1,000 idle streams, and after the load
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05
PACED_EVENTS = 100
MIXED_EVENTS = 40
FIRST_ROUNDS = 100
EVENT_BYTES = 140
END = b"0\r\n\r\n"
KEY = "sk-benchmark-0123456789abcdef"
KINDS = ("relay", "proxy", "asyncio")


@dataclass(frozen=True)
class Server:
    """A process under test; ``request`` is what a client sends it to get one stream."""

    pid: int
    port: int
    request: bytes


@dataclass
class Result:
    cpu_us: float
    delivered: float
    p50_ms: float
    p99_ms: float


# --- processes --------------------------------------------------------------------------------------------------


@contextmanager
def process(*command: str, env: dict[str, str] | None = None) -> Iterator[tuple[int, str]]:
    """Start a Python process and give its pid and first line of output."""
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    ) as started:
        assert started.stdout is not None
        try:
            yield started.pid, started.stdout.readline().strip()
        finally:
            started.kill()


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def anthropic_request() -> bytes:
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1000,
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    return post("/v1/messages", json.dumps(body).encode(), f"x-api-key: {KEY}", "connection: close")


def kiro_request() -> bytes:
    headers = ("authorization: Bearer ksk_simulated_demo_key", "tokentype: API_KEY", "connection: close")
    return post("/generateAssistantResponse", b'{"conversationState":{}}', *headers)


@contextmanager
def servers(scenario: dict[str, object]) -> Iterator[dict[str, Server]]:
    """The simulator with ``scenario``, and each kind of server in front of it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "scenario.json").write_text(json.dumps(scenario))
        simulator = ("-m", "kiro_rs_py.simulator", "--port", "0", "--keep-requests", "1")
        _, url = stack.enter_context(process(*simulator, "--scenario", str(folder / "scenario.json")))
        upstream = url.rpartition(":")[2]
        entry = {"kiroApiKey": "ksk_simulated_demo_key", "authMethod": "api_key"}
        (folder / "credentials.json").write_text(json.dumps([entry]))
        (folder / "config.json").write_text(
            json.dumps({"apiKey": KEY, "upstreamUrl": url, "port": 0, "maxConcurrentRequests": 5000})
        )
        found: dict[str, Server] = {}
        pid, line = stack.enter_context(process("-m", "benchmarks.relay", upstream))
        found["relay"] = Server(pid, int(line), kiro_request())
        command = ("-m", "kiro_rs_py", "serve", "-c", str(folder / "config.json"), "--log-level", "warning")
        pid, line = stack.enter_context(process(*command))
        found["proxy"] = Server(pid, int(line.rpartition(":")[2].rstrip("/")), anthropic_request())
        pid, line = stack.enter_context(process("-m", "benchmarks.asyncio_proxy", upstream))
        found["asyncio"] = Server(pid, int(line), anthropic_request())
        yield found


def cpu_seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


# --- load -------------------------------------------------------------------------------------------------------


class Load:
    """Keeps ``streams`` open at once and counts their events, in one thread on epoll: it must cost little, since it
    shares the machine with what it measures.

    Events carry the simulator's clock as ``@<16 digits of microseconds>@``; one read in eight is looked at for it.
    """

    def __init__(self, server: Server, streams: int) -> None:
        self.server = server
        self.streams = streams
        self.events = 0
        self.latencies: list[float] = []
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._reads = 0

    def run(self, seconds: float | None = None) -> None:
        """Each stream once; with ``seconds``, each is renewed when it ends, until they have passed."""
        start = time.perf_counter()
        for number in range(self.streams):
            self._open()
            # A real load does not march in step.
            self._turn(EVERY / self.streams if number % 4 else 0.0)
        while self._sockets:
            ended = self._turn(1.0)
            if seconds is not None and time.perf_counter() - start < seconds:
                for _ in range(ended):
                    self._open()
        self._poll.close()

    def _open(self) -> None:
        opened = socket.create_connection(("127.0.0.1", self.server.port))
        opened.sendall(self.server.request)
        opened.setblocking(False)
        self._sockets[opened.fileno()] = opened
        self._poll.register(opened.fileno(), select.EPOLLIN)

    def _turn(self, timeout: float) -> int:
        """Read what is there; the number of streams that ended."""
        ended = 0
        for number, _ in self._poll.poll(timeout):
            data = self._sockets[number].recv(65_536)
            self.events += data.count(b"@") // 2
            self._reads += 1
            if self._reads % 8 == 0:
                self._note_latency(data)
            if not data or data.endswith(END):
                self._poll.unregister(number)
                self._sockets.pop(number).close()
                ended += 1
        return ended

    def _note_latency(self, data: bytes) -> None:
        mark = data.rfind(b"@", 0, data.rfind(b"@"))
        stamp = data[mark + 1 : mark + 17]
        if mark >= 0 and stamp.isdigit():
            self.latencies.append((time.monotonic_ns() // 1000 - int(stamp)) / 1000)


def run_paced(server: Server, streams: int, seconds: float | None = None) -> Result:
    load = Load(server, streams)
    before, start = cpu_seconds(server.pid), time.perf_counter()
    load.run(seconds)
    elapsed = time.perf_counter() - start
    cpu = cpu_seconds(server.pid) - before
    ordered = sorted(load.latencies)
    offered = streams * elapsed / EVERY
    return Result(
        cpu / load.events * 1e6, load.events / offered, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    )


def first_events(server: Server) -> list[float]:
    """Milliseconds from the request to the first text, sorted; one stream at a time."""
    times = []
    for _ in range(FIRST_ROUNDS):
        with socket.create_connection(("127.0.0.1", server.port)) as opened:
            start = time.perf_counter()
            opened.sendall(server.request)
            data = b""
            while b"lorem" not in data:
                data += opened.recv(65_536)
            times.append((time.perf_counter() - start) * 1000)
    return sorted(times)


def idle_memory(server: Server, streams: int) -> float:
    """KiB for each stream that is open and quiet."""
    before = resident_kib(server.pid)
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(streams)]
        for client in opened:
            client.sendall(server.request)
        for client in opened:
            client.recv(65_536)
        return (resident_kib(server.pid) - before) / streams


# --- the benchmark ----------------------------------------------------------------------------------------------


def paced(events: int, every: float = EVERY) -> dict[str, object]:
    return {"paced": {"events": events, "every": every, "size": EVENT_BYTES, "marks": True}}


def median(results: Sequence[Result]) -> Result:
    columns = zip(*((r.cpu_us, r.delivered, r.p50_ms, r.p99_ms) for r in results), strict=True)
    return Result(*(statistics.median(column) for column in columns))


def measure(streams: Sequence[int], rounds: int, seconds: float) -> dict[str, dict[str, dict[str, float]]]:
    """All tables: name → kind of server → column → figure."""
    tables: dict[str, dict[str, dict[str, float]]] = {}
    with servers(paced(PACED_EVENTS)) as found:
        memory = {kind: {"start MB": resident_kib(found[kind].pid) / 1024} for kind in KINDS}
        run_paced(found["proxy"], 8)
        for count in streams:
            results = {kind: [] for kind in KINDS}  # type: dict[str, list[Result]]
            for _ in range(rounds):
                for kind in KINDS:
                    results[kind].append(run_paced(found[kind], count))
            tables[f"paced {count}"] = _columns({kind: median(results[kind]) for kind in KINDS})
        for kind in KINDS:
            memory[kind]["after load MB"] = resident_kib(found[kind].pid) / 1024
    with servers(paced(MIXED_EVENTS)) as found:
        for count in streams:
            mixed = {kind: run_paced(found[kind], count, seconds) for kind in KINDS}
            tables[f"mixed {count}"] = _columns(mixed)
    with servers(paced(2, every=0.001)) as found:
        first = {kind: first_events(found[kind]) for kind in KINDS}
        tables["first event, idle"] = {
            kind: {
                "p50 ms": times[len(times) // 2],
                "x": times[len(times) // 2] / first["relay"][len(times) // 2],
                "p99 / p50": times[int(len(times) * 0.99)] / times[len(times) // 2],
            }
            for kind, times in first.items()
        }
    with servers(paced(1000, every=10.0)) as found:
        for kind in KINDS:
            memory[kind]["KiB / idle stream"] = idle_memory(found[kind], 1000)
    tables["memory"] = memory
    return tables


def _columns(results: dict[str, Result]) -> dict[str, dict[str, float]]:
    limit = results["relay"].cpu_us
    return {
        kind: {
            "CPU us/event": result.cpu_us,
            "x": result.cpu_us / limit,
            "delivered %": result.delivered * 100,
            "p50 ms": result.p50_ms,
            "p99 ms": result.p99_ms,
        }
        for kind, result in results.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--streams", type=int, nargs="+", default=[16, 64, 256, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long streams come and go")
    options = parser.parse_args()
    tables = measure(options.streams, options.rounds, options.seconds)
    if options.json:
        print(json.dumps(tables, indent=2))
        return
    for title, rows in tables.items():
        print(f"\n{title}")
        for kind, row in rows.items():
            print(f"  {kind:8}" + "".join(f"{name:>20} {value:9.2f}" for name, value in row.items()))


if __name__ == "__main__":
    main()
