"""Balances: asked for rarely, remembered for five minutes, failures too (operations §5.7, §5.8)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import KiroError, NotFound
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import Refusal, no_such_account, refusal_of
from kiro_rs_py.upstream.credential import format_time
from kiro_rs_py.upstream.enrolment import ask_usage
from kiro_rs_py.upstream.state import CachedBalance
from kiro_rs_py.upstream.usage import Usage

GOOD_FOR = timedelta(seconds=300)
BAD_FOR_SECONDS = 45.0
"""How long a failure is answered from memory: a page that asks again and again must not reach the service."""

FRESH_FLOOR_SECONDS = 30.0
"""Between two calls for one account, however fresh somebody wants it."""


@dataclass(slots=True, eq=False)
class _Flight:
    """One call under way, which all askers share."""

    done: trio.Event = field(default_factory=trio.Event)
    failure: Refusal | None = None


class Balances:
    """The last balance of each account, from this process or an earlier one."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._kept: dict[int, CachedBalance] = {}
        self._asked_at: dict[int, float] = {}
        self._failures: dict[int, Refusal] = {}
        self._flights: dict[int, _Flight] = {}

    async def load(self) -> None:
        """Take over what the state file remembers."""
        self._kept = dict((await self._house.state.read()).balances)

    def last(self, credential_id: int) -> JsonObject | None:
        """The last balance, however old (``cachedAt`` says how old)."""
        kept = self._kept.get(credential_id)
        return None if kept is None else kept.data | {"cachedAt": format_time(kept.cached_at)}

    def forget(self, credential_id: int) -> None:
        for table in (self._kept, self._asked_at, self._failures):
            table.pop(credential_id, None)

    def keep(self, credential_id: int, usage: Usage) -> None:
        """Take over a balance that was asked for elsewhere."""
        self._kept[credential_id] = CachedBalance(self._house.now(), usage.to_json(credential_id))
        self._asked_at[credential_id] = self._house.clock()
        self._failures.pop(credential_id, None)

    async def get(self, credential_id: int, *, fresh: bool = False) -> JsonObject:
        """The balance; with ``fresh`` not from memory, unless the service was asked a moment ago.

        Raises Refusal: 404 for an unknown account, 502 for whatever went wrong out there.
        """
        self._house.status(credential_id)
        if fresh or not self._is_good(credential_id):
            await self._ask_or_join(credential_id, FRESH_FLOOR_SECONDS if fresh else BAD_FOR_SECONDS)
        last = self.last(credential_id)
        if last is None:  # removed meanwhile
            raise no_such_account(credential_id)
        return last

    def _is_good(self, credential_id: int) -> bool:
        kept = self._kept.get(credential_id)
        return kept is not None and timedelta(0) <= self._house.now() - kept.cached_at < GOOD_FOR

    async def _ask_or_join(self, credential_id: int, floor: float) -> None:
        """Ask the service, or wait for a call under way. Nobody is asked within ``floor`` seconds of the last time:
        then what came of that stands. Raises Refusal."""
        flight = self._flights.get(credential_id)
        if flight is not None:
            await flight.done.wait()
            if flight.failure is not None:
                raise flight.failure.again()
            return
        asked_at = self._asked_at.get(credential_id)
        if asked_at is None or self._house.clock() - asked_at >= floor:
            await self._fly(credential_id)
        if credential_id in self._failures:
            raise self._failures[credential_id].again()

    async def _fly(self, credential_id: int) -> None:
        flight = self._flights[credential_id] = _Flight()
        cut_short = Refusal(502, "api_error", "upstream_unavailable", "Upstream service error: it was cut short.")
        flight.failure = cut_short  # what is left if this task is cancelled
        try:
            usage = await self._ask(credential_id)
        except (KiroError, Refusal) as error:
            if isinstance(error, KiroError):
                with suppress(NotFound):  # removed meanwhile
                    self._house.pool.note_refusal(credential_id, error)
            flight.failure = refusal_of(error) or cut_short
            self._asked_at[credential_id] = self._house.clock()
            self._failures[credential_id] = flight.failure
        else:
            flight.failure = None
            self.keep(credential_id, usage)
        finally:
            del self._flights[credential_id]
            flight.done.set()

    async def _ask(self, credential_id: int) -> Usage:
        house = self._house
        try:
            return await ask_usage(
                house.http, house.config, house.endpoints, house.pool, house.state, credential_id, house.now
            )
        except NotFound:
            raise no_such_account(credential_id) from None
