"""The living list of models: what each account was told, kept, renewed in the background, and never waited for.

Requests and ``GET /v1/models`` read what is there. An account is asked again after an hour, and only if it was used
since, so that an idle proxy stays silent; what it said before holds until it says something else, also across a
restart. Nobody's token is refreshed for it, but one: if nothing at all is known, the account that the next request
would get is asked.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn, TypeAlias

import trio

from kiro_rs_py.convert.discovered import DiscoveredModel, Discovery, merged
from kiro_rs_py.errors import CredentialFileError, KiroError, NotFound, NoUsableCredential, UpstreamError
from kiro_rs_py.upstream.beside import tasks_beside
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.leases import Abandoned
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus
from kiro_rs_py.upstream.selection import StateName
from kiro_rs_py.upstream.state import ListedModels, State, StateStore
from kiro_rs_py.upstream.store import CredentialStore

logger = logging.getLogger(__name__)

ModelLister: TypeAlias = Callable[[Credential], Awaitable[tuple[DiscoveredModel, ...]]]

# A throttled account is left in peace, the others in these states can be asked.
_ASKABLE: frozenset[StateName] = frozenset({"active", "exhausted"})
_IN_USE: frozenset[StateName] = _ASKABLE | {"cooling"}


@dataclass(frozen=True, slots=True)
class CatalogTimings:
    """Seconds: how old a list may be, how often to look for older ones, how long to leave an account alone that could
    not tell, and how long a token must still be good."""

    fresh: float = 3600.0
    look: float = 60.0
    retry: float = 300.0
    token: float = 60.0


def discovery_of(lists: Mapping[int, ListedModels], in_use: Collection[int]) -> Discovery:
    """What the accounts ``in_use`` have together; if none of those has told, what any has."""
    told = [key for key in in_use if key in lists]
    models = merged(lists[key].models for key in told or lists)
    return Discovery(models, complete=bool(in_use) and len(told) == len(in_use))


def saved_discovery(credentials_path: Path) -> Discovery:
    """What is known without asking anybody; blocking. Nothing where there are no credentials."""
    try:
        stored = CredentialStore(credentials_path).load()
    except CredentialFileError:
        return Discovery()
    ids = [credential.id for credential in stored.credentials]
    saved = StateStore.beside(credentials_path).load().models
    in_use = [credential.id for credential in stored.credentials if not credential.disabled]
    return discovery_of({key: saved[key] for key in ids if key in saved}, in_use)


@asynccontextmanager
async def open_models(pool: CredentialPool, state: StateStore, ask: ModelLister) -> AsyncIterator[LiveModels]:
    """The living list for the length of the block, which must not outlive the pool."""
    live = LiveModels(pool, state, ask)
    await live.load()
    async with tasks_beside() as nursery:
        nursery.start_soon(live.run)
        yield live


class LiveModels:
    """All accounts' lists. ``on_change`` is called with the new :attr:`discovery`, from :meth:`load` and :meth:`run`.

    ``ask`` is the call for one account; it raises KiroError.
    """

    def __init__(
        self,
        pool: CredentialPool,
        state: StateStore,
        ask: ModelLister,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        timings: CatalogTimings = CatalogTimings(),
    ) -> None:
        self._pool = pool
        self._state = state
        self._ask = ask
        self._now = now
        self._timings = timings
        self._lists: dict[int, ListedModels] = {}
        self._not_before: dict[int, float] = {}
        self.discovery = Discovery()
        """What all accounts together have."""
        self.on_change: Callable[[Discovery], None] = lambda discovery: None

    async def load(self) -> None:
        """Take over what was known at the last run."""
        saved = (await self._state.read()).models
        for status in self._pool.snapshot():
            if (listed := saved.get(status.id)) is not None and listed.models:
                self._keep(status.id, listed)
        self._publish()

    def listed(self, credential_id: int) -> ListedModels | None:
        """What one account was told; None if nothing yet."""
        return self._lists.get(credential_id)

    async def run(self) -> NoReturn:
        """Keep the lists fresh until cancelled. Whatever goes wrong, what is known stays."""
        starting = True
        while True:
            try:
                await self.look(starting=starting)
            except Exception:
                logger.exception("a bug in looking for models")
            starting = False
            await trio.sleep(self._timings.look)

    async def look(self, *, starting: bool = False) -> None:
        """Ask the accounts whose list is missing or old, one after the other. ``starting``: whoever has an old one,
        for a proxy is started to be used."""
        for status in self._pool.snapshot():
            with suppress(NotFound):  # removed while others were asked
                if self._is_due(status, starting=starting):
                    await self._renew(self._pool.credential(status.id))
        if not self._lists:
            await self._ask_somebody()
        self._publish()

    def _is_due(self, status: CredentialStatus, *, starting: bool) -> bool:
        if status.state not in _ASKABLE or trio.current_time() < self._not_before.get(status.id, 0.0):
            return False
        now = self._now()
        if not self._pool.credential(status.id).is_valid(now + timedelta(seconds=self._timings.token)):
            return False
        listed = self._lists.get(status.id)
        if listed is None:
            return True
        if timedelta(0) <= now - listed.listed_at < timedelta(seconds=self._timings.fresh):
            return False
        return starting or (status.last_used_at is not None and status.last_used_at > listed.listed_at)

    async def _ask_somebody(self) -> None:
        try:
            lease = await self._pool.lease("")
        except NoUsableCredential:
            return
        credential = lease.credential
        lease.report(Abandoned())
        if trio.current_time() >= self._not_before.get(credential.id, 0.0):
            with suppress(NotFound):  # removed while it was asked
                await self._renew(credential)

    async def _renew(self, credential: Credential) -> None:
        try:
            models = await self._ask(credential)
        except KiroError as error:
            pause = (error.retry_after if isinstance(error, UpstreamError) else None) or 0.0
            self._not_before[credential.id] = trio.current_time() + max(self._timings.retry, pause)
            logger.info("credential #%d does not tell its models: %s", credential.id, error)
            self._pool.note_refusal(credential.id, error)
            return
        listed = ListedModels(self._now(), models)
        self._keep(credential.id, listed)
        if not credential.in_memory_only:
            await self._save(credential.id, listed)

    def _keep(self, credential_id: int, listed: ListedModels) -> None:
        try:
            self._pool.note_models(credential_id, [model.upstream_id for model in listed.models])
        except NotFound:
            return  # removed meanwhile
        self._lists[credential_id] = listed

    async def _save(self, credential_id: int, listed: ListedModels) -> None:
        def change(state: State) -> None:
            state.models[credential_id] = listed

        try:
            await self._state.update(change)
        except KiroError as error:
            logger.warning("the list of models is kept in memory only: %s", error)

    def _publish(self) -> None:
        statuses = self._pool.snapshot()
        present = {status.id for status in statuses}
        self._lists = {key: listed for key, listed in self._lists.items() if key in present}
        discovery = discovery_of(self._lists, [status.id for status in statuses if status.state in _IN_USE])
        if discovery != self.discovery:
            self.discovery = discovery
            logger.info("models known: %d, from accounts: %d", len(discovery.models), len(self._lists))
            self.on_change(discovery)
