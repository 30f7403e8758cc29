"""Who did what: a line in the log and the last two hundred in memory (operations §10.1, S9)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.upstream.credential import format_time

logger = logging.getLogger(__name__)

MOST_ACTIONS = 200


class Audit:
    """``now`` is the wall clock in UTC."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._actions: deque[JsonObject] = deque(maxlen=MOST_ACTIONS)

    def note(self, action: str, *, who: str, peer: str, outcome: str, credential_id: int | None = None) -> None:
        """Remember an action. ``outcome`` is ``done`` or the code of its refusal; nothing here is a secret."""
        entry: JsonObject = {
            "time": format_time(self._now()),
            "who": who,
            "peer": peer,
            "action": action,
            "credentialId": credential_id,
            "outcome": outcome,
        }
        self._actions.appendleft(entry)
        level = logging.INFO if outcome == "done" else logging.WARNING
        account = "" if credential_id is None else f" of credential #{credential_id}"
        logger.log(level, "%s%s by %s from %s: %s", action, account, who, peer, outcome)

    def latest(self) -> list[Json]:
        """The newest first."""
        return list(self._actions)
