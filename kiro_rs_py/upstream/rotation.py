"""Refreshing one account's token so that no token is lost and none is used twice (operations §10.3).

Refresh tokens rotate, and presenting a spent one can revoke the whole login. So: one flight per account in this
process, whose result all askers share; one process at a time, by a lock held across the call; the file is read again
under that lock, and a newer token found there is taken over without a call; the answer is on disk before anybody is
woken; and a flight belongs to the pool, so that a client which hangs up cannot cancel it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import trio

from kiro_rs_py.errors import ConfigError, CredentialFileError, KiroError, RefreshFailed, RefreshRejected
from kiro_rs_py.upstream.credential import Credential, TokenGrant, with_fixed_machine_id, with_grant
from kiro_rs_py.upstream.leases import cool, stop, without_traceback
from kiro_rs_py.upstream.roster import Roster, revive
from kiro_rs_py.upstream.selection import Entry, StateName
from kiro_rs_py.upstream.store import CredentialStore, RefreshTurn

logger = logging.getLogger(__name__)

LOUD_CLOCK_SKEW = 300.0  # seconds; half of the margin, from there on tokens are misjudged


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Intervals of the pool, in seconds. Tests shorten them; nobody else needs to."""

    refresh_margin: float = 600.0
    """Refresh when this much or less remains (upstream-protocol §4.1)."""
    refresh_deadline: float = 30.0
    """For the calls of one refresh; saving comes on top."""
    second_try: float = 1.0
    """Pause before the same token is sent once more when the outcome of the first call is unknown."""
    lock_wait: float = 20.0
    """For another process that is refreshing the same account."""
    settled: float = 30.0
    """Nobody refreshes by force what was refreshed this short ago."""
    longest_back_off: float = 60.0
    watch: float = 3.0
    """Between looks at the credentials file."""
    flush: float = 30.0
    """Between writes of the statistics."""
    warm_check: float = 60.0
    keep_warm: float = 4 * 3600.0
    """Accounts used within this time are refreshed in the background."""


class TokenService(Protocol):
    """What is needed of :class:`~kiro_rs_py.upstream.refresh.Refresher`."""

    async def refresh(self, credential: Credential) -> TokenGrant: ...


@dataclass(slots=True, eq=False)
class _Flight:
    """One refresh under way."""

    done: trio.Event = field(default_factory=trio.Event)
    error: KiroError | None = None


class Rotation:
    """Keeps tokens fresh. ``spawn`` starts a task in the pool's nursery; ``jitter`` gives numbers in [0, 1)."""

    def __init__(
        self,
        roster: Roster,
        store: CredentialStore,
        service: TokenService,
        *,
        spawn: Callable[..., None],
        jitter: Callable[[], float],
        timings: Timings,
        config_machine_id: str | None,
        must_save: bool = False,
    ) -> None:
        """``must_save``: never spend a refresh token whose successor could not be saved, for processes that end soon.
        Others do so when the access token is over: the new one works from memory, and is saved later."""
        self._roster = roster
        self._store = store
        self._service = service
        self._spawn = spawn
        self._jitter = jitter
        self._timings = timings
        self._config_machine_id = config_machine_id
        self._must_save = must_save
        self._flights: dict[int, _Flight] = {}
        self.outcomes: Counter[str] = Counter()
        self.clock_skew: float | None = None
        """Seconds this computer's clock is ahead of the token service's, as last seen."""

    # --- asking ---

    async def freshen(self, entry: Entry, *, margin: float | None = None) -> None:
        """Return once the entry's token is good; at once if it is. Raises RefreshRejected and RefreshFailed.

        While the old token is valid, trouble with the refresh is not the asker's: it is tried again later.
        """
        margin = self._timings.refresh_margin if margin is None else margin
        if self._is_due(entry, margin):
            stale = entry.credential.bearer if entry.doubt == "suspect" else None
            await self._wait_for(self._flight(entry, margin, stale))

    async def force(self, entry: Entry) -> None:
        """Replace the present access token, unless that was done moments ago. Raises as :meth:`freshen`."""
        stale = entry.credential.bearer
        recent = entry.refreshed_at is not None and trio.current_time() - entry.refreshed_at < self._timings.settled
        if entry.credential.auth_method == "api_key" or (recent and stale):
            return
        for _ in range(2):
            # The first flight may be one that was under way already and found nothing to do.
            await self._wait_for(self._flight(entry, self._timings.refresh_margin, stale))
            if entry.credential.bearer != stale:
                return

    def start_if_due(self, entry: Entry, margin: float) -> None:
        """The same for nobody in particular: start, do not wait."""
        if self._is_due(entry, margin):
            self._flight(entry, margin, None)

    def _is_due(self, entry: Entry, margin: float) -> bool:
        """Whether the token must, or should and can, be refreshed now."""
        credential = entry.credential
        if credential.auth_method == "api_key":
            return False
        if entry.doubt == "suspect":
            return True
        # A token that lives for five minutes would otherwise be due for as long as it lives.
        span = margin if entry.lifetime is None else min(margin, entry.lifetime / 2)
        moment = self._roster.moment()
        if not credential.needs_refresh(moment.wall, timedelta(seconds=span)):
            return False
        return moment.mono >= entry.refresh_not_before or not credential.is_valid(moment.wall)

    def _flight(self, entry: Entry, margin: float, stale: str | None) -> _Flight:
        flight = self._flights.get(entry.id)
        if flight is None:
            flight = self._flights[entry.id] = _Flight()
            self._spawn(self._fly, entry, flight, margin, stale)
        return flight

    async def _wait_for(self, flight: _Flight) -> None:
        await flight.done.wait()
        if flight.error is not None:
            raise without_traceback(flight.error)  # a copy for each asker, since raising adds to a traceback

    # --- flying ---

    async def _fly(self, entry: Entry, flight: _Flight, margin: float, stale: str | None) -> None:
        flight.error = RefreshFailed("The proxy is stopping.")  # what is left if this task is cancelled
        try:
            await self._rotate(entry, margin, stale)
            flight.error = None
            self._succeeded(entry)
        except (RefreshRejected, ConfigError) as error:
            flight.error = self._rejected(entry, error)
        except RefreshFailed as error:
            flight.error = self._failed(entry, error, stale)
        except CredentialFileError as error:
            flight.error = self._failed(entry, RefreshFailed(f"It cannot be refreshed safely: {error}"), stale)
        except Exception:
            # A bug here must not take the server down with it.
            logger.exception("credential #%d: the refresh failed in an unforeseen way", entry.id)
            flight.error = self._failed(entry, RefreshFailed("The refresh failed in an unforeseen way."), stale)
        finally:
            del self._flights[entry.id]
            flight.done.set()

    async def _rotate(self, entry: Entry, margin: float, stale: str | None) -> None:
        before = entry.credential.bearer if stale is None else stale
        turns: AbstractAsyncContextManager[RefreshTurn] = nullcontext(RefreshTurn(None))
        if not entry.credential.in_memory_only:
            turns = self._store.refresh_turn(entry.id, self._timings.lock_wait)
        async with turns as turn:
            await self._look_at_disk()
            if self._good(entry, before, None if stale else margin):
                logger.info("credential #%d: another process has refreshed it", entry.id)
                self.outcomes["adopted"] += 1
                return
            if not turn.held:
                raise RefreshFailed("Another process is refreshing this account.", retry_after=2.0)
            if problem := entry.credential.problem():
                raise ConfigError([problem])
            if turn.interrupted():
                logger.warning(
                    "credential #%d: its last refresh was interrupted (process killed?); if the login is refused now, "
                    "log in again",
                    entry.id,
                )
            await self._check_writable(entry)
            turn.started()
            try:
                answer = await self._ask(entry, before)
                if answer is not None:
                    await self._keep(entry, *answer)
            finally:
                turn.finished()

    async def _look_at_disk(self) -> None:
        try:
            await self._roster.reload()
        except CredentialFileError as error:
            # The token in memory is still the newest we know, and waiting would not make the file whole.
            logger.warning("refreshing without a look at the credentials file: %s", error)

    async def _check_writable(self, entry: Entry) -> None:
        """Raises CredentialFileError if the new tokens could not be saved, and the old ones can wait."""
        if entry.credential.in_memory_only:
            return
        try:
            await self._store.probe()
        except CredentialFileError as error:
            self._roster.complain(error)
            if self._must_save or self._is_usable(entry):
                raise

    def _is_usable(self, entry: Entry) -> bool:
        return entry.credential.is_valid(self._roster.moment().wall) and entry.doubt != "suspect"

    def _good(self, entry: Entry, before: str, margin: float | None = None) -> bool:
        """Whether the look at the disk has made the call needless: a newer token, or one with ``margin`` left."""
        now = self._roster.moment().wall
        if entry.credential.bearer != before:
            return entry.credential.is_valid(now)
        return margin is not None and not entry.credential.needs_refresh(now, timedelta(seconds=margin))

    async def _ask(self, entry: Entry, before: str) -> tuple[Credential, TokenGrant] | None:
        """The grant and the credential it was asked for; None when a newer token turned up on disk instead."""
        with trio.move_on_after(self._timings.refresh_deadline, shield=True):
            for is_last in (False, True):
                sent = entry.credential
                try:
                    return sent, await self._service.refresh(sent)
                except RefreshRejected:
                    # Perhaps a program without our locks has rotated it: look once more.
                    await self._look_at_disk()
                    if is_last or entry.credential.fingerprint == sent.fingerprint:
                        raise
                except RefreshFailed as error:
                    if is_last or error.retry_after is not None:
                        raise
                    # The service may have rotated the token and only its answer got lost: then the same token once
                    # more, soon, is the best chance there is.
                    await trio.sleep(self._timings.second_try)
                    await self._look_at_disk()
                if self._good(entry, before):
                    return None
        raise RefreshFailed(f"The token service did not answer within {self._timings.refresh_deadline:.0f} seconds.")

    async def _keep(self, entry: Entry, sent: Credential, grant: TokenGrant) -> None:
        """Save first, whatever the answer looks like; then judge it."""
        moment = self._roster.moment()

        def renew(credential: Credential) -> Credential:
            return with_grant(with_fixed_machine_id(credential, self._config_machine_id), grant, moment.wall)

        if sent.fingerprint is not None and renew(sent).fingerprint != sent.fingerprint:
            entry.spent.append(sent.fingerprint)
        with trio.CancelScope(shield=True):  # bounded by the store's own deadlines
            await self._roster.save(entry, renew, login=sent.fingerprint)
        entry.refreshed_at = moment.mono
        entry.lifetime = grant.expires_in if grant.expires_in and grant.expires_in > 0 else None
        self._compare_clocks(grant)
        if not grant.access_token:
            raise RefreshFailed("The token service answered without an access token; its refresh token was kept.")
        self.outcomes["renewed"] += 1
        logger.info("credential #%d: token refreshed", entry.id)

    def _compare_clocks(self, grant: TokenGrant) -> None:
        if grant.clock_skew is None:
            return
        was_loud = self.clock_skew is not None and abs(self.clock_skew) >= LOUD_CLOCK_SKEW
        self.clock_skew = grant.clock_skew
        if abs(grant.clock_skew) >= LOUD_CLOCK_SKEW and not was_loud:
            logger.warning(
                "this computer's clock is %.0f minutes %s the token service's; tokens are refreshed too %s until it "
                "is set right",
                abs(grant.clock_skew) / 60,
                "ahead of" if grant.clock_skew > 0 else "behind",
                "early" if grant.clock_skew > 0 else "late",
            )

    # --- what it means for the account, without await ---

    def _succeeded(self, entry: Entry) -> None:
        entry.refresh_failures = 0
        entry.refresh_not_before = 0.0
        if entry.doubt == "suspect":
            entry.doubt = "renewed"
        by_refresh = isinstance(entry.standing.error, RefreshFailed | RefreshRejected)
        if entry.standing.state in ("reauth_required", "invalid_config") or by_refresh:
            revive(entry, self._roster.moment())

    def _rejected(self, entry: Entry, error: RefreshRejected | ConfigError) -> RefreshRejected:
        state: StateName = "reauth_required" if isinstance(error, RefreshRejected) else "invalid_config"
        rejected = error if isinstance(error, RefreshRejected) else RefreshRejected(str(error))
        logger.error("credential #%d: %s", entry.id, error)
        self.outcomes["rejected"] += 1
        if entry.standing.state not in ("disabled", "suspended"):
            stop(entry, state, str(error), rejected, self._roster.moment())
        return without_traceback(rejected)

    def _failed(self, entry: Entry, error: RefreshFailed, stale: str | None) -> RefreshFailed | None:
        """The error for the askers; None when the old token will do for now."""
        moment = self._roster.moment()
        self.outcomes["failed"] += 1
        entry.refresh_failures += 1
        growing = min(self._timings.longest_back_off, 5.0 * 2.0 ** min(entry.refresh_failures - 1, 6))
        seconds = growing * (1.0 + 0.25 * self._jitter()) if error.retry_after is None else error.retry_after
        entry.refresh_not_before = moment.mono + seconds
        usable = self._is_usable(entry)
        logger.warning("credential #%d: %s Next try in %.0f s.", entry.id, error, seconds)
        kept = without_traceback(error)
        if not usable:
            cool(entry, seconds, str(error), kept, moment)
        return None if usable and stale is None else kept
