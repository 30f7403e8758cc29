"""CredentialPool: lends one account with a fresh token for one attempt, and learns from how it ended (PRODUCT §4).

What is decided stands in selection.py and leases.py, how tokens are renewed in rotation.py, how the file is kept in
roster.py; here they are put together and given a nursery: for refreshes, the file watcher, the background refresher,
the statistics and the rescue of tokens that could not be saved.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import (
    AccountSuspended,
    CredentialFileError,
    KiroError,
    RefreshFailed,
    RefreshRejected,
)
from kiro_rs_py.upstream.atomic import Stamp
from kiro_rs_py.upstream.beside import tasks_beside
from kiro_rs_py.upstream.credential import AuthMethod, Credential, changed_members
from kiro_rs_py.upstream.document import CredentialDocument, EntryProblem
from kiro_rs_py.upstream.leases import LOCKED, Failed, Lease, Outcome, settle, stop
from kiro_rs_py.upstream.roster import Roster, revive
from kiro_rs_py.upstream.rotation import Rotation, Timings, TokenService
from kiro_rs_py.upstream.selection import TIMED_STATES, Entry, Standing, StateName, choose, nobody
from kiro_rs_py.upstream.state import Mode, State, StateStore
from kiro_rs_py.upstream.statistics import Statistics
from kiro_rs_py.upstream.store import CredentialStore

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """One account as others may see it: no secrets. ``cause`` is a sentence, times are wall clock."""

    id: int
    auth_method: AuthMethod
    priority: int
    state: StateName
    cause: str
    since: datetime
    until: datetime | None
    in_flight: int
    success_count: int
    failure_count: int
    failures_in_a_row: int
    """Throttles, refusals and failed refreshes since the last success."""
    last_error: str | None
    last_used_at: datetime | None
    expires_at: datetime | None
    unsaved: bool
    """Its newest token is in memory only."""
    in_memory_only: bool
    endpoint: str | None
    subscription_title: str | None
    label: str | None = field(repr=False)
    email: str | None = field(repr=False)


@asynccontextmanager
async def open_pool(
    config: Config,
    store: CredentialStore,
    state: StateStore,
    service: TokenService,
    *,
    extra_credentials: Iterable[Credential] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    jitter: Callable[[], float] = random.random,
    timings: Timings = Timings(),  # noqa: B008 (frozen)
    background: bool = True,
) -> AsyncIterator[CredentialPool]:
    """Read the accounts and keep them for the length of the block.

    ``extra_credentials`` live in memory only (``KIRO_API_KEY``). ``background`` False leaves out watching and keeping
    warm, for short commands; these spend no refresh token while the file cannot be written. On leaving, running
    refreshes are brought to their end (at most ``timings.refresh_deadline``) and statistics are written. Raises
    CredentialFileError if the file cannot be read, and, for short commands, at the end if it has not taken new tokens.
    """
    state_stamp = await state.stamp()
    saved = await state.read()
    roster = Roster(store, saved, extra_credentials=extra_credentials, now=now)
    stamp = await store.stamp()
    await roster.reload()
    await _complete_ids(roster)
    statistics = Statistics(roster, state, saved)
    try:
        async with tasks_beside() as nursery:
            rotation = Rotation(
                roster, store, service,
                spawn=nursery.start_soon, jitter=jitter, timings=timings, config_machine_id=config.machine_id,
                must_save=not background,
            )  # fmt: skip
            mode = saved.load_balancing_mode or config.load_balancing_mode
            pool = CredentialPool(roster, rotation, state, statistics, mode, timings, jitter)
            nursery.start_soon(pool._rescue)
            if background:
                nursery.start_soon(pool._watch, store, stamp)
                nursery.start_soon(pool._watch_state, state_stamp)
                nursery.start_soon(pool._keep_warm)
                nursery.start_soon(pool._flush_often)
            yield pool
    finally:
        with trio.CancelScope(shield=True):
            if roster.need_rescue.is_set() and not await roster.save_leftovers() and (lost := roster.lost_with_us()):
                names = ", ".join(f"#{number}" for number in lost)
                logger.critical("NEW TOKENS ARE LOST (%s): %s Log in again.", names, roster.unsaved_because)
            await statistics.flush()
    if not background and roster.unsaved_here():
        where = roster.where_changes_are()
        raise CredentialFileError(f"{where[0].upper()}{where[1:]}. {roster.unsaved_because}")


async def _complete_ids(roster: Roster) -> None:
    """Give entries without an id one that stays, before statistics are kept under it."""
    if not roster.incomplete:
        return
    try:
        await roster.update(lambda document: None)
    except CredentialFileError as error:
        logger.warning("the accounts' new ids cannot be saved: %s", error)


def _name_of(outcome: Outcome) -> str:
    return type(outcome.error).__name__ if isinstance(outcome, Failed) else type(outcome).__name__.lower()


class CredentialPool:
    """All accounts. Made by :func:`open_pool`."""

    def __init__(
        self,
        roster: Roster,
        rotation: Rotation,
        state: StateStore,
        statistics: Statistics,
        mode: Mode,
        timings: Timings,
        jitter: Callable[[], float],
    ) -> None:
        self._roster = roster
        self._rotation = rotation
        self._state = state
        self._statistics = statistics
        self._mode: Mode = mode
        self._timings = timings
        self._jitter = jitter
        self._outcomes: Counter[str] = Counter()

    # --- requests ---

    async def lease(self, model: str, *, tried: Collection[int] = (), only: int | None = None) -> Lease:
        """Borrow the best account for ``model`` (an upstream id, empty for none in particular).

        ``tried`` are accounts this request must not be given again, ``only`` is the one it must be given. Its token is
        refreshed first if need be; an account for which that fails is passed over. Raises NoUsableCredential.
        """
        excluded = set(tried)
        if only is not None:
            excluded |= {entry.id for entry in self._roster.entries if entry.id != only}
        while True:
            moment = self._roster.moment()
            entry = choose(self._roster.entries, model=model, mode=self._mode, moment=moment, tried=excluded)
            if entry is None:
                raise nobody(self._roster.entries, model=model, moment=moment)
            entry.in_flight += 1
            opened = entry.leased_at = moment.mono
            try:
                await self._rotation.freshen(entry)
                # It may have been disabled or removed while its token was being fetched.
                usable = entry in self._roster.entries and (
                    choose([entry], model=model, mode=self._mode, moment=self._roster.moment()) is not None
                )
            except (RefreshRejected, RefreshFailed):
                usable = False
            except BaseException:
                entry.in_flight -= 1
                raise
            if usable:
                return Lease(entry.credential, model, opened, partial(self._settle, entry))
            entry.in_flight -= 1
            excluded.add(entry.id)

    async def force_refresh(self, credential_id: int) -> Credential:
        """Replace an account's access token, in whatever state it is, unless that was done moments ago.

        API keys come back as they are. Raises NotFound, RefreshRejected, RefreshFailed.
        """
        entry = self._roster.get(credential_id)
        await self._rotation.force(entry)
        return entry.credential

    async def refresh_if_expiring(self, credential_id: int, within: timedelta) -> bool:
        """Refresh if ``within`` or less remains; whether the token changed. Raises as :meth:`force_refresh`."""
        entry = self._roster.get(credential_id)
        before = entry.credential.bearer
        await self._rotation.freshen(entry, margin=within.total_seconds())
        return entry.credential.bearer != before

    # --- looking ---

    @property
    def mode(self) -> Mode:
        """How accounts are chosen."""
        return self._mode

    @property
    def problems(self) -> tuple[EntryProblem, ...]:
        """Entries of the file that are left out, and why."""
        return self._roster.problems

    @property
    def unsaved_because(self) -> str | None:
        """Why new tokens exist in memory only, as a sentence; None when all is saved."""
        return self._roster.unsaved_because

    @property
    def clock_skew(self) -> float | None:
        """Seconds this computer's clock is ahead of the token service's; None while unknown."""
        return self._rotation.clock_skew

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many attempts ended how since the start: ``succeeded``, ``abandoned``, or an error's class name."""
        return self._outcomes

    @property
    def refreshes(self) -> Mapping[str, int]:
        """How many refreshes ended how since the start: ``renewed``, ``adopted`` from another process, ``rejected``,
        ``failed``."""
        return self._rotation.outcomes

    def credential(self, credential_id: int) -> Credential:
        """An account's present values. Raises NotFound."""
        return self._roster.get(credential_id).credential

    def watch_states(self, told: Callable[[int, Standing, Standing], None]) -> None:
        """Call ``told`` with number, former and present standing whenever an account's changes; it must not wait.

        A cooling or exhaustion that ends by itself is not told: its ``until`` says it.
        """
        self._roster.on_move = lambda entry, before: told(entry.id, before, entry.standing)

    def snapshot(self) -> tuple[CredentialStatus, ...]:
        """All accounts as they are now."""
        return tuple(self._status(entry) for entry in self._roster.entries)

    def _status(self, entry: Entry) -> CredentialStatus:
        credential, standing = entry.credential, entry.standing_at(self._roster.moment())
        return CredentialStatus(
            id=entry.id,
            auth_method=credential.auth_method,
            priority=credential.priority,
            state=standing.state,
            cause=standing.cause,
            since=standing.since,
            until=standing.until,
            in_flight=entry.in_flight,
            success_count=entry.success_count,
            failure_count=entry.failure_count,
            failures_in_a_row=entry.strikes + entry.refusals + entry.refresh_failures,
            last_error=str(entry.last_error) if entry.last_error else None,
            last_used_at=entry.last_used_at,
            expires_at=credential.expires_at,
            unsaved=entry.unsaved,
            in_memory_only=credential.in_memory_only,
            endpoint=credential.endpoint,
            subscription_title=credential.subscription_title,
            label=credential.label,
            email=credential.email,
        )

    # --- changing ---

    async def reload(self) -> None:
        """Take over what others changed in the file. Raises CredentialFileError; nothing has changed then."""
        await self._roster.reload()

    async def edit(self, change: Callable[[CredentialDocument], T]) -> T:
        """Change the file (add, remove, patch) and the pool with it, or neither.

        Raises what ``change`` raises, UnknownCredential among it, and CredentialFileError.
        """
        return await self._roster.update(change)

    async def set_disabled(self, credential_id: int, disabled: bool, reason: str = "Manual") -> None:
        """Take an account out, or back in with everything forgiven. Raises NotFound, CredentialFileError."""
        entry = self._roster.get(credential_id)
        moment = self._roster.moment()
        if not entry.credential.in_memory_only:
            changed = replace(
                entry.on_disk,
                disabled=disabled,
                disabled_reason=reason if disabled else None,
                disabled_at=moment.wall if disabled else None,
            )
            members = changed_members(entry.on_disk, changed)
            await self._roster.update(lambda document: document.patch(credential_id, members))
        if not disabled:
            revive(entry, moment)
        elif entry.standing.state != "disabled":
            stop(entry, "disabled", reason, None, moment)

    def reset(self, credential_id: int) -> None:
        """Forget an account's automatic state; a disabled one stays disabled. Raises NotFound."""
        entry = self._roster.get(credential_id)
        if entry.standing.state != "disabled":
            revive(entry, self._roster.moment())

    async def set_mode(self, mode: Mode) -> None:
        """Choose accounts otherwise from now on, also after a restart. Raises CredentialFileError; nothing changes."""

        def change(state: State) -> None:
            state.load_balancing_mode = mode

        await self._state.update(change)
        self._mode = mode

    async def learn(self, credential_id: int, fact: Callable[[Credential], Credential]) -> None:
        """Keep what the service has told: ``fact`` gives the credential with it. Raises NotFound; trouble with the file
        is logged and overcome later."""
        entry = self._roster.get(credential_id)
        if fact(entry.credential) != entry.credential:
            await self._roster.save(entry, fact, login=entry.credential.fingerprint)

    def note_usage(self, credential_id: int, *, remaining: float | None, resets_at: datetime | None) -> None:
        """What the usage call said: credits left, and when the quota starts again. Raises NotFound."""
        entry = self._roster.get(credential_id)
        entry.resets_at = resets_at or entry.resets_at
        if entry.standing.state != "exhausted":
            return
        if remaining is not None and remaining > 0:
            revive(entry, self._roster.moment())
        elif resets_at is not None and resets_at > self._roster.moment().wall:
            entry.move(replace(entry.standing, until=resets_at))

    def note_refusal(self, credential_id: int, error: KiroError) -> None:
        """How a call beside the chat has failed; a lock counts as if the chat had said it. Raises NotFound."""
        entry = self._roster.get(credential_id)
        moment = self._roster.moment()
        if isinstance(error, AccountSuspended) and entry.standing_at(moment).state in ("active", *TIMED_STATES):
            stop(entry, "suspended", LOCKED, error, moment)

    def note_models(self, credential_id: int, models: Iterable[str]) -> None:
        """The upstream model ids an account's plan offers. Raises NotFound."""
        self._roster.get(credential_id).models = frozenset(name.lower() for name in models)

    def _settle(self, entry: Entry, lease: Lease, outcome: Outcome) -> None:
        entry.in_flight -= 1
        before = entry.standing.state
        self._outcomes[_name_of(outcome)] += 1
        settle(entry, lease, outcome, self._roster.moment(), self._jitter())
        if entry.standing.state != before:
            logger.warning("credential #%d: %s → %s. %s", entry.id, before, entry.standing.state, entry.standing.cause)

    # --- background ---

    async def _watch(self, store: CredentialStore, seen: object) -> None:
        said = ""
        while True:
            await trio.sleep(self._timings.watch)
            stamp = await store.stamp()
            if stamp == seen:
                continue
            try:
                await self._roster.reload()
                said, seen = "", stamp
            except CredentialFileError as error:
                # Tried again although it looks the same: to be let read it changes no stamp.
                if str(error) != said:
                    logger.error("%s", error)
                said = str(error)
            except Exception:
                # A bug here must not take the server down with it.
                logger.exception("the credentials file is not taken over")
                seen = stamp

    async def _keep_warm(self) -> None:
        while True:
            await trio.sleep(self._timings.warm_check * (0.5 + self._jitter()))
            moment = self._roster.moment()
            for entry in self._roster.entries:
                used = entry.last_used_at
                recent = used is not None and (moment.wall - used).total_seconds() < self._timings.keep_warm
                if recent and entry.standing_at(moment).state in ("active", "cooling"):
                    # Earlier than a request would, so that none has to wait; not all at the same minute.
                    margin = self._timings.refresh_margin + self._timings.warm_check * (2.0 + 3.0 * self._jitter())
                    self._rotation.start_if_due(entry, margin)

    async def _rescue(self) -> None:
        pause = 1.0
        while True:
            await self._roster.need_rescue.wait()
            await trio.sleep(pause)
            pause = 1.0 if await self._roster.save_leftovers() else min(60.0, pause * 2)

    async def _flush_often(self) -> None:
        while True:
            with trio.move_on_after(self._timings.flush):
                await self._roster.urgent.wait()
            self._roster.urgent = trio.Event()
            await self._statistics.flush()

    async def _watch_state(self, seen: Stamp | None) -> None:
        """Take over what other processes found out about accounts, and what somebody has forgiven."""
        while True:
            await trio.sleep(self._timings.watch)
            stamp = await self._state.stamp()
            if stamp != seen:
                seen = stamp
                await self._statistics.take_over()
