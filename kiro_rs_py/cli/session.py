"""What every command about accounts needs: files and connections, and a clean end on a signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import trio

from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.cli.shared import environment_accounts
from kiro_rs_py.config import Config
from kiro_rs_py.errors import CredentialFileError, NotFound, RefreshFailed
from kiro_rs_py.upstream.credential import Credential, TokenGrant
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus, open_pool
from kiro_rs_py.upstream.rotation import TokenService
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 4


class Session:
    """The files and connections of one command. Nothing is read, written or connected before it is used."""

    def __init__(self, config: Config) -> None:
        from kiro_rs_py.upstream.endpoints import Endpoints
        from kiro_rs_py.upstream.http import HttpClients

        self.config = config
        self.store = CredentialStore(config.credentials_path)
        self.state = StateStore.beside(config.credentials_path)
        self.http = HttpClients(config)
        self.endpoints = Endpoints(config)

    def pool(self) -> AbstractAsyncContextManager[CredentialPool]:
        """The accounts, under the same locks as a running ``serve``; nothing is done in the background.

        Entering raises CredentialFileError.
        """
        from kiro_rs_py.upstream.refresh import Refresher

        service = Refresher(self.http, self.config, endpoints=self.endpoints)
        return _open_pool(self.config, self.store, self.state, service)


def open_offline_pool(config: Config) -> AbstractAsyncContextManager[CredentialPool]:
    """The accounts, for commands that only look at them or change the file: httpx is not even imported.

    Entering raises CredentialFileError.
    """
    store, state = CredentialStore(config.credentials_path), StateStore.beside(config.credentials_path)
    return _open_pool(config, store, state, _NoService())


def _open_pool(
    config: Config, store: CredentialStore, state: StateStore, service: TokenService
) -> AbstractAsyncContextManager[CredentialPool]:
    """The same accounts that ``serve`` has, the one from the environment included."""
    extra = environment_accounts(os.environ)
    return open_pool(config, store, state, service, extra_credentials=extra, background=False)


class _NoService:
    """A token service for those who never ask it."""

    async def refresh(self, credential: Credential) -> TokenGrant:
        raise RefreshFailed("This command does not refresh tokens.")


def chosen(pool: CredentialPool, ids: Sequence[int]) -> tuple[CredentialStatus, ...]:
    """The accounts named by ``ids``, or all.

    Raises NotFound for an id that is not there, CredentialFileError when there is no account at all.
    """
    listed = pool.snapshot()
    if not listed and not pool.problems:
        raise CredentialFileError("There is no account. `kiro-rs-py login` adds one, `kiro-rs-py import-token` too.")
    known = {status.id for status in listed}
    for wanted in ids:
        if wanted not in known:
            raise NotFound(f"There is no account #{wanted}. `kiro-rs-py accounts list` shows them.")
    return tuple(status for status in listed if not ids or status.id in ids)


async def for_each(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """Do the same for each, a few at a time: a person with fifty accounts shall not knock fifty times at once.

    Returns the results in the order of ``items``.
    """
    limit = trio.CapacityLimiter(AT_ONCE)
    results: dict[int, R] = {}

    async def one(index: int, item: T) -> None:
        async with limit:
            results[index] = await work(item)

    async with trio.open_nursery() as nursery:
        for index, item in enumerate(items):
            nursery.start_soon(one, index, item)
    return [results[index] for index in range(len(items))]


def run_command(function: Callable[[], Awaitable[T]]) -> T:
    """Run one async function to its end; Ctrl-C and SIGTERM cancel it.

    What is shielded, a refresh whose answer has to be saved, is still finished; a second signal does not wait for it.
    Raises what the function raises, without groups, and KeyboardInterrupt after a signal.
    """
    return trio.run(_until_signal, function)


async def _until_signal(function: Callable[[], Awaitable[T]]) -> T:
    results: list[T] = []
    failure: BaseException | None = None
    interrupted = False
    work = trio.CancelScope()

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal interrupted
                async for _ in received:
                    if interrupted:
                        os._exit(ExitCode.INTERRUPTED)
                    interrupted = True
                    work.cancel()

            nursery.start_soon(watch)
            try:
                with work:
                    results.append(await function())
            except (Exception, BaseExceptionGroup) as error:
                failure = error
            nursery.cancel_scope.cancel()
    if interrupted and not results:
        raise KeyboardInterrupt
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    if failure is not None:
        raise failure
    return results[0]
