"""What became of each account: the latest changes of its state, with time and reason (operations §6.11)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.admin.views import time_text
from kiro_rs_py.upstream.pool import CredentialStatus
from kiro_rs_py.upstream.selection import TIMED_STATES, Standing

MOST_CHANGES = 50
"""Of one account; the oldest give way."""

IT_WAS_OVER = "The time was over."


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
