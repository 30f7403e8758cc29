"""How an account fared in the last 24 hours, from its lifetime counters (operations §6.11)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kiro_rs_py.upstream.pool import CredentialStatus

HOUR = 3600.0
HOURS = 24


class _Mark(NamedTuple):
    """The counters as they stood at a moment of the clock."""

    at: float
    successes: int
    failures: int


class Daily:
    """Looks at the counters once an hour; ``clock`` in seconds. In memory: a restart begins the day anew."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._marks: dict[int, deque[_Mark]] = {}

    def look(self, statuses: Iterable[CredentialStatus]) -> None:
        """To be called now and then. Accounts that are gone are forgotten."""
        now = self._clock()
        kept: dict[int, deque[_Mark]] = {}
        for status in statuses:
            marks = kept[status.id] = self._marks.get(status.id) or deque(maxlen=HOURS + 1)
            if not marks or now - marks[-1].at >= HOUR:
                marks.append(_Mark(now, status.success_count, status.failure_count))
        self._marks = kept

    def of(self, status: CredentialStatus) -> tuple[int, int]:
        """Answers and failures since 24 hours ago (to the hour), or since the account was first seen."""
        oldest = self._clock() - (HOURS + 0.5) * HOUR
        mark = next((mark for mark in self._marks.get(status.id, ()) if mark.at >= oldest), None)
        if mark is None:
            return 0, 0
        return max(0, status.success_count - mark.successes), max(0, status.failure_count - mark.failures)
