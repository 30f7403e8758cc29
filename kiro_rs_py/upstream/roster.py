"""The accounts in memory and their file: merged both ways, never one over the other (operations §10.3).

What changed on disk since it was last seen is applied to memory, field by field; what could not be saved stays in
memory until it can. Entries change only here, in leases.py and in rotation.py, always without ``await`` in between.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from datetime import datetime
from typing import TypeVar, cast, get_args

import trio

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.errors import CredentialFileError, NotFound
from kiro_rs_py.upstream.credential import Credential, changed_members
from kiro_rs_py.upstream.document import CredentialDocument, EntryProblem, StoredCredentials, UnknownCredential
from kiro_rs_py.upstream.leases import stop
from kiro_rs_py.upstream.selection import HUMAN_STATES, Entry, Moment, Standing, StateName
from kiro_rs_py.upstream.state import State
from kiro_rs_py.upstream.store import CredentialSource

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIELDS = tuple(item.name for item in fields(Credential))
_SECRETS = ("access_token", "refresh_token", "client_id", "client_secret", "kiro_api_key", "auth_method", "proxy_url")
_STATES: frozenset[str] = frozenset(get_args(StateName))


class Roster:
    """All entries, in the order of the file, accounts that live in memory only first."""

    def __init__(
        self,
        store: CredentialSource,
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
        """Why new tokens could not be saved, while that is so."""
        self.need_rescue = trio.Event()
        self.incomplete = False
        """Some account has no id in the file yet."""

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
                logger.info("credential #%d was removed from the file meanwhile", entry.id)
                return True
            except CredentialFileError as error:
                entry.credential = renewed
                self._complain(error)
                return False
            self._merge(updated.stored, ours=entry if updated.value else None)
            if not updated.value:
                logger.info("credential #%d was logged in anew meanwhile; that login is used", entry.id)
            return True

    async def save_leftovers(self) -> bool:
        """Try once more to save what memory alone has. True when nothing is left."""
        for entry in [entry for entry in self.entries if entry.unsaved]:
            if not await self.save(entry, lambda credential: credential, login=entry.credential.fingerprint):
                return False
        if self.unsaved_because is not None:
            logger.warning("the credentials file can be written again; nothing was lost")
        self.unsaved_because = None
        self.need_rescue = trio.Event()
        return True

    def _complain(self, error: CredentialFileError) -> None:
        if self.unsaved_because != str(error):
            logger.error(
                "changes to accounts (new tokens!) are in memory only and lost if this process ends: %s", error
            )
        self.unsaved_because = str(error)
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
        elif saved is not None and saved.state in _STATES and saved.fingerprint == credential.fingerprint:
            name = cast("StateName", saved.state)
            entry.standing = Standing(name, since=saved.since, cause=saved.cause, until=saved.until)
        self._check(entry, moment)
        return entry

    def _check(self, entry: Entry, moment: Moment) -> None:
        problem = entry.credential.problem()
        if problem and entry.standing.state == "active" and not entry.credential.is_valid(moment.wall):
            stop(entry, "invalid_config", problem, None, moment)


def revive(entry: Entry, moment: Moment) -> None:
    """Forget everything that spoke against the account."""
    entry.standing = Standing("active", since=moment.wall)
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
