"""The whole proxy against the limit of the stack, in one run, over real sockets.

Four processes: an upstream, this load generator, and in turn a bare Trio byte relay (the limit), the proxy as users
start it, and a plain asyncio proxy that makes the same conversion calls. ``direct`` is no server between, which shows
what upstream and generator are good for. CPU is that of the process under test, by the kernel's accounting, and ``x``
its ratio to the relay's.

    python -m benchmarks.bench_proxy [--json] [--quick] [--only TABLE …] [--streams 16 256 …]

paced      N streams at once, one event of 140 bytes every 50 ms each; measured when all run, until they still all run
mixed      the same with streams of 40 events, of which one begins every 2 s / N, whatever has become of the others;
           from 1,000 on with streams of 200 events
saturated  16 streams of 2,000 events that are there at once, renewed
short      answers of 20 events that are there at once, renewed; also the proxy on httpx's stock transport
first      one answer after the other, nothing else running: milliseconds to the first event, and how many of them the
           server adds
large      one request after the other with a large history; x is here CPU time to that of json.loads + json.dumps
memory     at the start, for each of 1,000 idle streams, for one with 1 MB of history, and after 4,000 answers

The upstream is the simulator where events are paced; where it would be what is measured, one that answers at once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from benchmarks.bench_convert import agent_session, json_work
from benchmarks.load import Load, Window, first_event, whole_answer
from benchmarks.servers import (
    ASYNCIO,
    DIRECT,
    KINDS,
    PROXY,
    RELAY,
    STOCK,
    Server,
    behind_canned,
    behind_simulator,
    cpu_seconds,
    paced,
    resident_kib,
)

EVERY = 0.05
MIXED_EVENTS = 40
ENDLESS = 1_000_000
STREAMS = (1, 16, 64, 256, 1000)

Row = dict[str, float]
Table = dict[str, Row]
"""Kind of server → column → figure."""


class Plan:
    """How much of each table: ``quick`` to see that all works, else as much as the figures need."""

    def __init__(self, *, quick: bool, streams: Sequence[int]) -> None:
        self.streams = [count for count in streams if count <= 64] if quick else list(streams)
        self.rounds = 1 if quick else 3
        self.seconds = 1.0 if quick else 2.0
        self.firsts = 30 if quick else 200
        self.sizes = (500_000,) if quick else (500_000, 1_000_000, 2_000_000, 5_000_000)
        self.idle = 100 if quick else 1000
        self.answers = 200 if quick else 4000


def measure_paced(plan: Plan) -> dict[str, Table]:
    """Streams that all run."""
    tables = {}
    with behind_simulator(paced(ENDLESS, EVERY)) as servers:
        for count in plan.streams:
            offered = count / EVERY
            tables[f"paced {count}"] = _paced_table(
                {kind: _in_rounds(plan, server, count, spread=0.5) for kind, server in servers.items()}, offered
            )
    return tables


def measure_mixed(plan: Plan) -> dict[str, Table]:
    """Streams that come and go."""
    tables = {}
    for count in plan.streams:
        # A thousand short ones would be 500 beginnings a second, more than there is a core for.
        events = MIXED_EVENTS if count < 1000 else 5 * MIXED_EVENTS
        length = events * EVERY
        windows = {}
        with behind_simulator(paced(events, EVERY)) as servers:
            for kind, server in servers.items():
                load = Load(server, renew=False, arrivals=length / count)
                load.measure(length * 1.2)  # until as many end as begin
                windows[kind] = [load.measure(plan.seconds) for _ in range(plan.rounds)]
                load.stop()
        tables[f"mixed {count}"] = _paced_table(windows, count / EVERY)
    return tables


def measure_saturated(plan: Plan) -> dict[str, Table]:
    """As fast as it goes."""
    with behind_canned(2000) as servers:
        windows = {kind: _in_rounds(plan, server, 16, spread=0.1) for kind, server in servers.items()}
    limit = _per_event(windows[RELAY])
    rows = {
        kind: {
            "events/s": statistics.median(w.events / w.seconds for w in taken),
            "CPU us/event": _per_event(taken),
            "x": _per_event(taken) / limit,
        }
        for kind, taken in windows.items()
    }
    return {"saturated 16": rows}


def measure_short(plan: Plan) -> dict[str, Table]:
    """Answers of 20 events, at once."""
    tables = {}
    with behind_canned(20, (*KINDS, STOCK)) as servers:
        for count in (1, 16):
            windows: dict[str, list[Window]] = defaultdict(list)
            for _ in range(plan.rounds):
                for kind, server in servers.items():
                    windows[kind] += _in_rounds(Plan(quick=True, streams=()), server, count, spread=0.1)
            rates = {kind: statistics.median(w.ended / w.seconds for w in taken) for kind, taken in windows.items()}
            cpu = {kind: statistics.median(w.cpu / w.ended for w in taken) for kind, taken in windows.items()}
            tables[f"short {count}"] = {
                kind: {
                    "answers/s": rates[kind],
                    "x stock": rates[kind] / rates[STOCK],
                    "CPU us/answer": cpu[kind] * 1e6,
                    "x": cpu[kind] / cpu[RELAY],
                }
                for kind in servers
            }
    return tables


def measure_first(plan: Plan) -> dict[str, Table]:
    """Time to the first event. ``added`` is what the server adds to the median without any."""
    taken: dict[str, list[float]] = defaultdict(list)
    with behind_canned(20) as servers:
        for _ in range(plan.firsts):
            for kind, server in servers.items():
                taken[kind].append(first_event(server))
    p50 = {kind: statistics.median(times) for kind, times in taken.items()}
    rows: Table = {}
    for kind, times in taken.items():
        p99 = sorted(times)[int(len(times) * 0.99)]
        added, limit = p50[kind] - p50[DIRECT], p50[RELAY] - p50[DIRECT]
        rows[kind] = {"p50 ms": p50[kind], "p99 ms": p99, "p99 / p50": p99 / p50[kind], "x": p50[kind] / p50[RELAY]}
        rows[kind] |= {"added ms": added, "added x": added / limit}
    return {"first": rows}


def measure_large(plan: Plan) -> dict[str, Table]:
    """Large histories."""
    tables: dict[str, Table] = {}
    with behind_canned(20, (PROXY, ASYNCIO)) as servers:
        for size in plan.sizes:
            body = agent_session(size).replace(b'"max_tokens"', b'"stream":true,"max_tokens"', 1)
            yardstick = statistics.median(_cpu_of(lambda body=body: json_work(body)) for _ in range(5))  # type: ignore[misc]
            rows: Table = {}
            for kind in (PROXY, ASYNCIO):
                server = servers[kind].asked(body)
                whole_answer(server)
                costs = []
                for _ in range(5):
                    before = cpu_seconds(server.pid)
                    whole_answer(server)
                    costs.append(cpu_seconds(server.pid) - before)
                cost = statistics.median(costs)
                rows[kind] = {"CPU ms": cost * 1000, "ns/byte": cost * 1e9 / len(body), "x": cost / yardstick}
            tables[f"large {size / 1e6:g} MB"] = rows
    return tables


def measure_memory(plan: Plan) -> dict[str, Table]:
    """Resident memory."""
    rows: Table = {kind: {} for kind in KINDS}
    with behind_simulator(paced(ENDLESS, 4.0)) as servers:
        for kind in KINDS:
            server = servers[kind]
            rows[kind]["start MB"] = resident_kib(server.pid) / 1024
            rows[kind]["kB / idle stream"] = _idle_kb(server, plan.idle)
    history = agent_session(1_000_000).replace(b'"max_tokens"', b'"stream":true,"max_tokens"', 1)
    with behind_simulator(paced(ENDLESS, 2.0)) as servers:
        for kind in (PROXY, ASYNCIO):
            server = servers[kind].asked(history)
            rows[kind]["kB / idle with 1 MB"] = _idle_kb(server, plan.idle // 10, spread=plan.idle / 100)
    with behind_canned(20) as servers:
        for kind in KINDS:
            server = servers[kind]
            _answers(server, plan.answers // 4)
            quarter = resident_kib(server.pid)
            _answers(server, plan.answers * 3 // 4)
            rows[kind]["after load MB"] = resident_kib(server.pid) / 1024
            rows[kind]["growth MB"] = (resident_kib(server.pid) - quarter) / 1024
    return {"memory": rows}


MEASUREMENTS: Mapping[str, Callable[[Plan], dict[str, Table]]] = {
    "paced": measure_paced,
    "mixed": measure_mixed,
    "saturated": measure_saturated,
    "short": measure_short,
    "first": measure_first,
    "large": measure_large,
    "memory": measure_memory,
}


# --- parts --------------------------------------------------------------------------------------------------------


def _in_rounds(plan: Plan, server: Server, streams: int, *, spread: float) -> list[Window]:
    """Start the load once and look at it for several windows."""
    load = Load(server)
    load.start(streams, spread)
    windows = [load.measure(plan.seconds) for _ in range(plan.rounds)]
    load.stop()
    return windows


def _per_event(windows: Sequence[Window]) -> float:
    """Microseconds of CPU."""
    return statistics.median(window.cpu / max(window.events, 1) for window in windows) * 1e6


def _paced_table(windows: Mapping[str, Sequence[Window]], offered: float) -> Table:
    limit = _per_event(windows[RELAY])
    table: Table = {}
    for kind, taken in windows.items():
        latencies = sorted(latency for window in taken for latency in window.latencies)
        table[kind] = {
            "CPU us/event": _per_event(taken),
            "x": _per_event(taken) / limit,
            "delivered %": statistics.median(w.events / w.seconds for w in taken) / offered * 100,
            "p50 ms": latencies[len(latencies) // 2],
            "p99 ms": latencies[int(len(latencies) * 0.99)],
            "busy %": statistics.median(w.cpu / w.seconds for w in taken) * 100,
            "generator %": statistics.median(w.generator / w.seconds for w in taken) * 100,
        }
    return table


def _answers(server: Server, count: int) -> None:
    load = Load(server)
    for _ in range(8):
        load.connect()
    while load.window.ended < count:
        load.turn(1.0)
    load.stop()


def _idle_kb(server: Server, streams: int, *, spread: float = 0.0) -> float:
    """kB (1,000 bytes) for each stream that is open and quiet; opened over ``spread`` seconds, so that what a request
    takes for a moment is not counted for each."""
    warm = Load(server)
    warm.start(10, 0.1)
    warm.stop()
    before = resident_kib(server.pid)
    load = Load(server, renew=False)
    load.start(streams, spread)
    after = resident_kib(server.pid)
    load.stop()
    return (after - before) * 1.024 / streams


def _cpu_of(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


# --- printing -----------------------------------------------------------------------------------------------------


def measure(plan: Plan, only: Sequence[str] = tuple(MEASUREMENTS)) -> dict[str, Table]:
    """All tables asked for."""
    tables: dict[str, Table] = {}
    for name in only:
        tables |= MEASUREMENTS[name](plan)
    return tables


def render(tables: Mapping[str, Table]) -> str:
    """For people."""
    lines: list[str] = []
    for title, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        lines += ["", f"{title:<16}" + "".join(f"{column:>{_width(column)}}" for column in columns)]
        for kind, row in rows.items():
            cells = (f"{row[c]:>{_width(c)}.2f}" if c in row else " " * _width(c) for c in columns)
            lines.append(f"  {kind:<14}" + "".join(cells))
    return "\n".join(lines[1:])


def _width(column: str) -> int:
    return max(len(column) + 2, 11)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS), metavar="TABLE")
    parser.add_argument("--streams", type=int, nargs="+", default=list(STREAMS))
    options = parser.parse_args()
    tables = measure(Plan(quick=options.quick, streams=options.streams), options.only)
    print(json.dumps(tables, indent=2) if options.json else render(tables))


if __name__ == "__main__":
    main()
