"""Puts the administration together and keeps it running: made once by the composition root."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.config.serving import admin_host
from kiro_rs_py.config.values import UNIX
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.admin.accounts import Accounts
from kiro_rs_py.serve.admin.activity import Activity
from kiro_rs_py.serve.admin.api import Api
from kiro_rs_py.serve.admin.audit import Audit
from kiro_rs_py.serve.admin.balances import Balances
from kiro_rs_py.serve.admin.credential_routes import CredentialRoutes
from kiro_rs_py.serve.admin.door import Door
from kiro_rs_py.serve.admin.enrolling import Enrolling
from kiro_rs_py.serve.admin.events import Hub
from kiro_rs_py.serve.admin.guard import Guard
from kiro_rs_py.serve.admin.history import History
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.imports import Imports
from kiro_rs_py.serve.admin.job_routes import JobRoutes
from kiro_rs_py.serve.admin.key_routes import KeyRoutes
from kiro_rs_py.serve.admin.logins import Logins
from kiro_rs_py.serve.admin.oauth_pages import OAuthPages
from kiro_rs_py.serve.admin.overview import Overview
from kiro_rs_py.serve.admin.session import Sessions
from kiro_rs_py.serve.admin.session_routes import SessionRoutes
from kiro_rs_py.serve.admin.static_files import StaticFiles
from kiro_rs_py.serve.admin.throttle import Throttle
from kiro_rs_py.serve.admin.trials import Trials
from kiro_rs_py.serve.admin.watch_routes import WatchRoutes
from kiro_rs_py.serve.app import Call, Route
from kiro_rs_py.upstream.beside import tasks_beside

logger = logging.getLogger(__name__)

PULSE_SECONDS = 1.0
CALM_SECONDS = 0.25
"""Between two rounds of news, when accounts change at once."""

OVERVIEW_BEATS = 5
PURGE_BEATS = 10


class Admin:
    """The administration. ``spawn`` starts a task in a nursery that lives as long as the server.

    With ``adminApiKey`` it is all there; without it only the sign-in pages are, for this machine (PRODUCT §6).
    """

    def __init__(
        self,
        house: House,
        *,
        base_url: str,
        in_flight: Callable[[], int],
        sources: Mapping[str, str],
        spawn: Callable[..., None],
    ) -> None:
        config = house.config
        self._house = house
        self._config = config
        self._sources = sources
        self._administrator = bool(config.admin_api_key.strip())
        # Who comes in, and what they did.
        self._door = Door(
            self._key_of(config),
            Guard(admin_host(config), config.admin_hosts),
            Sessions(house.now),
            Throttle(house.clock),
            loopback_only=not self._administrator,
            by_file=(config.admin_listen or "").startswith(UNIX),
        )
        self._audit = Audit(house.now)
        # What is done to accounts.
        self._hub = Hub()
        self._balances = Balances(house)
        self._accounts = Accounts(house, self._balances)
        self._enrolling = Enrolling(house, self._balances)
        self._logins = Logins(house, self._enrolling, self._hub, spawn)
        self._imports = Imports(house, self._enrolling, self._hub, spawn)
        self._trials = Trials(house, self._in_force)
        # What is seen of them, and of requests.
        self._activity = Activity(house.clock, house.now)
        self._overview = Overview(house, self._activity, base_url, house.now(), in_flight)
        self._stirred = trio.Event()
        self._history = History(lambda: self._stirred.set())
        self._beats = 0
        self._shown: dict[str, JsonObject] = {}

    def _key_of(self, config: Config) -> str:
        return config.admin_api_key if self._administrator else config.api_key

    def _in_force(self) -> Config:
        return self._config

    def routes(self) -> list[Route]:
        """What the app is to know of."""
        pages = OAuthPages(
            self._house, self._door, self._audit, self._logins, self._enrolling, self._accounts, self._administrator
        )
        if not self._administrator:
            return pages.routes()
        endpoints = [
            *SessionRoutes(self._door).endpoints(),
            *CredentialRoutes(
                self._house, self._accounts, self._enrolling, self._balances, self._history, self._trials,
                self._in_force,
            ).endpoints(),
            *JobRoutes(self._logins, self._imports).endpoints(),
            *KeyRoutes(self._house.keys, self._house.now).endpoints(),
            *WatchRoutes(
                self._house, self._accounts, self._overview, self._activity, self._audit, self._hub,
                self._door.sessions, self._in_force, self._sources,
            ).endpoints(),
        ]  # fmt: skip
        api = Api(endpoints, self._door, self._audit)
        return [*api.routes(), *StaticFiles(self._door.check_place).routes(), *pages.routes()]

    def configure(self, config: Config) -> None:
        """Take over what may change while the proxy runs, the keys among it; who came in with an older one has to come
        again. Whether there is an administration at all is decided at the start."""
        if self._administrator and not config.admin_api_key.strip():
            config = replace(config, admin_api_key=self._config.admin_api_key)
        self._door.change_key(self._key_of(config))
        self._config = config

    def note_request(self, call: Call) -> None:
        """A request has ended, whichever."""
        served = self._activity.note(call.record, call.request_id)
        if served is not None:
            self._hub.publish("request", served)

    def close(self) -> None:
        """The server is stopping: let the open streams end."""
        self._hub.close()

    async def load(self) -> None:
        await self._balances.load()
        self._accounts.look()
        self._house.pool.watch_states(self._history.note)

    async def pulse(self) -> None:
        """Beat once a second, for ever."""
        while True:
            await trio.sleep(PULSE_SECONDS)
            try:
                self.beat()
            except Exception:
                # A bug here must not take the server down with it.
                logger.exception("the administration missed a beat")

    async def watch(self) -> None:
        """Tell the open pages of an account's new state, and of the alerts that it brings, without waiting for the
        beat; not more often than anybody could read it."""
        while True:
            await self._stirred.wait()
            self._stirred = trio.Event()
            try:
                self._tell_accounts()
            except Exception:
                logger.exception("the administration missed a change")
            await trio.sleep(CALM_SECONDS)

    def beat(self) -> None:
        """Tell the open pages what has changed since the last time; now and then forget what is over."""
        self._beats += 1
        if self._beats % PURGE_BEATS == 0:
            self._purge()
        self._imports.tell_news()
        self._tell_accounts(overview=self._beats % OVERVIEW_BEATS == 0)

    def _purge(self) -> None:
        self._accounts.purge()
        self._accounts.look()
        self._logins.purge()
        self._imports.purge()
        self._trials.purge()
        self._history.keep({status.id for status in self._house.pool.snapshot()})

    def _tell_accounts(self, *, overview: bool = False) -> None:
        """The accounts, if they are not as they were, and with them, or anyway, the overview."""
        if not len(self._hub):
            self._shown.clear()
            return
        if self._tell("credentials", self._accounts.listed()) or overview:
            self._tell("overview", self._overview.to_json(), "uptimeSeconds")

    def _tell(self, event: str, body: JsonObject, *besides: str) -> bool:
        """Publish what is not as it was; ``besides`` are members that change all the time. Whether it was told."""
        compared = {name: value for name, value in body.items() if name not in besides}
        if self._shown.get(event) == compared:
            return False
        self._shown[event] = compared
        self._hub.publish(event, body)
        return True


@asynccontextmanager
async def open_admin(
    house: House, *, base_url: str, in_flight: Callable[[], int], sources: Mapping[str, str]
) -> AsyncIterator[Admin]:
    """The administration for the length of the block; logins and imports under way end with it.

    ``base_url`` is where clients find the proxy, ``in_flight`` tells how many requests are running, ``sources`` where
    each setting came from.
    """
    async with tasks_beside() as nursery:
        admin = Admin(house, base_url=base_url, in_flight=in_flight, sources=sources, spawn=nursery.start_soon)
        await admin.load()
        nursery.start_soon(admin.pulse)
        nursery.start_soon(admin.watch)
        yield admin
