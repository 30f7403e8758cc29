"""Counters and automatic states of the pool, and the state file (operations §3.8, §4.12), both ways.

Counters are written now and then. A state that would cost an account or an owner something if it were forgotten is
written at once; and one that another process has found, or that somebody has taken away there, is taken over.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

import trio

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.roster import Roster, revive
from kiro_rs_py.upstream.selection import Entry
from kiro_rs_py.upstream.state import SavedStanding, State, StateStore

logger = logging.getLogger(__name__)

BRIEF_COOLING = 60.0  # seconds; shorter ones are not worth remembering across a restart


class Statistics:
    """Knows what the state file says, and writes what has changed since."""

    def __init__(self, roster: Roster, state: StateStore, saved: State) -> None:
        self._roster = roster
        self._state = state
        # One at a time: an older look at the file must not be compared with what was written after it.
        self._file = trio.Lock()
        self._seen = _standings(saved)
        """What the file said at the last look; others may write it too."""
        logins = {entry.id: entry.credential.fingerprint for entry in roster.entries}
        self._written: dict[int, SavedStanding | None] = {
            number: standing
            for number, standing in self._seen.items()
            if standing is not None and standing.fingerprint == logins.get(number)
        }
        """What this process has written or taken over; a state of another login is left to those who know it."""

    async def take_over(self) -> None:
        """Look at the file for what others have changed."""
        async with self._file:
            self._compare(_standings(await self._state.read()))

    def _compare(self, now: dict[int, SavedStanding | None]) -> None:
        for entry in self._roster.entries:
            before, found = self._seen.get(entry.id), now.get(entry.id)
            if found == before or found == self._written.get(entry.id):
                continue
            if found is None and before is not None:
                self._forgive(entry, before)
            elif found is not None and self._worth_remembering(entry) is None and self._roster.accept(entry, found):
                self._written[entry.id] = found
        self._seen = now

    def _forgive(self, entry: Entry, before: SavedStanding) -> None:
        """``accounts enable``, or another server that was answered; what was found since then stays."""
        self._written.pop(entry.id, None)
        if entry.standing.state == before.state:
            logger.info("credential #%d: %s no longer, says the state file", entry.id, before.state)
            revive(entry, self._roster.moment())

    async def flush(self) -> None:
        """Write; does nothing when nothing has changed. What cannot be written is kept for the next time."""
        async with self._file:
            await self._flush()

    async def _flush(self) -> None:
        counts: list[tuple[Entry, int, int, datetime | None]] = []
        standings: dict[int, SavedStanding | None] = {}
        for entry in self._roster.entries:
            if entry.new_successes or entry.new_failures:
                counts.append((entry, entry.new_successes, entry.new_failures, entry.last_used_at))
            standing = self._worth_remembering(entry)
            if standing != self._written.get(entry.id):
                standings[entry.id] = standing
        gone = frozenset(self._roster.gone)
        if not counts and not standings and not gone:
            return

        def change(state: State) -> None:
            for entry, successes, failures, used_at in counts:
                state.add_uses(entry.id, successes, failures, used_at)
            for credential_id, standing in standings.items():
                if standing is None and state.record(credential_id).standing != self._seen.get(credential_id):
                    continue  # somebody has found something since: only that is not taken away by those who do not know
                state.accounts[credential_id] = replace(state.record(credential_id), standing=standing)
            for credential_id in gone:
                state.forget(credential_id)

        try:
            await self._state.update(change)
        except CredentialFileError as error:
            logger.warning("statistics are kept in memory for now: %s", error)
            return
        for entry, successes, failures, _ in counts:
            entry.new_successes -= successes
            entry.new_failures -= failures
        self._written |= standings
        self._seen |= standings
        self._roster.gone -= gone

    def _worth_remembering(self, entry: Entry) -> SavedStanding | None:
        """The automatic state that should outlive this process, if any."""
        moment = self._roster.moment()
        standing = entry.standing_at(moment)
        by_file = standing.state == "disabled" and not entry.credential.in_memory_only
        brief = standing.state == "cooling" and (standing.remaining(moment) or 0.0) <= BRIEF_COOLING
        if standing.state in ("active", "invalid_config") or by_file or brief:
            return None
        return SavedStanding(
            standing.state, standing.cause, standing.since, standing.until, entry.credential.fingerprint
        )


def _standings(state: State) -> dict[int, SavedStanding | None]:
    return {credential_id: record.standing for credential_id, record in state.accounts.items()}
