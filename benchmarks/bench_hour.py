"""Resident memory of the proxy under an hour of load: does it grow?

    python -m benchmarks.bench_hour [--json] [--seconds 3600]
    python -m benchmarks.bench_hour [--json] --at-once 240

Each minute brings what a day brings: streams that come and go, eight a second, of which some are hung up on half-way;
large histories; answers that are not streamed; token counts; requests that are refused. Memory is read at the end of
each minute, when nothing runs. The first tenth of the time is left out: it fills caches and the allocator's arenas.
*slope* is the least-squares line through the rest.

The allocator goes on to touch new pools for longer than an hour of that. ``--at-once`` makes the requests of so many
minutes, large histories among them, without a pause and behind the upstream that answers at once: *middle* and *last*
tell whether it has come to an end.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import time

from benchmarks.bench_convert import agent_session
from benchmarks.load import Load, whole_answer
from benchmarks.servers import (
    PROXY,
    QUESTION,
    Server,
    behind_canned,
    behind_simulator,
    cpu_seconds,
    paced,
    resident_kib,
)

EVENTS, EVERY = 20, 0.05
ARRIVALS = 1 / 8
SIZES = (100_000, 400_000, 1_000_000)


def measure(seconds: float) -> dict[str, float]:
    """MB at the beginning (after the first tenth), at the end and at most, and the slope in MB an hour."""
    samples: list[tuple[float, float]] = []
    with behind_simulator(paced(EVENTS, EVERY), (PROXY,)) as servers:
        server = servers[PROXY]
        start, cpu, answers = time.monotonic(), cpu_seconds(server.pid), 0
        while (passed := time.monotonic() - start) < seconds:
            answers += _minute(server, min(60.0, max(seconds - passed, 1.0)))
            samples.append((time.monotonic() - start, resident_kib(server.pid) / 1024))
        share = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - start)
    rest = [sample for sample in samples if sample[0] >= seconds / 10] or samples
    slope = statistics.linear_regression(*zip(*rest, strict=True)).slope * 3600 if len(rest) > 1 else 0.0
    return {
        "minutes": samples[-1][0] / 60,
        "answers": answers,
        "busy %": share * 100,
        "first MB": rest[0][1],
        "last MB": rest[-1][1],
        "most MB": max(size for _, size in rest),
        "slope MB/h": slope,
    }


def measure_at_once(minutes: int) -> dict[str, float]:
    """MB after a tenth of so many rounds, after half of them and at the end."""
    sizes: list[float] = []
    answers = 0
    with behind_canned(EVENTS, (PROXY,)) as servers:
        server = servers[PROXY]
        counted, broken = _counted(server), server.asked(b'{"model": ')
        for _ in range(minutes):
            for size in SIZES:
                whole_answer(_with_history(server, size))
            streams = Load(server)
            streams.start(4, spread=0.01)
            answers += streams.measure(0.6).ended + len(SIZES)
            streams.stop()
            for _ in range(5):
                for request in (server, counted, broken):
                    _leave(request)
            sizes.append(resident_kib(server.pid) / 1024)
    first, middle = sizes[minutes // 10], sizes[minutes // 2]
    return {"minutes": minutes, "answers": answers, "first MB": first, "middle MB": middle, "last MB": sizes[-1]}


def _minute(server: Server, seconds: float) -> int:
    """One round of everything; how many requests it made."""
    for size in SIZES:
        whole_answer(_with_history(server, size))
    plain = server.asked(QUESTION.replace(b'"stream": true', b'"stream": false'))
    counted = _counted(server)
    broken = server.asked(b'{"model": ')
    streams = Load(server, renew=False, arrivals=ARRIVALS)
    others = [Load(kind, renew=False, arrivals=1.0) for kind in (plain, counted, broken)]
    ended = 0
    end = time.monotonic() + max(seconds - 5.0, 1.0)
    while time.monotonic() < end:
        for load, share in ((streams, 0.5), *((other, 0.05) for other in others)):
            ended += load.measure(share).ended
    for load in (streams, *others):
        load.stop()  # hangs up on what still runs
    return ended + len(SIZES)


def _with_history(server: Server, size: int) -> Server:
    return server.asked(agent_session(size).replace(b'"max_tokens"', b'"stream":true,"max_tokens"', 1))


def _counted(server: Server) -> Server:
    return Server(server.pid, server.port, server.request.replace(b"/v1/messages", b"/v1/messages/count_tokens", 1))


def _leave(server: Server) -> None:
    """One request that is hung up on as soon as its answer begins."""
    with socket.create_connection(("127.0.0.1", server.port)) as opened:
        opened.sendall(server.request)
        opened.recv(65_536)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--at-once", type=int, metavar="MINUTES", help="without pauses")
    options = parser.parse_args()
    found = measure_at_once(options.at_once) if options.at_once else measure(options.seconds)
    print(json.dumps(found, indent=2) if options.json else "\n".join(f"{k:<12}{v:>10.1f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
