"""The text format that Prometheus reads, version 0.0.4: a page of samples.

Written here because it is thirty lines: the client library brings a registry of its own, with locks, and costs the
start more than all the rest of this.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, TypeAlias

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


class Histogram:
    """How many values were at most each of ``bounds`` (ascending), and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Exposition:
    """Takes families and their samples in order, gives the page."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._name = ""

    def family(self, name: str, kind: Kind, about: str, value: float | None = None) -> None:
        """Begin a family; ``about`` is one sentence. The samples after it are its own; with ``value`` there is one,
        without labels."""
        self._name = name
        self._lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        if value is not None:
            self.sample(value)

    def sample(self, value: float, **labels: str) -> None:
        """One sample of the present family."""
        self._line(self._name, value, labels)

    def histogram(self, histogram: Histogram, **labels: str) -> None:
        """All samples of one histogram of the present family."""
        so_far = 0
        for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
            so_far += count
            self._line(f"{self._name}_bucket", so_far, {**labels, "le": _number(bound)})
        self._line(f"{self._name}_sum", histogram.sum, labels)
        self._line(f"{self._name}_count", so_far, labels)

    def page(self) -> bytes:
        return "".join(f"{line}\n" for line in self._lines).encode()

    def _line(self, name: str, value: float, labels: dict[str, str]) -> None:
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        self._lines.append(f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
