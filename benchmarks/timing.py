"""Medians of several things, measured in turns within one run, and their ratios.

A shared machine is faster in one minute than in the next, so seconds of two runs cannot be compared. Here every round
calls each candidate once, and what is quoted is the ratio of their medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

# Long enough that reading the clock does not count, short enough that a disturbance spoils one sample only.
SAMPLE_SECONDS = 0.005


def measure(
    candidates: Mapping[str, Callable[[], object]],
    repeats: int = 25,
    *,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median seconds of one call of each candidate, over ``repeats`` interleaved samples.

    The default clock is this process's CPU time, which other processes disturb least; pass ``time.perf_counter`` where
    waiting counts.
    """
    calls = {name: _calls_per_sample(candidate, clock) for name, candidate in candidates.items()}
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, candidate in candidates.items():
            samples[name].append(_time_calls(candidate, calls[name], clock) / calls[name])
    return {name: statistics.median(values) for name, values in samples.items()}


def ratio(medians: Mapping[str, float], name: str, yardstick: str) -> float:
    """How many times the yardstick's time ``name`` takes."""
    return medians[name] / medians[yardstick]


def wants_json(description: str | None, argv: Sequence[str] | None = None) -> bool:
    """The command line of a benchmark without options of its own: ``--json`` or nothing."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return bool(parser.parse_args(argv).json)


def report(title: str, medians: Mapping[str, float], yardstick: str, *, as_json: bool) -> str:
    """Nanoseconds of each candidate, and their ratio to the yardstick, as a table or as a JSON object."""
    rows = {name: (seconds * 1e9, ratio(medians, name, yardstick)) for name, seconds in medians.items()}
    if as_json:
        results = {name: {"ns": round(ns, 1), "ratio": round(times, 3)} for name, (ns, times) in rows.items()}
        return json.dumps({"title": title, "yardstick": yardstick, "results": results}, indent=2)
    width = max(map(len, rows))
    lines = [f"{name:<{width}}  {ns:>12,.0f} ns  {times:>8.2f} x" for name, (ns, times) in rows.items()]
    return "\n".join([title, f"(x = times {yardstick})", *lines])


def _calls_per_sample(candidate: Callable[[], object], clock: Callable[[], float]) -> int:
    calls = 1
    while _time_calls(candidate, calls, clock) < SAMPLE_SECONDS:
        calls *= 2
    return calls


def _time_calls(candidate: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    turns = range(calls)
    start = clock()
    for _ in turns:
        candidate()
    return clock() - start
