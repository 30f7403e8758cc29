"""What the wire does, step by step, once the answer's headers are out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from kiro_rs_py.simulator.frames import Event


class Send(NamedTuple):
    """These bytes in one go."""

    data: bytes


class Pause(NamedTuple):
    seconds: float


class Cut(NamedTuple):
    """The connection closes without the end of the body; ``reset`` with RST instead of FIN."""

    reset: bool = False


class Hang(NamedTuple):
    """Nothing more, until the client goes away."""


class Paced(NamedTuple):
    """``events`` text frames of ``size`` characters, ``burst`` of them every ``every`` seconds.

    With ``marks`` each frame carries its send time, ``@`` + 16 digits of microseconds of the monotonic clock + ``@``,
    so that a load generator can measure how long it took.
    """

    events: int
    every: float
    size: int = 140
    burst: int = 1
    marks: bool = False


Step: TypeAlias = Send | Pause | Cut | Hang | Paced
"""A list of steps that ends without Cut or Hang ends the body properly."""


def sends(events: Iterable[Event], pause: float = 0.0) -> list[Step]:
    """Each event by itself with ``pause`` seconds after it, or all of them at once when there is no pause."""
    if not pause:
        data = b"".join(event.data for event in events)
        return [Send(data)] if data else []
    steps: list[Step] = []
    for event in events:
        steps += [Send(event.data), Pause(pause)]
    return steps
