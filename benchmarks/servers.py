"""The processes of one measurement: an upstream, and each kind of server in front of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

DIRECT, RELAY, PROXY, ASYNCIO, STOCK = "direct", "relay", "proxy", "asyncio", "stock httpx"
KINDS = (RELAY, PROXY, ASYNCIO)
KEY = "sk-benchmark-0123456789abcdef"
EVENT_BYTES = 140
QUESTION = json.dumps(
    {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1000,
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
    }
).encode()


@dataclass(frozen=True)
class Server:
    """A process under test; ``request`` is what a client sends it to get one stream."""

    pid: int
    port: int
    request: bytes

    def asked(self, body: bytes) -> Server:
        """The same server, asked with another body."""
        head = self.request.partition(b"\r\n\r\n")[0]
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length:")]
        return replace(self, request=b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body]))


def paced(events: int, every: float) -> dict[str, object]:
    """A scenario: an answer of ``events`` text events, one every ``every`` seconds."""
    return {"paced": {"events": events, "every": every, "size": EVENT_BYTES, "marks": True}}


@contextmanager
def behind_simulator(scenario: dict[str, object], kinds: Sequence[str] = KINDS) -> Iterator[dict[str, Server]]:
    """The simulator with ``scenario``, reached directly and through each of ``kinds``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "scenario.json").write_text(json.dumps(scenario))
        simulator = ("-m", "kiro_rs_py.simulator", "--port", "0", "--keep-requests", "1")
        pid, url = stack.enter_context(_process(*simulator, "--scenario", str(folder / "scenario.json")))
        yield _in_front_of(pid, int(url.rpartition(":")[2]), kinds, folder, stack)


@contextmanager
def behind_canned(events: int, kinds: Sequence[str] = KINDS) -> Iterator[dict[str, Server]]:
    """The same in front of the upstream that answers ``events`` events at once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pid, port = stack.enter_context(_process("-m", "benchmarks.canned", "--events", str(events)))
        yield _in_front_of(pid, int(port), kinds, folder, stack)


def _in_front_of(pid: int, port: int, kinds: Sequence[str], folder: Path, stack: ExitStack) -> dict[str, Server]:
    upstream = Server(pid, port, _kiro_request())
    found = {DIRECT: upstream}
    for kind in kinds:
        match kind:
            case "relay":
                pid, line = stack.enter_context(_process("-m", "benchmarks.relay", str(port)))
                found[kind] = replace(upstream, pid=pid, port=int(line))
            case "asyncio":
                pid, line = stack.enter_context(_process("-m", "benchmarks.asyncio_proxy", str(port)))
                found[kind] = Server(pid, int(line), _anthropic_request())
            case _:
                module = "kiro_rs_py" if kind == PROXY else "benchmarks.stock"
                command = ("-m", module, "serve", "-c", _configured(folder / kind, port))
                pid, line = stack.enter_context(_process(*command))
                found[kind] = Server(pid, int(line.rpartition(":")[2].rstrip("/")), _anthropic_request())
    return found


def cpu_seconds(pid: int) -> float:
    """What the process has used so far, by the kernel's accounting to the nanosecond; ended threads are left out."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9


def resident_kib(pid: int) -> int:
    """Resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@contextmanager
def _process(*command: str) -> Iterator[tuple[int, str]]:
    """Start a Python process and give its pid and first line of output."""
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as started:
        assert started.stdout is not None
        try:
            yield started.pid, started.stdout.readline().strip()
        finally:
            started.kill()


def _configured(folder: Path, upstream: int) -> str:
    """A configuration file of the proxy, with one account."""
    folder.mkdir()
    settings = {"apiKey": KEY, "upstreamUrl": f"http://127.0.0.1:{upstream}", "port": 0}
    settings |= {"maxConcurrentRequests": 5000, "maxRequestBodyBytes": 0}
    entry = {"kiroApiKey": "ksk_simulated_demo_key", "authMethod": "api_key"}
    for name, content in (("config.json", settings), ("credentials.json", [entry])):
        (folder / name).write_text(json.dumps(content))
        (folder / name).chmod(0o600)
    return str(folder / "config.json")


def _post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *headers]
    return "\r\n".join([*lines, "connection: close", f"content-length: {len(body)}", "", ""]).encode() + body


def _anthropic_request() -> bytes:
    return _post("/v1/messages", QUESTION, f"x-api-key: {KEY}")


def _kiro_request() -> bytes:
    headers = ("authorization: Bearer ksk_simulated_demo_key", "tokentype: API_KEY")
    return _post("/generateAssistantResponse", b'{"conversationState":{}}', *headers)
