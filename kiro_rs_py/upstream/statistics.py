"""Counters and automatic states of the pool, written to the state file now and then (operations §3.8, §4.12)."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.roster import Roster
from kiro_rs_py.upstream.selection import Entry
from kiro_rs_py.upstream.state import SavedStanding, State, StateStore

logger = logging.getLogger(__name__)

BRIEF_COOLING = 60.0  # seconds; shorter ones are not worth remembering across a restart


class Statistics:
    """Knows what the state file says, and writes what has changed since."""

    def __init__(self, roster: Roster, state: StateStore, saved: State) -> None:
        self._roster = roster
        self._state = state
        self._remembered = {credential_id: record.standing for credential_id, record in saved.accounts.items()}

    async def flush(self) -> None:
        """Write; does nothing when nothing has changed. What cannot be written is kept for the next time."""
        counts: list[tuple[Entry, int, int, datetime | None]] = []
        standings: dict[int, SavedStanding | None] = {}
        for entry in self._roster.entries:
            if entry.new_successes or entry.new_failures:
                counts.append((entry, entry.new_successes, entry.new_failures, entry.last_used_at))
            standing = self._worth_remembering(entry)
            if standing != self._remembered.get(entry.id):
                standings[entry.id] = standing
        gone = frozenset(self._roster.gone)
        if not counts and not standings and not gone:
            return

        def change(state: State) -> None:
            for entry, successes, failures, used_at in counts:
                state.add_uses(entry.id, successes, failures, used_at)
            for credential_id, standing in standings.items():
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
        self._remembered |= standings
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
