"""The accounts in memory and their file: merged both ways, never one over the other (operations §10.3).

What changed on disk since it was last seen is applied to memory, field by field; what could not be saved stays in
memory until it can. Entries change only here, in leases.py and in rotation.py, always without ``await`` in between.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast, get_args

import trio

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.errors import CredentialFileError, NotFound
from kiro_rs_py.upstream.credential import Credential, changed_members
from kiro_rs_py.upstream.document import CredentialDocument, EntryProblem, StoredCredentials, UnknownCredential
from kiro_rs_py.upstream.emergency import EmergencyCopy
from kiro_rs_py.upstream.leases import stop
from kiro_rs_py.upstream.selection import HUMAN_STATES, URGENT_STATES, Entry, Moment, Standing, StateName
from kiro_rs_py.upstream.state import SavedStanding, State
from kiro_rs_py.upstream.store import CredentialStore

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIELDS = tuple(item.name for item in fields(Credential))
_SECRETS = ("access_token", "refresh_token", "client_id", "client_secret", "kiro_api_key", "auth_method", "proxy_url")
_COPIED = ("access_token", "refresh_token", "expires_at", "machine_id", "profile_arn")
"""What a refresh changes, and so what an emergency copy has that the file has not."""
_STATES: frozenset[str] = frozenset(get_args(StateName))


class Roster:
    """All entries, in the order of the file, accounts that live in memory only first."""

    def __init__(
        self,
        store: CredentialStore,
        state: State,
        *,
        extra_credentials: Iterable[Credential] = (),
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._now = now
        self._state = state
        # One reader or writer of the file at a time, so that an older view is never merged over a newer one.
        self._disk = trio.Lock()
        self._extra = [
            self._new_entry(replace(credential, id=-number)) for number, credential in enumerate(extra_credentials, 1)
        ]
        self.entries: list[Entry] = list(self._extra)
        self.problems: tuple[EntryProblem, ...] = ()
        self.gone: set[int] = set()
        """Ids that were taken out of the file, for the state file to forget."""
        self.unsaved_because: str | None = None
        """Why new tokens cannot be saved, while that is so."""
        self._complaint = ""
        self._unsaved_here: set[int] = set()
        """Accounts whose new token this process could not save."""
        self._copied: dict[int, str | None] = {}
        """The fingerprints of tokens, by account, that are in an emergency copy."""
        self._copy_place: Path | None = None
        self.need_rescue = trio.Event()
        self.incomplete = False
        """Some account has no id in the file yet."""
        self.urgent = trio.Event()
        """Some account's state has changed in a way that must not be forgotten if this process dies now."""
        self.on_move: Callable[[Entry, Standing], None] = lambda entry, before: None
        """Called when an account's standing has changed, with the one before."""

    def moment(self) -> Moment:
        """Now, on both clocks."""
        return Moment(self._now(), trio.current_time())

    def get(self, credential_id: int) -> Entry:
        """Raises NotFound."""
        for entry in self.entries:
            if entry.id == credential_id:
                return entry
        raise NotFound(f"There is no account #{credential_id}.")

    # --- disk and memory ---

    async def reload(self) -> None:
        """Take over what others wrote. Raises CredentialFileError; memory is then as it was."""
        async with self._disk:
            self._merge(await self._store.read())
            self._adopt_copies(await self._store.emergency_copies())

    async def update(self, change: Callable[[CredentialDocument], T]) -> T:
        """Change the file, and merge what it then holds. Raises what ``change`` raises, and CredentialFileError."""
        async with self._disk:
            # No checkpoint comes between the write and the merge: memory never misses what was written.
            updated = await self._store.update(change)
            self._merge(updated.stored)
            return updated.value

    async def save(self, entry: Entry, change: Callable[[Credential], Credential], *, login: str | None) -> bool:
        """Change an entry in the file, then in memory; False if only memory could be changed.

        ``login`` is the fingerprint of the login that the change belongs to: if another one is found, in memory or on
        disk, somebody has logged in anew meanwhile, and that wins.
        """
        async with self._disk:
            if entry.credential.fingerprint != login:
                logger.info("credential #%d was logged in anew meanwhile; that login is used", entry.id)
                return True
            renewed = change(entry.credential)
            if entry.credential.in_memory_only:
                entry.credential = entry.on_disk = renewed
                return True
            members = changed_members(entry.on_disk, renewed)
            expected = {login, entry.on_disk.fingerprint, *entry.spent}
            try:
                updated = await self._store.update(lambda document: _patch(document, entry.id, members, expected))
            except UnknownCredential:
                self.entries = [other for other in self.entries if other is not entry]
                self.gone.add(entry.id)
                await self._drop_copy(entry)
                logger.info("credential #%d was removed from the file meanwhile", entry.id)
                return True
            except CredentialFileError as error:
                entry.credential = renewed
                await self._copy(entry)
                self.complain(error)
                return False
            self._merge(updated.stored, ours=entry if updated.value else None)
            await self._drop_copy(entry)
            if not updated.value:
                logger.info("credential #%d was logged in anew meanwhile; that login is used", entry.id)
            return True

    async def save_leftovers(self) -> bool:
        """Try once more to save what memory alone has. True when nothing is left and the file takes changes."""
        left = [entry for entry in self.entries if entry.unsaved]
        for entry in left:
            if not await self.save(entry, lambda credential: credential, login=entry.credential.fingerprint):
                return False
        if self.unsaved_because is not None:
            try:
                await self._store.probe()
            except CredentialFileError as error:
                self.complain(error)
                return False
            logger.warning("the credentials file can be written again; accounts saved: %d", len(left))
        self._complaint, self.unsaved_because = "", None
        self.need_rescue = trio.Event()
        return True

    def complain(self, error: CredentialFileError) -> None:
        """The file takes no changes: say so, once for each reason, and try again until it does."""
        complaint = f"{self.where_changes_are()}: {error}"
        if complaint != self._complaint:
            logger.error("%s", complaint)
        self._complaint, self.unsaved_because = complaint, str(error)
        self.need_rescue.set()

    def unsaved_here(self) -> bool:
        """Whether a token that this process asked for is not in the file."""
        return any(entry.login_unsaved and entry.id in self._unsaved_here for entry in self.entries)

    def lost_with_us(self) -> list[int]:
        """Accounts whose refresh token is in this process's memory and nowhere else."""
        return [entry.id for entry in self.entries if self._is_lost_with_us(entry)]

    def _is_lost_with_us(self, entry: Entry) -> bool:
        return entry.login_unsaved and self._copied.get(entry.id) != entry.credential.fingerprint

    def where_changes_are(self) -> str:
        """What is not in the file, and where it is: the beginning of a sentence that ends with the reason."""
        if self.lost_with_us():
            return "changes to accounts (new tokens!) are in memory only and lost if this process ends"
        if any(entry.login_unsaved for entry in self.entries):
            return f"new tokens are kept in {self._copy_place}, and taken from there once this is mended"
        return "changes to accounts cannot be saved"

    # --- emergency copies: operations §10.3 step 6 ---

    async def _copy(self, entry: Entry) -> None:
        if not self._is_lost_with_us(entry):
            return
        self._unsaved_here.add(entry.id)
        copy = EmergencyCopy(entry.credential, tuple(entry.spent))
        try:
            with trio.CancelScope(shield=True):
                self._copy_place = await self._store.keep_copy(copy)
        except CredentialFileError as error:
            logger.error("credential #%d: %s", entry.id, error)
        else:
            self._copied[entry.id] = copy.fingerprint

    async def _drop_copy(self, entry: Entry) -> None:
        if self._copied.pop(entry.id, None) is not None:
            await self._store.drop_copies((entry.credential.fingerprint, *entry.spent))

    def _adopt_copies(self, copies: Sequence[EmergencyCopy]) -> None:
        """A token that this or another process could not save is newer than the spent one it came for."""
        for copy in copies:
            for entry in self.entries:
                spent = entry.credential.fingerprint
                if spent is None or spent not in copy.replaces or copy.fingerprint in entry.spent:
                    continue
                logger.warning("credential #%d: its newest token comes from an emergency copy", entry.id)
                entry.spent.append(spent)
                newer = {name: getattr(copy.credential, name) for name in _COPIED}
                entry.credential = replace(entry.credential, **newer)
                self._copied[entry.id] = copy.fingerprint
                self._copy_place = copy.place
                self.need_rescue.set()

    # --- merging, without await ---

    def _merge(self, stored: StoredCredentials, *, ours: Entry | None = None) -> None:
        """Take over what the file holds; the change of ``ours`` is our own, so it tells nothing new about it."""
        from_file = {entry.id: entry for entry in self.entries if not entry.credential.in_memory_only}
        if from_file and stored.shape in ("blank", "missing"):
            raise CredentialFileError(
                f"The credentials file is {'empty' if stored.shape == 'blank' else 'gone'}; the accounts in memory "
                "stay in use. Put it back, or write [] into it to remove all accounts."
            )
        present: list[Entry] = []
        for credential in stored.credentials:
            entry = from_file.pop(credential.id, None)
            if entry is None:
                entry = self._new_entry(credential)
            elif entry.on_disk != credential:
                self._adopt(entry, credential, is_ours=entry is ours)
            present.append(entry)
            self.gone.discard(entry.id)  # put back after it was taken out
        for credential_id in from_file:
            logger.info("credential #%d is no longer in the file", credential_id)
            if not stored.problems:  # else it may be one of those, and come back when it is corrected
                self.gone.add(credential_id)
        self.entries = [*self._extra, *present]
        self.incomplete = stored.incomplete
        if stored.problems != self.problems:
            self.problems = stored.problems
            for problem in stored.problems:
                logger.warning("credentials file, %s; this account is left out", problem)

    def _adopt(self, entry: Entry, disk: Credential, *, is_ours: bool) -> None:
        """Three ways: what the file changed since it was last seen is applied to what memory has."""
        if disk.fingerprint in entry.spent:
            logger.warning("credential #%d: the file holds an old token again; the present one is kept", entry.id)
            disk_tokens = {name: getattr(entry.credential, name) for name in ("access_token", "refresh_token")}
            kept = replace(disk, **disk_tokens, expires_at=entry.credential.expires_at)
            entry.credential, entry.on_disk = kept, disk
            self.need_rescue.set()
            return
        before = entry.credential
        entry.credential = _with_changes(entry.credential, entry.on_disk, disk)
        entry.on_disk = disk
        moment = self.moment()
        if disk.disabled:
            if entry.standing.state != "disabled":
                stop(entry, "disabled", disk.disabled_reason or "", None, moment)
            return
        changed = any(getattr(before, name) != getattr(entry.credential, name) for name in _SECRETS)
        by_others = changed and not is_ours
        if entry.standing.state == "disabled" or (by_others and entry.standing.state in HUMAN_STATES):
            revive(entry, moment)
        elif by_others:
            entry.doubt = "none"
        self._check(entry, moment)

    def _new_entry(self, credential: Credential) -> Entry:
        moment = self.moment()
        record = self._state.record(credential.id)
        entry = Entry(
            credential=credential,
            on_disk=credential,
            standing=Standing("active", since=moment.wall),
            success_count=record.success_count,
            failure_count=record.failure_count,
            last_used_at=record.last_used_at,
        )
        saved = record.standing
        if credential.disabled:
            stop(entry, "disabled", credential.disabled_reason or "", None, moment)
        elif saved is not None:
            self.accept(entry, saved)
        self._check(entry, moment)
        entry.moved = self._moved
        return entry

    def accept(self, entry: Entry, saved: SavedStanding) -> bool:
        """Take over a state from the state file, if it is about this login and nothing graver is known."""
        if saved.state not in _STATES or saved.fingerprint != entry.credential.fingerprint:
            return False
        if entry.standing.state not in ("active", "cooling"):
            return False
        name = cast("StateName", saved.state)
        entry.move(Standing(name, since=saved.since, cause=saved.cause, until=saved.until))
        return True

    def _moved(self, entry: Entry, before: Standing) -> None:
        names = {entry.standing.state, before.state}
        if len(names) > 1 and names & URGENT_STATES:
            self.urgent.set()
        self.on_move(entry, before)

    def _check(self, entry: Entry, moment: Moment) -> None:
        problem = entry.credential.problem()
        if problem and entry.standing.state == "active" and not entry.credential.is_valid(moment.wall):
            stop(entry, "invalid_config", problem, None, moment)


def revive(entry: Entry, moment: Moment) -> None:
    """Forget everything that spoke against the account."""
    entry.move(Standing("active", since=moment.wall))
    entry.doubt = "none"
    entry.strikes = entry.refusals = entry.refresh_failures = 0
    entry.refresh_not_before = 0.0
    entry.last_error = None


def _patch(
    document: CredentialDocument, credential_id: int, members: dict[str, Json], expected: set[str | None]
) -> bool:
    try:
        found = document.get(credential_id)
    except UnknownCredential:
        if document.shape in ("blank", "missing"):
            raise CredentialFileError("The credentials file is empty or gone. Put it back.") from None
        raise
    if found.fingerprint not in expected:
        return False
    document.patch(credential_id, members)
    return True


def _with_changes(current: Credential, before: Credential, after: Credential) -> Credential:
    """``current`` with the fields that differ between ``before`` and ``after``."""
    changes = {name: getattr(after, name) for name in _FIELDS if getattr(before, name) != getattr(after, name)}
    return replace(current, **changes)
