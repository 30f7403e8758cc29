"""What can be done to accounts. Each change is on disk before it is in memory, or in neither."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

import trio

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import KiroError
from kiro_rs_py.serve.admin.balances import Balances
from kiro_rs_py.serve.admin.history import Daily
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import BUG, Refusal, invalid, no_such_account, refusal_of
from kiro_rs_py.serve.admin.views import account_entry, current_id
from kiro_rs_py.upstream.credential import BadField, format_time
from kiro_rs_py.upstream.document import CredentialDocument
from kiro_rs_py.upstream.pool import CredentialStatus

UNDO_SECONDS = 30.0
MOST_REMOVED = 1000
REFRESHES_AT_ONCE = 4
BY_HAND = "Manual"
"""kiro-rs's word for accounts that a person has taken out (operations §4.1)."""

Action: TypeAlias = Literal["enable", "disable", "reset", "refresh", "delete"]


@dataclass(frozen=True, slots=True)
class _Removed:
    """An entry of the file that was taken out, for as long as that can be undone (``at`` on the house's clock)."""

    entry: JsonObject
    at: float


class Accounts:
    """All methods raise Refusal for an account there is none of (404), UnknownCredential if somebody took it out of the
    file meanwhile, CredentialFileError; nothing has changed then."""

    def __init__(self, house: House, balances: Balances) -> None:
        self._house = house
        self._pool = house.pool
        self._balances = balances
        self._daily = Daily(house.clock)
        self._removed: dict[int, _Removed] = {}

    # --- looking ---

    def listed(self) -> JsonObject:
        """CredentialsStatus, sorted by priority (operations §5.5)."""
        statuses = self._pool.snapshot()
        self._daily.look(statuses)
        current = current_id(statuses)
        by_priority = sorted(statuses, key=lambda status: status.priority)
        return {
            "total": len(statuses),
            "available": sum(status.state != "disabled" for status in statuses),
            "currentId": current,
            "credentials": [self._entry(status, current) for status in by_priority],
            "problems": [{"index": problem.index, "sentence": str(problem)} for problem in self._pool.problems],
        }

    def entry(self, credential_id: int) -> JsonObject:
        """One account as it stands in the list."""
        status = self._house.status(credential_id)
        return self._entry(status, current_id(self._pool.snapshot()))

    def look(self) -> None:
        """To be called now and then: keeps the count of the day."""
        self._daily.look(self._pool.snapshot())

    def _entry(self, status: CredentialStatus, current: int) -> JsonObject:
        credential, balance = self._pool.credential(status.id), self._balances.last(status.id)
        return account_entry(status, credential, balance, self._daily.of(status), is_current=status.id == current)

    # --- changing one ---

    async def change(self, credential_id: int, members: Mapping[str, Json], *, disabled: bool | None = None) -> None:
        """Set members of the file's entry (camelCase; None removes one), take the account out or back in, or both.

        An account from the environment has no entry; it can be taken out until the process ends.
        """
        status = self._house.status(credential_id)
        if members:
            _check_kept(status)
        if status.in_memory_only:
            await self._pool.set_disabled(credential_id, bool(disabled), BY_HAND)
            return
        if disabled is not None:
            members = {**members, **self._disabling(disabled)}
        await self._pool.edit(lambda document: document.patch(credential_id, members))
        if disabled is False:
            self._pool.reset(credential_id)

    async def reset(self, credential_id: int) -> None:
        """Forgive everything; an account that was taken out comes back too (operations §4.11)."""
        if self._house.status(credential_id).state == "disabled":
            await self.change(credential_id, {}, disabled=False)
        self._pool.reset(credential_id)

    async def refresh(self, credential_id: int) -> None:
        """Replace the access token. Raises RefreshRejected, RefreshFailed."""
        self._house.status(credential_id)
        await self._pool.force_refresh(credential_id)

    # --- removing, and back ---

    async def delete(self, credential_id: int, *, force: bool = False) -> None:
        """Take an account out of the file. One that is in use must be disabled before, or ``force`` be set (400)."""
        _check_removable(self._house.status(credential_id), force)
        await self._remove([credential_id])

    async def restore(self, credential_id: int) -> None:
        """Put an account back that was deleted a moment ago, as it was."""
        removed = self._removed.get(credential_id)
        if removed is None or self._house.clock() - removed.at > UNDO_SECONDS:
            raise no_such_account(credential_id)
        try:
            await self._pool.edit(lambda document: document.put_back(removed.entry))
        except BadField as problem:
            raise invalid("duplicate_account", f"Invalid credential: {problem}.") from None
        self._removed.pop(credential_id, None)

    def purge(self) -> None:
        """Forget the tokens of accounts whose deletion cannot be undone any more."""
        now = self._house.clock()
        self._removed = {key: item for key, item in self._removed.items() if now - item.at <= UNDO_SECONDS}

    async def _remove(self, ids: Collection[int]) -> None:
        def remove(document: CredentialDocument) -> dict[int, JsonObject]:
            entries = {number: document.entry(number) for number in ids}
            for number in ids:
                document.remove(number)
            return entries

        entries = await self._pool.edit(remove)
        removed = {number: _Removed(entry, self._house.clock()) for number, entry in entries.items()}
        self._removed = dict([*self._removed.items(), *removed.items()][-MOST_REMOVED:])

    # --- many at once ---

    async def act(self, ids: Collection[int], action: Action) -> list[Json]:
        """Do the same to several accounts; what became of each, in the order given.

        What only changes the file is one change for all of them.
        """
        statuses = {status.id: status for status in self._pool.snapshot()}
        problems: dict[int, Refusal] = {}
        able: list[CredentialStatus] = []
        for number in ids:
            try:
                if number not in statuses:
                    raise no_such_account(number)
                if action == "delete":
                    _check_removable(statuses[number], force=False)
            except Refusal as refusal:
                problems[number] = refusal
            else:
                able.append(statuses[number])
        match action:
            case "enable" | "disable":
                await self._set_all_disabled(able, action == "disable")
            case "delete":
                await self._remove([status.id for status in able])
            case "reset":
                await self._set_all_disabled([status for status in able if status.state == "disabled"], False)
                for status in able:
                    self._pool.reset(status.id)
            case "refresh":
                problems |= await self._refresh_all([status.id for status in able])
            case _:
                assert_never(action)
        return [_result(number, problems.get(number)) for number in ids]

    async def refresh_all(self) -> tuple[int, dict[int, Refusal]]:
        """Refresh every account that has a token to refresh: how many these are, and what went wrong with which."""
        ids = [status.id for status in self._pool.snapshot() if status.auth_method != "api_key"]
        return len(ids), await self._refresh_all(ids)

    async def set_priorities(self, priorities: Mapping[int, int]) -> None:
        """Put several accounts into another order; one change of the file, or none (operations §6.11)."""
        for number in priorities:
            _check_kept(self._house.status(number))

        def change(document: CredentialDocument) -> None:
            for number, priority in priorities.items():
                document.patch(number, {"priority": priority or None})  # 0 is not written (operations §3.3)

        await self._pool.edit(change)

    async def _refresh_all(self, ids: Collection[int]) -> dict[int, Refusal]:
        problems: dict[int, Refusal] = {}
        limit = trio.CapacityLimiter(REFRESHES_AT_ONCE)

        async def refresh(number: int) -> None:
            async with limit:
                try:
                    await self._pool.force_refresh(number)
                except KiroError as error:
                    problems[number] = refusal_of(error) or BUG

        async with trio.open_nursery() as nursery:
            for number in ids:
                nursery.start_soon(refresh, number)
        return problems

    async def _set_all_disabled(self, accounts: Collection[CredentialStatus], disabled: bool) -> None:
        members = self._disabling(disabled)

        def change(document: CredentialDocument) -> None:
            for status in accounts:
                if not status.in_memory_only:
                    document.patch(status.id, members)

        await self._pool.edit(change)
        for status in accounts:
            if status.in_memory_only:
                await self._pool.set_disabled(status.id, disabled, BY_HAND)
            elif not disabled:
                self._pool.reset(status.id)

    def _disabling(self, disabled: bool) -> dict[str, Json]:
        """The members of the file that take an account out, or back in (operations §3.12)."""
        if not disabled:
            return {"disabled": None, "disabledReason": None, "disabledAt": None}
        return {"disabled": True, "disabledReason": BY_HAND, "disabledAt": format_time(self._house.now())}


def _check_kept(status: CredentialStatus) -> None:
    if status.in_memory_only:
        raise invalid("read_only", "Invalid credential: this account comes from the environment. Change it there.")


def _check_removable(status: CredentialStatus, force: bool) -> None:
    _check_kept(status)
    if status.state != "disabled" and not force:
        raise invalid(
            "credential_enabled",
            f"Invalid credential: Can only delete disabled credentials (please disable credential #{status.id} first)",
        )


def _result(number: int, problem: Refusal | None) -> JsonObject:
    if problem is None:
        return {"id": number, "ok": True}
    return {"id": number, "ok": False, "code": problem.code, "message": problem.message}
