"""The endpoints that only show: overview, requests, audit, configuration, and all of it live (operations §6.11)."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import trio

from kiro_rs_py import __version__
from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import KEYS, default_of, masked
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import MethodNotAllowed
from kiro_rs_py.serve.admin.accounts import Accounts
from kiro_rs_py.serve.admin.activity import MOST_REQUESTS, Activity
from kiro_rs_py.serve.admin.api import Answer, Asked, Endpoint
from kiro_rs_py.serve.admin.audit import Audit
from kiro_rs_py.serve.admin.events import Hub, encode
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.overview import Overview
from kiro_rs_py.serve.admin.refusals import invalid_field
from kiro_rs_py.serve.admin.session import Sessions
from kiro_rs_py.upstream.credential import format_time
from kiro_rs_py.upstream.locks import look_at_lock

DEFAULT_REQUESTS = 100
LOCK_SECONDS = 0.2
"""A lock is held for milliseconds as a rule: one that is held longer is worth showing."""


@dataclass(frozen=True, slots=True)
class WatchRoutes:
    """``config`` gives the configuration in force, ``sources`` says where each setting came from."""

    house: House
    accounts: Accounts
    overview: Overview
    activity: Activity
    audit: Audit
    hub: Hub
    sessions: Sessions
    config: Callable[[], Config]
    sources: Mapping[str, str]

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", "overview", self.show_overview),
            Endpoint("GET", "requests", self.show_requests),
            Endpoint("GET", "audit", self.show_audit),
            Endpoint("GET", "config", self.show_config),
            Endpoint("GET", "about", self.show_about),
            Endpoint("GET", "events", self.stream),
        ]

    async def show_overview(self, asked: Asked) -> Answer:
        return Answer(200, self.overview.to_json())

    async def show_requests(self, asked: Asked) -> Answer:
        limit = asked.call.query.get("limit", str(DEFAULT_REQUESTS))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_REQUESTS):
            raise invalid_field("limit", f"must be a whole number from 1 to {MOST_REQUESTS}.")
        return Answer(200, {"requests": self.activity.latest(int(limit))})

    async def show_audit(self, asked: Asked) -> Answer:
        return Answer(200, {"audit": self.audit.latest()})

    async def show_config(self, asked: Asked) -> Answer:
        return Answer(200, effective_settings(self.config(), self.sources))

    async def show_about(self, asked: Asked) -> Answer:
        """What runs here, and who holds the lock of the credentials file. A file among the sources of settings is the
        configuration's."""
        house = self.house
        lock_path = house.store.lock_path()
        try:
            found = await trio.to_thread.run_sync(lambda: look_at_lock(lock_path, seconds=LOCK_SECONDS))
            state, holder = ("held", str(found)) if found.held else ("free", None)
        except OSError as error:
            state, holder = "unknown", error.strerror
        body: JsonObject = {
            "version": __version__,
            "python": platform.python_version(),
            "startedAt": format_time(self.overview.started_at),
            "uptimeSeconds": self.overview.uptime_seconds,
            "files": {
                "config": next((where for where in self.sources.values() if where.endswith((".toml", ".json"))), None),
                "credentials": str(house.config.credentials_path.absolute()),
                "state": str(house.state.path.absolute()),
                "lock": str(lock_path.absolute()),
            },
            "lock": {"state": state, "holder": holder},
            "unsavedBecause": house.pool.unsaved_because,
        }
        return Answer(200, body)

    async def stream(self, asked: Asked) -> None:
        """Everything as it is now, then what changes; ends with the session."""
        if asked.call.method == "HEAD":
            raise MethodNotAllowed("HEAD", ["GET"])
        session = asked.visitor.session
        first = encode("credentials", self.accounts.listed()) + encode("overview", self.overview.to_json())
        await self.hub.stream(asked.call, first, lambda: session is None or self.sessions.is_alive(session))


def effective_settings(config: Config, sources: Mapping[str, str]) -> JsonObject:
    """``{"settings": [{"key", "value", "source"}, …]}`` with kiro-rs's spellings of the keys.

    ``sources`` is what the reader of the configuration found out; without it a value is a default or it is not.
    """
    settings: list[Json] = []
    for name, key in KEYS.items():
        value = getattr(config, name)
        source = sources.get(name) or ("default" if value == default_of(name) else "configured")
        settings.append({"key": key.camel, "value": cast("Json", masked(key, value)), "source": source})
    return {"settings": settings}
