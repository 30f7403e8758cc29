"""Resident memory of the proxy under an hour of load: does it grow?

    python -m benchmarks.bench_hour [--json] [--seconds 3600]

Each minute brings what a day brings: streams that come and go, eight a second, of which some are hung up on half-way;
large histories; answers that are not streamed; token counts; requests that are refused. Memory is read at the end of
each minute, when nothing runs. The first tenth of the time is left out: it fills caches and the allocator's arenas.
*slope* is the least-squares line through the rest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from benchmarks.bench_convert import agent_session
from benchmarks.load import Load, whole_answer
from benchmarks.servers import PROXY, QUESTION, Server, behind_simulator, cpu_seconds, paced, resident_kib

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


def _minute(server: Server, seconds: float) -> int:
    """One round of everything; how many requests it made."""
    for size in SIZES:
        whole_answer(server.asked(agent_session(size).replace(b'"max_tokens"', b'"stream":true,"max_tokens"', 1)))
    plain = server.asked(QUESTION.replace(b'"stream": true', b'"stream": false'))
    counted = Server(server.pid, server.port, server.request.replace(b"/v1/messages", b"/v1/messages/count_tokens", 1))
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.add_argument("--seconds", type=float, default=3600.0)
    options = parser.parse_args()
    found = measure(options.seconds)
    print(json.dumps(found, indent=2) if options.json else "\n".join(f"{k:<12}{v:>10.1f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
