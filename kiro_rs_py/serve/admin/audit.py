"""Who did what: a line in the log and the last two hundred in memory (operations §10.1, S9)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.admin.refusals import refusal_of
from kiro_rs_py.serve.app import Call, sole_error
from kiro_rs_py.upstream.credential import format_time

logger = logging.getLogger(__name__)

MOST_ACTIONS = 200
KEY_TROUBLE = ("wrong_key", "too_many_attempts")
"""Outcomes that are noted whatever was asked for."""


@dataclass(slots=True)
class Deed:
    """What is known so far of who does what to whom, and how it goes if it does not fail."""

    who: str = "key"
    credential_id: int | None = None
    outcome: str = "done"


class Audit:
    """``now`` is the wall clock in UTC."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._actions: deque[JsonObject] = deque(maxlen=MOST_ACTIONS)

    @contextmanager
    def watch(self, call: Call, action: str, *, is_write: bool) -> Iterator[Deed]:
        """Note what comes of the block: always for a write, otherwise only trouble with a key."""
        deed = Deed()
        outcome = "internal_error"
        try:
            yield deed
            outcome = deed.outcome
        except Exception as exc:
            refusal = refusal_of(sole_error(exc))
            outcome = refusal.code if refusal else outcome
            raise
        finally:
            if is_write or outcome in KEY_TROUBLE:
                self.note(action, who=deed.who, peer=call.client, outcome=outcome, credential_id=deed.credential_id)

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
