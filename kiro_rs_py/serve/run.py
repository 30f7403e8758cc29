"""The composition root: opens everything, serves until told to stop, drains, and leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.errors import ConfigError, KiroError
from kiro_rs_py.serve import health
from kiro_rs_py.serve.app import App, sole_error
from kiro_rs_py.serve.connections import serve_connections
from kiro_rs_py.serve.health import readiness_of
from kiro_rs_py.serve.in_flight import InFlight
from kiro_rs_py.serve.key_keeper import open_client_keys
from kiro_rs_py.serve.listener import Bound, ServerAddress, bind_all
from kiro_rs_py.serve.messages import Messages
from kiro_rs_py.serve.metrics import Metrics
from kiro_rs_py.serve.models import Models

if TYPE_CHECKING:
    from kiro_rs_py.serve.admin.house import House
    from kiro_rs_py.serve.admin.wiring import Admin
    from kiro_rs_py.upstream.client import KiroClient
    from kiro_rs_py.upstream.counting import RemoteCounter
    from kiro_rs_py.upstream.credential import Credential
    from kiro_rs_py.upstream.dump import Dump

logger = logging.getLogger(__name__)

# Of the grace, what is kept for telling late streams that they end; a fifth if the grace is short.
LAST_WORDS_SECONDS = 2.0

M_ARENA_MAX = -8
"""glibc's number of the parameter, from malloc.h."""

# Settings that :meth:`Server.apply` can change while running; the others are built into sockets and clients.
RELOADABLE = frozenset(
    {
        "admin_api_key",
        "api_key",
        "metrics_key",
        "cors_origins",
        "log_format",
        "max_inbound_body_bytes",
        "max_inbound_bytes_in_flight",
        "max_concurrent_requests",
        "ping_interval_seconds",
        "thinking_suffix",
        "thinking_format",
        "tool_compression_bytes",
        "models",
    }
)


class Server:
    """The app and its parts, wired. Nothing here waits or opens anything."""

    def __init__(self, config: Config, upstream: Upstream) -> None:
        house, calibrations = upstream.house, upstream.calibrations
        self._config = self._running = config
        self._house = house
        catalog = house.catalog(config)
        self.in_flight = InFlight()
        self._messages = Messages(
            upstream.client, self.in_flight, config, catalog, calibrations=calibrations, counter=upstream.counter
        )
        self._models = Models(config, catalog, calibrations)
        self._metrics = Metrics(config, house.pool, lambda: self.in_flight.running)
        self._probes = health.routes(lambda: readiness_of(house.pool, closing=self.in_flight.closing))
        routes = [*self._messages.routes(), *self._models.routes(), *self._metrics.routes(), *self._probes]
        self.app = App(routes, config, [self._metrics.note_request], house.keys.ring)
        self._admin: Admin | None = None
        self.admin_app: App | None = None
        house.models.on_change = lambda _: self._take_catalog(self._running)

    def mount(self, admin: Admin) -> None:
        """Serve the administration too; with ``admin_listen`` by an app of its own (operations §10.1 S13)."""
        self._admin = admin
        if self._config.admin_listen is None:
            self.app.mount(admin.routes(), admin.note_request)
            return
        self.app.mount([], admin.note_request)
        routes = [*self._probes, *admin.routes()]
        unknown = "Unknown route. This address has the administration only: /admin."
        self.admin_app = App(routes, self._config, [self._metrics.note_request], unknown=unknown)

    def apply(self, config: Config) -> tuple[str, ...]:
        """Take over what can change while running. Returns the names of changed settings that need a restart."""
        self._take_catalog(config)
        self._running = config
        for app in filter(None, (self.app, self.admin_app)):
            app.configure(config)
        self._metrics.configure(config)
        if self._admin is not None:
            changed = {name: getattr(config, name) for name in RELOADABLE}
            self._admin.configure(replace(self._config, **changed))
        taken_over = RELOADABLE
        if bool(config.admin_api_key.strip()) != bool(self._config.admin_api_key.strip()):
            taken_over = RELOADABLE - {"admin_api_key"}  # there are no routes for it, or too many
        names = [field.name for field in fields(Config) if field.name not in taken_over]
        return tuple(name for name in names if getattr(config, name) != getattr(self._config, name))

    def _take_catalog(self, config: Config) -> None:
        """Take over what ``config`` and the accounts say of models. Raises ConfigError; nothing has changed then."""
        catalog = self._house.catalog(config)
        self._messages.configure(config, catalog)
        self._models.configure(config, catalog)


async def serve(
    config: Config,
    *,
    bound: Bound | None = None,
    on_ready: Callable[[ServerAddress], None] | None = None,
    task_status: trio.TaskStatus[ServerAddress] = trio.TASK_STATUS_IGNORED,
    handle_signals: bool = True,
    stop: trio.Event | None = None,
    reload: Callable[[], Config] | None = None,
    extra_credentials: Sequence[Credential] = (),
    sources: Mapping[str, str] | None = None,
) -> None:
    """Run the proxy until ``stop`` is set or, with ``handle_signals``, until SIGINT or SIGTERM comes.

    Then no connection is accepted any more, requests under way get ``shutdown_grace_seconds``, and streams that are
    still late are told so. A second signal ends the process at once. SIGHUP reads the credentials file again, and the
    configuration through ``reload``; if the terminal was closed it is as SIGTERM. With ``handle_signals`` the process
    is ours, and its garbage collector and allocator are tuned.

    ``bound``: it listens already; the sockets are closed at the end. ``extra_credentials`` are accounts that live in
    memory only, ``sources`` says where each setting came from.

    ``on_ready`` and ``task_status`` get the address when connections are served. Raises :class:`ConfigError` without
    an API key, BindError, CredentialFileError.
    """
    if not config.api_key:
        raise ConfigError(["api_key is missing: without it anybody could use your account."])
    stop = trio.Event() if stop is None else stop
    # First of all, so that clients can connect, and wait, while the rest is made ready.
    bound = bind_all(config) if bound is None else bound
    address = bound.address
    failure: Exception | None = None
    async with trio.open_nursery() as signals:
        try:
            hang_ups = await signals.start(_obey_signals, stop) if handle_signals else None
            if handle_signals:
                _tune_allocator()
            async with _open_upstream(config, extra_credentials) as upstream:
                server = Server(config, upstream)
                administration = _open_admin(server, upstream.house, address.url, sources or {})
                async with administration as admin, trio.open_nursery() as serving:
                    grace = config.shutdown_grace_seconds
                    await serving.start(partial(_serve_bound, server, bound, stop=stop, grace=grace))
                    if hang_ups is not None:
                        _tune_collector()
                        signals.start_soon(_reload, hang_ups, server, upstream.house, reload)
                    if on_ready is not None:
                        on_ready(address)
                    task_status.started(address)
                    await stop.wait()
                    admin.close()
                    await _drain(server.in_flight, grace)
        except Exception as exc:
            failure = sole_error(exc)  # raised below, so that it does not come out wrapped in a group
        finally:
            bound.close()
        # Until here, when the pool has been closed too, a second signal still ends the process.
        signals.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _serve_bound(
    server: Server,
    bound: Bound,
    *,
    stop: trio.Event,
    grace: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accept connections on all sockets until ``stop``; see :func:`serve_connections`."""
    serve_app = partial(serve_connections, stop=stop, grace=grace)
    async with trio.open_nursery() as doors:
        await doors.start(serve_app, server.app, bound.sockets)
        logger.info("serving on %s", bound.address.url)
        if bound.admin is not None and server.admin_app is not None:
            await doors.start(serve_app, server.admin_app, bound.admin.sockets)
            logger.info("administration on %s", bound.admin.address.url)
        task_status.started()


@dataclass(frozen=True, slots=True)
class Upstream:
    """What the server is built on. ``counter`` is the remote one, if there is any."""

    client: KiroClient
    house: House
    calibrations: Calibrations
    counter: RemoteCounter | None


@asynccontextmanager
async def _open_upstream(config: Config, extra_credentials: Sequence[Credential]) -> AsyncIterator[Upstream]:
    # Imported here because they bring httpx with them, which the listening socket need not wait for.
    from kiro_rs_py.serve.admin.house import House
    from kiro_rs_py.upstream.catalog import open_models
    from kiro_rs_py.upstream.client import KiroClient
    from kiro_rs_py.upstream.control import list_models
    from kiro_rs_py.upstream.counting import RemoteCounter
    from kiro_rs_py.upstream.endpoints import Endpoints
    from kiro_rs_py.upstream.http import HttpClients
    from kiro_rs_py.upstream.pool import open_pool
    from kiro_rs_py.upstream.refresh import Refresher
    from kiro_rs_py.upstream.state import StateStore, open_calibrations
    from kiro_rs_py.upstream.store import CredentialStore

    store = CredentialStore(config.credentials_path)
    state = StateStore.beside(config.credentials_path)
    http = HttpClients(config)
    service = Refresher(http, config)
    endpoints = Endpoints(config)
    ask = partial(list_models, http, config, endpoints)
    counter = RemoteCounter(http, config) if config.count_tokens_api_url else None
    dumping: AbstractAsyncContextManager[Dump | None] = nullcontext()
    if config.dump_dir is not None:
        from kiro_rs_py.upstream.dump import open_dump

        dumping = open_dump(config.dump_dir)
    async with (
        open_client_keys(config.credentials_path) as keys,
        open_pool(config, store, state, service, extra_credentials=extra_credentials) as pool,
        open_calibrations(state) as calibrations,
        open_models(pool, state, ask) as models,
        dumping as dump,
    ):
        client = KiroClient(config, pool, http, dump=dump)
        house = House(config, pool, store, state, http, endpoints, models, keys)
        yield Upstream(client, house, calibrations, counter)


@asynccontextmanager
async def _open_admin(server: Server, house: House, base_url: str, sources: Mapping[str, str]) -> AsyncIterator[Admin]:
    from kiro_rs_py.serve.admin.wiring import open_admin

    in_flight = server.in_flight
    async with open_admin(house, base_url=base_url, in_flight=lambda: in_flight.running, sources=sources) as admin:
        server.mount(admin)
        yield admin


async def _drain(in_flight: InFlight, grace: float) -> None:
    logger.info("stopping; %d requests under way have %g seconds", in_flight.running, grace)
    await in_flight.drain(grace - min(LAST_WORDS_SECONDS, grace / 5))


async def _obey_signals(
    stop: trio.Event, task_status: trio.TaskStatus[trio.MemoryReceiveChannel[None]] = trio.TASK_STATUS_IGNORED
) -> None:
    """SIGINT and SIGTERM stop, the second one at once. SIGHUPs come out of the channel, those in a row as one; but when
    the terminal has been closed they stop, too."""
    requests, hang_ups = trio.open_memory_channel[None](1)
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    terminal = None if hang_up is None else _open_terminal()
    numbers = [signal.SIGINT, signal.SIGTERM, *([hang_up] if hang_up else [])]
    with trio.open_signal_receiver(*numbers) as received:
        task_status.started(hang_ups)
        async for number in received:
            if number == hang_up and terminal is not None and _is_closed(terminal):
                # Or it would live on unseen, and hold the port.
                stop.set()
            elif number == hang_up:
                with suppress(trio.WouldBlock):
                    requests.send_nowait(None)
            elif stop.is_set():
                logger.warning("stopping at once")
                logging.shutdown()
                # No clean-up: it is what the first signal asked for, and what hangs.
                os._exit(128 + number)
            else:
                stop.set()


def _open_terminal() -> int | None:
    """A descriptor of the terminal the process was started in, if there is one and its end is to be ours: under
    ``nohup`` SIGHUP is ignored."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return None
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None


def _is_closed(terminal: int) -> bool:
    try:
        os.tcgetpgrp(terminal)
    except OSError:
        return True
    return False


async def _reload(
    hang_ups: trio.MemoryReceiveChannel[None],
    server: Server,
    house: House,
    read_config: Callable[[], Config] | None,
) -> None:
    """Whatever is wrong with the files, the proxy goes on with what it has."""
    async for _ in hang_ups:
        try:
            if read_config is not None:
                config = await trio.to_thread.run_sync(read_config)
                for name in server.apply(config):
                    logger.warning("%s has changed, which takes effect at the next start", name)
            await house.pool.reload()
            await house.keys.reload()
        except KiroError as exc:
            logger.error("not reloaded: %s", exc)
        except Exception:
            logger.exception("not reloaded")
        else:
            logger.info("reloaded")


def _tune_allocator() -> None:
    """One arena for all threads, where the C library is glibc (mallopt(3)). Large histories are handled in threads, and
    an arena of some MB would stay behind for each. To be called before there are threads."""
    try:
        import ctypes

        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (ImportError, OSError, AttributeError, TypeError):
        pass  # another C library, or none that can be asked


def _tune_collector() -> None:
    """What exists now lives as long as the process; full collections own the tail of the latency (stack.md P10)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
