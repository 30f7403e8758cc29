"""A pool over a store in memory and a fake token service: for tests that jump in time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.document import CredentialDocument, StoredCredentials
from kiro_rs_py.upstream.emergency import EmergencyCopy
from kiro_rs_py.upstream.pool import CredentialPool, open_pool
from kiro_rs_py.upstream.store import RefreshTurn, Updated
from tests.upstream.memory import MemoryCredentialStore, MemoryStateStore
from tests.upstream.pool_parts import HOUR, START, FakeTokenService, WallClock, entries_in, file_of, make_credential

T = TypeVar("T")

STALE = START - HOUR


class BrokenStore(MemoryCredentialStore):
    """Refuses writes, or reads, or fails in an unforeseen way, while told to."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.read_only = False
        self.hides_it = False
        """It fills up between the probe and the writing."""
        self.no_other_place = False
        self.unreadable = False
        self.busy = False
        self.bug: Exception | None = None

    async def read(self) -> StoredCredentials:
        if self.bug is not None:
            raise self.bug
        if self.unreadable:
            raise CredentialFileError("credentials.json cannot be read.")
        return await super().read()

    async def update(self, change: Callable[[CredentialDocument], T]) -> Updated[T]:
        if self.read_only:
            raise CredentialFileError("credentials.json cannot be written: No space left on device. Free some space.")
        return await super().update(change)

    async def probe(self) -> None:
        if self.read_only and not self.hides_it:
            raise CredentialFileError("credentials.json cannot be written: No space left on device. Free some space.")
        await super().probe()

    async def keep_copy(self, copy: EmergencyCopy) -> Path:
        if self.no_other_place:
            raise CredentialFileError("There is no other place for them either.")
        return await super().keep_copy(copy)

    @asynccontextmanager
    async def refresh_turn(self, credential_id: int, seconds: float) -> AsyncIterator[RefreshTurn]:
        if self.busy:
            await trio.sleep(seconds)
            yield RefreshTurn(None, held=False)
            return
        async with super().refresh_turn(credential_id, seconds) as turn:
            yield turn


class World:
    """A pool over one or more stale accounts, and everything around it."""

    def __init__(self, *credentials: Credential, **config: object) -> None:
        self.credentials = credentials or (make_credential(1, expires_at=STALE),)
        self.store = BrokenStore(file_of(*self.credentials))
        self.service = FakeTokenService(*self.credentials)
        self.clock = WallClock()
        self.state = MemoryStateStore()
        self.config = Config(**config)  # type: ignore[arg-type]

    @asynccontextmanager
    async def open(
        self,
        *,
        background: bool = True,
        extra: tuple[Credential, ...] = (),
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> AsyncIterator[CredentialPool]:
        """Open the pool; more than once is a restart."""
        async with open_pool(
            self.config,
            self.store,
            self.state,
            self.service,
            extra_credentials=extra,
            now=self.clock,
            jitter=jitter,
            background=background,
        ) as pool:
            yield pool

    def saved(self, number: int = 1) -> object:
        """The refresh token in the file."""
        return entries_in(self.store.text)[number].get("refreshToken")
