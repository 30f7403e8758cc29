"""Client keys in a running proxy: the ring that requests are checked against, and the file behind it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import trio

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.serve.client_keys import ClientKey, KeyRing, utc_now
from kiro_rs_py.serve.key_file import KeyFile
from kiro_rs_py.upstream.atomic import Stamp
from kiro_rs_py.upstream.beside import tasks_beside

logger = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
FLUSH_SECONDS = 60.0


class ClientKeys:
    """What has been changed is on disk before it is in ``ring``, or in neither."""

    def __init__(self, file: KeyFile, now: Callable[[], datetime] = utc_now) -> None:
        self.ring = KeyRing(now=now)
        self._file = file
        # Changes and reloads one after the other: an older state must not follow a newer one into the ring.
        self._turn = trio.Lock()
        self._seen: Stamp | None = None
        self._said = ""

    async def change(self, change: Callable[[dict[str, ClientKey]], None]) -> None:
        """Let ``change`` work on the keys by id. Raises what it raises, and CredentialFileError; then nothing changed.

        Not interrupted by cancellation once it runs.
        """
        with trio.CancelScope(shield=True):
            async with self._turn:
                self.ring.take(await trio.to_thread.run_sync(self._file.update, change))

    async def reload(self) -> None:
        """Take over what is in the file. Raises CredentialFileError; the keys in use then stay as they are."""
        async with self._turn:
            # The stamp first: what is written between the two is seen again.
            stamp = await trio.to_thread.run_sync(self._file.stamp)
            self.ring.take(await trio.to_thread.run_sync(self._file.load))
            self._seen, self._said = stamp, ""

    async def reload_if_changed(self) -> None:
        """The same if somebody has written the file; never raises. The same complaint is logged once."""
        if await trio.to_thread.run_sync(self._file.stamp) == self._seen:
            return
        try:
            await self.reload()
        except CredentialFileError as error:
            if str(error) != self._said:
                logger.error("the client keys stay as they are: %s", error)
            self._said = str(error)

    async def flush(self) -> None:
        """Write down the uses, if there are any; never raises. What cannot be written is kept for the next time."""
        uses = self.ring.unwritten()
        if not uses:
            return

        def count(keys: dict[str, ClientKey]) -> None:
            for key_id in uses.keys() & keys.keys():
                keys[key_id] = keys[key_id].used(uses[key_id])

        try:
            await self.change(count)
        except CredentialFileError as error:
            logger.warning("the uses of client keys are kept in memory for now: %s", error)
        else:
            self.ring.written(uses)


@asynccontextmanager
async def open_client_keys(
    credentials_path: Path,
    *,
    now: Callable[[], datetime] = utc_now,
    watch_seconds: float = WATCH_SECONDS,
    flush_seconds: float = FLUSH_SECONDS,
) -> AsyncIterator[ClientKeys]:
    """The keys of the file beside the credentials, watched while the block runs. Raises CredentialFileError."""
    keys = ClientKeys(KeyFile.beside(credentials_path), now)
    await keys.reload()
    async with tasks_beside() as nursery:
        nursery.start_soon(_every, watch_seconds, keys.reload_if_changed)
        nursery.start_soon(_every, flush_seconds, keys.flush)
        try:
            yield keys
        finally:
            with trio.CancelScope(shield=True):
                await keys.flush()


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await trio.sleep(seconds)
        await work()
