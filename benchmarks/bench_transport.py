"""Answers on our transport and on httpx's stock one, against the simulator in another process.

A short answer is a POST with a 4 kB body and a stream of 20 text events at once, which are decoded; every call has its
own connection, as the protocol asks. A paced one is 256 streams with an event every 50 ms each. Yardstick:
``httpx.AsyncClient`` as it comes. What is quoted is the CPU time of this process, the kernel's part included, which is
the same for all (a third of a short answer is spent in ``connect``); and answers per second of wall clock, which the
simulator limits too. The last part compares parsing alone with h11.
Run with ``python -m benchmarks.bench_transport [--json]``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import h11
import httpx
import trio

from benchmarks.timing import measure, report, wants_json
from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.config import Config
from kiro_rs_py.convert.events import parse_event
from kiro_rs_py.convert.kiro import ConversationState, UserMessage, encode_request
from kiro_rs_py.upstream.client import KiroClient
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.headers import chat_headers
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.http1 import ResponseReader
from kiro_rs_py.upstream.leases import Lease

Call: TypeAlias = Callable[[], Awaitable[None]]

EVENTS = 20
ANSWERS = 256
ROUNDS = 7
CONCURRENCIES = (1, 16, 256)
PACED_STREAMS = 256
PACED_EVENTS = 40
PACED_ROUNDS = 2
STOCK = "httpx, stock transport"

CONVERSATION = ConversationState(
    conversation_id="8bb5523b-ec7c-4540-a9ca-beb6d79f1552",
    continuation_id="3f0c1f5e-8a35-4b0c-9a0e-0d9d8a4b8c11",
    model_id="claude-sonnet-4.5",
    current=UserMessage("x" * 4000),
)
# One of the simulator's own accounts.
CREDENTIAL = Credential(id=1, auth_method="api_key", kiro_api_key="ksk_simulated_demo_key", machine_id="ab" * 32)


class OneCredential:
    """A pool that costs nothing."""

    async def lease(self, model: str, *, tried: Collection[int] = ()) -> Lease:
        return Lease(CREDENTIAL, model, 0.0, lambda lease, outcome: None)


def main() -> None:
    """Measure and print."""
    as_json = wants_json(__doc__)
    with simulator({"paced": {"events": EVENTS, "every": 0.0}}) as url:
        short = {concurrency: trio.run(measure_short, url, concurrency) for concurrency in CONCURRENCIES}
    with simulator({"paced": {"events": PACED_EVENTS, "every": 0.05}}) as url:
        paced = trio.run(measure_paced, url)
    parsing = measure({"h11": parse_with_h11, "our reader": parse})
    if as_json:
        results = {"short": short, "paced_seconds_per_event": paced, "parsing_seconds": parsing}
        print(json.dumps({"yardstick": STOCK, **results}, indent=2))
        return
    for concurrency, figures in short.items():
        print(f"{concurrency} at a time: one answer of {EVENTS} events")
        stock_cpu, stock_rate = figures[STOCK]
        for name, (cpu, rate) in figures.items():
            print(
                f"  {name:<24} {cpu * 1e6:8.0f} µs CPU ({stock_cpu / cpu:4.2f} x less)"
                f"  {rate:7.0f} answers/s ({rate / stock_rate:4.2f} x)"
            )
    print(f"{PACED_STREAMS} streams, 20 events a second each: one event")
    for name, cpu in paced.items():
        print(f"  {name:<24} {cpu * 1e6:8.1f} µs CPU ({paced[STOCK] / cpu:4.2f} x less)")
    print(report(f"Parsing one short answer, {EVENTS} reads", parsing, "h11", as_json=False))


@asynccontextmanager
async def candidates(url: str) -> AsyncIterator[dict[str, Call]]:
    """What is measured: each call is one answer."""
    config = Config(upstream_url=url, first_event_timeout_seconds=30.0)
    stock_limits = httpx.Limits(max_connections=None)
    http = HttpClients(config)
    async with (
        httpx.AsyncClient(trust_env=False, limits=stock_limits, timeout=30.0) as stock,
        httpx.AsyncClient(trust_env=False, transport=http.transport(), timeout=30.0) as ours,
    ):
        yield {
            STOCK: partial(through_httpx, stock, config, url),
            "httpx, our transport": partial(through_httpx, ours, config, url),
            "KiroClient": partial(through_client, KiroClient(config, OneCredential(), http)),
        }


async def measure_short(url: str, concurrency: int) -> dict[str, tuple[float, float]]:
    """Median CPU seconds of an answer and answers per second, for each candidate, in interleaved rounds."""
    samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
    async with candidates(url) as calls:
        for turn in range(ROUNDS + 1):
            for name, call in calls.items():
                sample = await answer(call, ANSWERS, concurrency)
                if turn:  # the first one warms up
                    samples[name].append(sample)
    return {
        name: (statistics.median(cpu for cpu, _ in taken), statistics.median(rate for _, rate in taken))
        for name, taken in samples.items()
    }


async def measure_paced(url: str) -> dict[str, float]:
    """CPU seconds of an event."""
    samples: dict[str, list[float]] = defaultdict(list)
    async with candidates(url) as calls:
        for _ in range(PACED_ROUNDS):
            for name, call in calls.items():
                cpu, _ = await answer(call, PACED_STREAMS, PACED_STREAMS)
                samples[name].append(cpu / PACED_EVENTS)
    return {name: statistics.median(taken) for name, taken in samples.items()}


async def answer(call: Call, answers: int, concurrency: int) -> tuple[float, float]:
    """CPU seconds of one answer and answers per second, with ``concurrency`` tasks taking turns."""
    left = iter(range(answers))

    async def worker() -> None:
        for _ in left:
            await call()

    cpu, wall = time.process_time(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(concurrency):
            nursery.start_soon(worker)
    return (time.process_time() - cpu) / answers, answers / (time.perf_counter() - wall)


async def through_httpx(client: httpx.AsyncClient, config: Config, url: str) -> None:
    """What KiroClient does, with an AsyncClient."""
    body = encode_request(CONVERSATION)
    url += "/generateAssistantResponse"
    headers = chat_headers(config, CREDENTIAL, url, body)
    response = await client.send(httpx.Request("POST", url, headers=headers, content=body), stream=True)
    decoder = EventStreamDecoder()
    count = 0
    async for data in response.aiter_raw():
        decoder.receive_data(data)
        while (frame := decoder.next_frame()) is not None:
            count += parse_event(frame) is not None
    decoder.receive_eof()
    await response.aclose()
    assert count >= EVENTS, count


async def through_client(client: KiroClient) -> None:
    """The whole of it: lease, attempts, first event, decoding."""
    count = 0
    async with client.converse(CONVERSATION, request_id="req_bench") as stream:
        while (events := await stream.next_events()) is not None:
            count += len(events)
    assert count >= EVENTS, count


@contextmanager
def simulator(scenario: dict[str, object]) -> Iterator[str]:
    """Its base URL; a process of its own, so that its CPU time is not ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.json"
        path.write_text(json.dumps(scenario))
        command = [sys.executable, "-m", "kiro_rs_py.simulator", "--scenario", str(path), "--keep-requests", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().strip()
            finally:
                process.terminate()


# --- parsing alone ----------------------------------------------------------------------------------------------

FRAME = event_frame("assistantResponseEvent", b'{"content":" a few words of text"}')
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nx-amzn-requestid: 1234\r\n"
    b"date: Fri, 31 Jul 2026 12:00:00 GMT\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
)
READS = [HEAD, *[b"%x\r\n%b\r\n" % (len(FRAME), FRAME)] * EVENTS, b"0\r\n\r\n"]


def parse() -> None:
    reader = ResponseReader(b"POST")
    size = sum(len(reader.receive_data(data)) for data in READS)
    assert reader.ended
    assert size == EVENTS * len(FRAME)


def parse_with_h11() -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "q"), ("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    size = 0
    for data in READS:
        connection.receive_data(data)
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Data):
                size += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
    assert size == EVENTS * len(FRAME)


if __name__ == "__main__":
    main()
