"""The endpoints that only show: overview, requests, audit, configuration, and all of it live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import MethodNotAllowed
from kiro_rs_py.serve.admin.accounts import Accounts
from kiro_rs_py.serve.admin.activity import MOST_REQUESTS, Activity
from kiro_rs_py.serve.admin.api import Answer, Asked, Endpoint
from kiro_rs_py.serve.admin.audit import Audit
from kiro_rs_py.serve.admin.events import Hub, encode
from kiro_rs_py.serve.admin.overview import Overview
from kiro_rs_py.serve.admin.refusals import invalid_field
from kiro_rs_py.serve.admin.session import Sessions

DEFAULT_REQUESTS = 100


class WatchRoutes:
    """``settings`` gives the effective configuration's JSON, ``about`` what runs here."""

    def __init__(
        self,
        accounts: Accounts,
        overview: Overview,
        activity: Activity,
        audit: Audit,
        hub: Hub,
        sessions: Sessions,
        settings: Callable[[], JsonObject],
        about: Callable[[], Awaitable[JsonObject]],
    ) -> None:
        self._accounts = accounts
        self._overview = overview
        self._activity = activity
        self._audit = audit
        self._hub = hub
        self._sessions = sessions
        self._settings = settings
        self._about = about

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
        return Answer(200, self._overview.to_json())

    async def show_requests(self, asked: Asked) -> Answer:
        limit = asked.call.query.get("limit", str(DEFAULT_REQUESTS))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_REQUESTS):
            raise invalid_field("limit", f"must be a whole number from 1 to {MOST_REQUESTS}.")
        return Answer(200, {"requests": self._activity.latest(int(limit))})

    async def show_audit(self, asked: Asked) -> Answer:
        return Answer(200, {"audit": self._audit.latest()})

    async def show_config(self, asked: Asked) -> Answer:
        return Answer(200, self._settings())

    async def show_about(self, asked: Asked) -> Answer:
        return Answer(200, await self._about())

    async def stream(self, asked: Asked) -> None:
        """Everything as it is now, then what changes; ends with the session."""
        if asked.call.method == "HEAD":
            raise MethodNotAllowed("HEAD", ["GET"])
        session = asked.visitor.session
        first = encode("credentials", self._accounts.listed()) + encode("overview", self._overview.to_json())
        await self._hub.stream(asked.call, first, lambda: session is None or self._sessions.is_alive(session))
