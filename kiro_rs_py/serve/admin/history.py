"""What became of each account: the latest changes of its state, and how it fared in the last day (operations §6.11)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.admin.views import time_text
from kiro_rs_py.upstream.pool import CredentialStatus
from kiro_rs_py.upstream.selection import TIMED_STATES, Standing

MOST_CHANGES = 50
"""Of one account; the oldest give way."""

IT_WAS_OVER = "The time was over."

HOUR = 3600.0
HOURS = 24


class History:
    """In memory, since the start of the proxy. ``news`` is called with each change, at once; it must not wait."""

    def __init__(self, news: Callable[[], None]) -> None:
        self._news = news
        self._changes: dict[int, deque[Standing]] = {}

    def note(self, credential_id: int, before: Standing, after: Standing) -> None:
        """Take a change. What ended by itself in between was told by nobody, so it is added (operations §4.12)."""
        changes = self._changes.setdefault(credential_id, deque([before], maxlen=MOST_CHANGES))
        ended = before.state in TIMED_STATES and before.until is not None and before.until <= after.since
        if ended and after.since != before.since:
            changes.append(Standing("active", before.until or after.since, IT_WAS_OVER))
        if (after.state, after.since) == (changes[-1].state, changes[-1].since):
            changes[-1] = after  # the same, only longer
        elif (after.state, after.cause) != (changes[-1].state, changes[-1].cause):
            changes.append(after)
        self._news()

    def of(self, status: CredentialStatus) -> list[Json]:
        """The changes of an account as JSON, the newest first; the last one is what it is now."""
        now = Standing(status.state, status.since, status.cause, status.until)
        changes = list(self._changes.get(status.id, ()))
        if not changes or changes[-1].state != now.state:
            came_back = changes and now.state == "active"
            changes.append(Standing(now.state, now.since, IT_WAS_OVER) if came_back else now)
        return [_shown(change) for change in reversed(changes)]

    def keep(self, present: Collection[int]) -> None:
        """Forget the accounts that are gone."""
        self._changes = {number: changes for number, changes in self._changes.items() if number in present}


def _shown(change: Standing) -> JsonObject:
    return {
        "state": change.state,
        "since": time_text(change.since),
        "until": time_text(change.until),
        "cause": change.cause or None,
    }


class _Mark(NamedTuple):
    """The counters as they stood at a moment of the clock."""

    at: float
    successes: int
    failures: int


class Daily:
    """How accounts fared in the last 24 hours: looks at their lifetime counters once an hour. ``clock`` in seconds. In
    memory: a restart begins the day anew."""

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
