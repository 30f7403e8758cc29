"""The two files of accounts kept in memory: for tests that jump in time, since the jumping clock sees no threads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import trio

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.atomic import Stamp
from kiro_rs_py.upstream.document import CredentialDocument, Origin, StoredCredentials
from kiro_rs_py.upstream.emergency import EmergencyCopy
from kiro_rs_py.upstream.state import State, StateStore
from kiro_rs_py.upstream.store import CredentialStore, RefreshTurn, Updated

T = TypeVar("T")


class MemoryCredentialStore(CredentialStore):
    """The same contract without a file."""

    def __init__(self, text: str = "[]") -> None:
        super().__init__(Path("credentials.json"))
        self.text: str | None = text
        self.last_id = 0
        self.origin: Origin | None = None
        self._version = 0
        self._locks: dict[int, trio.Semaphore] = {}
        self.copies: list[EmergencyCopy] = []

    async def read(self) -> StoredCredentials:
        await trio.lowlevel.checkpoint()
        return CredentialDocument(self.text, last_id=self.last_id).stored()

    async def update(self, change: Callable[[CredentialDocument], T]) -> Updated[T]:
        await trio.lowlevel.checkpoint()
        document = CredentialDocument(self.text, last_id=self.last_id, origin=self.origin)
        value = change(document)
        document.complete_ids()
        if document.changed:
            self.replace(document.to_text())
            self.last_id, self.origin = document.last_id, document.origin
        return Updated(value, document.stored())

    def replace(self, text: str | None) -> None:
        """Change the content as somebody else would; None removes it."""
        self.text = text
        self._version += 1

    async def probe(self) -> None:
        await trio.lowlevel.checkpoint()

    async def emergency_copies(self) -> list[EmergencyCopy]:
        await trio.lowlevel.checkpoint()
        return self.copies

    async def keep_copy(self, copy: EmergencyCopy) -> Path:
        await trio.lowlevel.checkpoint()
        self.copies.append(replace(copy, place=Path("elsewhere")))
        return Path("elsewhere")

    async def drop_copies(self, fingerprints: Collection[str | None]) -> None:
        await trio.lowlevel.checkpoint()
        self.copies = [copy for copy in self.copies if copy.fingerprint not in fingerprints]

    async def stamp(self) -> Stamp | None:
        await trio.lowlevel.checkpoint()
        return None if self.text is None else Stamp(self._version, len(self.text), 0)

    @asynccontextmanager
    async def refresh_turn(self, credential_id: int, seconds: float) -> AsyncIterator[RefreshTurn]:
        lock = self._locks.setdefault(credential_id, trio.Semaphore(1))
        held = True
        try:
            lock.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(seconds) as scope:
                await lock.acquire()
            held = not scope.cancelled_caught
        try:
            yield RefreshTurn(None, held=held)
        finally:
            if held:
                lock.release()


class MemoryStateStore(StateStore):
    """Keeps what it is told as long as it lives, unless it is told to be ``full``."""

    def __init__(self) -> None:
        super().__init__(Path("credentials.state.toml"))
        self._state = State()
        self._version = 0
        self.full = False

    def load(self) -> State:
        return self._state

    def update_now(self, change: Callable[[State], None]) -> State:
        if self.full:
            raise CredentialFileError("The disk is full.")
        change(self._state)
        self._version += 1
        return self._state

    async def stamp(self) -> Stamp | None:
        return Stamp(self._version, 0, 0)

    async def read(self) -> State:
        return self.load()

    async def update(self, change: Callable[[State], None]) -> State:
        return self.update_now(change)
