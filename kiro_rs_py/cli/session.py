"""What every command about accounts needs: settings, quiet logs, files and connections, and a clean end on a signal."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import trio

from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.cli.shared import Common, open_settings
from kiro_rs_py.errors import CredentialFileError, NotFound, RefreshFailed

if TYPE_CHECKING:
    from kiro_rs_py.config import Config
    from kiro_rs_py.upstream.credential import Credential, TokenGrant
    from kiro_rs_py.upstream.endpoints import Endpoints
    from kiro_rs_py.upstream.http import HttpClients
    from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus
    from kiro_rs_py.upstream.rotation import TokenService
    from kiro_rs_py.upstream.state import StateStore
    from kiro_rs_py.upstream.store import CredentialStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """The files and connections of one command."""

    config: Config
    store: CredentialStore
    state: StateStore
    http: HttpClients
    endpoints: Endpoints

    @asynccontextmanager
    async def pool(self) -> AsyncIterator[CredentialPool]:
        """The accounts, under the same locks as a running ``serve``; nothing is done in the background.

        Raises CredentialFileError.
        """
        from kiro_rs_py.upstream.refresh import Refresher

        service = Refresher(self.http, self.config, endpoints=self.endpoints)
        async with _open_pool(self.config, self.store, self.state, service) as pool:
            yield pool


@asynccontextmanager
async def open_session(config: Config) -> AsyncIterator[Session]:
    """Nothing is read, written or connected before it is used."""
    from kiro_rs_py.upstream.endpoints import Endpoints
    from kiro_rs_py.upstream.http import HttpClients
    from kiro_rs_py.upstream.state import StateStore
    from kiro_rs_py.upstream.store import CredentialStore

    store = CredentialStore(config.credentials_path)
    state = StateStore.beside(config.credentials_path)
    http = HttpClients(config)
    yield Session(config, store, state, http, Endpoints(config))


@asynccontextmanager
async def open_offline_pool(config: Config) -> AsyncIterator[CredentialPool]:
    """The accounts, for commands that only look at them or change the file: httpx is not even imported.

    Raises CredentialFileError.
    """
    from kiro_rs_py.upstream.state import StateStore
    from kiro_rs_py.upstream.store import CredentialStore

    store, state = CredentialStore(config.credentials_path), StateStore.beside(config.credentials_path)
    async with _open_pool(config, store, state, _NoService()) as pool:
        yield pool


def _open_pool(
    config: Config, store: CredentialStore, state: StateStore, service: TokenService
) -> AbstractAsyncContextManager[CredentialPool]:
    """The same accounts that ``serve`` has, the one from the environment included."""
    from kiro_rs_py.cli.environment_key import environment_accounts
    from kiro_rs_py.upstream.pool import open_pool

    extra = environment_accounts(os.environ)
    return open_pool(config, store, state, service, extra_credentials=extra, background=False)


class _NoService:
    """A token service for those who never ask it."""

    async def refresh(self, credential: Credential) -> TokenGrant:
        raise RefreshFailed("This command does not refresh tokens.")


def account_config(common: Common, *, quiet: bool = False) -> Config:
    """The settings of a command about accounts. It tells its results itself, so the log says little unless asked.

    ``quiet``: no word about odd settings either.
    """
    config = open_settings(common, quiet=quiet).config
    if common.log_level is None and not (os.environ.get("KIRO_RS_LOG") or os.environ.get("RUST_LOG")):
        logging.getLogger().setLevel(logging.WARNING)
        # What it has to say about a failed refresh is the command's own line.
        logging.getLogger("kiro_rs_py.upstream.rotation").setLevel(logging.CRITICAL)
    return config


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


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int = 4) -> None:
    """Do the same for each, a few at a time: a person with fifty accounts shall not knock fifty times at once."""
    limit = trio.CapacityLimiter(at_once)

    async def one(item: T) -> None:
        async with limit:
            await work(item)

    async with trio.open_nursery() as nursery:
        for item in items:
            nursery.start_soon(one, item)


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

    async def watch(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        nonlocal interrupted
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                if interrupted:
                    os._exit(ExitCode.INTERRUPTED)
                interrupted = True
                work.cancel()

    async with trio.open_nursery() as nursery:
        await nursery.start(watch)
        try:
            with work:
                results.append(await function())
        except (Exception, BaseExceptionGroup) as error:
            failure = _single(error)
        nursery.cancel_scope.cancel()
    if interrupted and not results:
        raise KeyboardInterrupt
    if failure is not None:
        raise failure
    return results[0]


def _single(error: BaseException) -> BaseException:
    """The one that counts of a group: what was cancelled because of it does not."""
    while isinstance(error, BaseExceptionGroup):
        causes = [cause for cause in error.exceptions if not _is_cancelled(cause)]
        error = (causes or list(error.exceptions))[0]
    return error


def _is_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_cancelled(cause) for cause in error.exceptions)
    return isinstance(error, trio.Cancelled)


def tell(line: str = "") -> None:
    """A line for the person at the terminal, on stderr: results go to stdout."""
    print(line, file=sys.stderr, flush=True)


def stdin_is_terminal() -> bool:
    """Whether a person may be asked; False also where there is no stdin at all, as under some supervisors."""
    stdin: object = sys.stdin
    return stdin is not None and sys.stdin.isatty()
