"""Pieces for the tests of the pool: entries, moments, a token service that rotates and notices reuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import trio

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import KiroError, RefreshRejected
from kiro_rs_py.upstream.credential import Credential, TokenGrant, entry_of
from kiro_rs_py.upstream.selection import Entry, Moment, Standing, StateName

START = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(seconds: float) -> Moment:
    """A moment so many seconds after the start, on both clocks."""
    return Moment(START + timedelta(seconds=seconds), 1000.0 + seconds)


class WallClock:
    """A wall clock that goes with trio's, which tests jump; ``offset`` is how wrong it is."""

    def __init__(self) -> None:
        self._zero = trio.current_time()
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        return START + timedelta(seconds=trio.current_time() - self._zero) + self.offset


def token(name: str) -> str:
    """A refresh token long enough to be a whole one."""
    return f"aor-{name}-".ljust(120, "x")


def make_credential(number: int, **values: object) -> Credential:
    """An account whose token is good for an hour after the start."""
    credential = Credential(
        id=number, access_token=f"aoa-{number}.0", refresh_token=token(f"{number}.0"), expires_at=START + HOUR
    )
    return replace(credential, **values)  # type: ignore[arg-type]


def make_entry(
    number: int, state: StateName = "active", *, resumes: float | None = None, cause: str = "", **values: object
) -> Entry:
    """An entry; ``resumes`` is seconds after the start. ``values`` are fields of the entry or of its credential."""
    of_entry = {name: value for name, value in values.items() if name in Entry.__slots__}
    credential = make_credential(number, **{name: value for name, value in values.items() if name not in of_entry})
    until = None if resumes is None else at(resumes)
    standing = Standing(state, START, cause, until and until.wall, until and until.mono)
    entry = Entry(credential=credential, on_disk=credential, standing=standing)
    for name, value in of_entry.items():
        setattr(entry, name, value)
    return entry


def file_of(*credentials: Credential) -> str:
    """A credentials file, a list."""
    entries: list[Json] = [entry_of(credential) for credential in credentials]
    return json.dumps(entries, indent=2)


def entries_in(text: str | None) -> dict[Json, JsonObject]:
    """The entries of a credentials file by id."""
    return {entry["id"]: entry for entry in json.loads(text or "[]")}


class FakeTokenService:
    """Rotates, revokes a login whose spent token comes back, and fails as told.

    ``plans`` are what the next calls do instead: raise an error, or answer a grant.
    """

    def __init__(self, *credentials: Credential) -> None:
        self.live = {credential.refresh_token: credential.id for credential in credentials}
        self.spent: set[str | None] = set()
        self.calls: list[int] = []
        self.reuses = 0
        self.plans: list[KiroError | TokenGrant | Exception] = []
        self.dead: set[int] = set()
        self.gate: trio.Event | None = None
        self.expires_in: float | None = 3600
        self.before_answer: Callable[[], None] | None = None

    async def refresh(self, credential: Credential) -> TokenGrant:
        """As the real one; waits at ``gate`` after the token was rotated, as an answer does that is on its way."""
        self.calls.append(credential.id)
        await trio.lowlevel.checkpoint()
        grant = self._decide(credential)
        if self.gate is not None:
            await self.gate.wait()
        if self.before_answer is not None:
            self.before_answer()
        if isinstance(grant, Exception):
            raise grant
        return grant

    def _decide(self, credential: Credential) -> TokenGrant | Exception:
        if self.plans:
            return self.plans.pop(0)
        sent = credential.refresh_token
        if sent in self.spent:
            self.reuses += 1
            self.live = {token_: owner for token_, owner in self.live.items() if owner != credential.id}
        owner = self.live.pop(sent, None)
        if owner is None or owner in self.dead:
            return RefreshRejected("invalid_grant")
        self.spent.add(sent)
        number = len(self.calls)
        renewed = token(f"{owner}.{number}")
        self.live[renewed] = owner
        return TokenGrant(f"aoa-{owner}.{number}", renewed, self.expires_in)
