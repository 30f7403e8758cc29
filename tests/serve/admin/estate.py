"""The administration on a real socket, over a real credentials file, in front of a simulated Kiro."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.wiring import Admin, open_admin
from kiro_rs_py.serve.app import App
from kiro_rs_py.serve.connections import serve_connections
from kiro_rs_py.serve.key_keeper import ClientKeys, open_client_keys
from kiro_rs_py.serve.listener import bind
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.catalog import LiveModels
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.pool import CredentialPool, open_pool
from kiro_rs_py.upstream.refresh import Refresher
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore
from tests.proxy import KEY, wait_for

__all__ = ["ADMIN_KEY", "KEY", "Estate", "code_of", "open_estate", "sign_in", "wait_for"]

ADMIN_KEY = "admin-test-key-0123456789"
PAGES = "/v0/oauth/kiro"


class Clocks:
    """Real clocks that a test may set forward."""

    def __init__(self) -> None:
        self.offset = 0.0

    def advance(self, seconds: float) -> None:
        self.offset += seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def clock(self) -> float:
        return trio.current_time() + self.offset


@dataclass(frozen=True)
class Estate:
    """``client`` sends the admin key and starts at the API's base; ``visitor`` sends nothing and starts at the root."""

    url: str
    config: Config
    simulator: Simulator
    pool: CredentialPool
    admin: Admin
    clocks: Clocks
    keys: ClientKeys
    client: httpx.AsyncClient = field(repr=False)
    visitor: httpx.AsyncClient = field(repr=False)

    @property
    def path(self) -> Path:
        return self.config.credentials_path

    def file(self) -> list[dict[str, Any]]:
        """The credentials file's entries."""
        document = json.loads(self.path.read_text())
        return document if isinstance(document, list) else [document]

    async def listed(self) -> dict[int, dict[str, Any]]:
        """The accounts by id."""
        answer = (await self.client.get("credentials")).json()
        return {entry["id"]: entry for entry in answer["credentials"]}

    async def post(self, path: str, body: object = None, **more: Any) -> httpx.Response:
        return await self.client.post(path, json=body, **more) if body is not None else await self.client.post(path)

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncGenerator[httpx.AsyncClient, None]:
        """A client with cookies of its own and the headers of a page of ours."""
        sent = {"origin": self.url, **headers}
        async with httpx.AsyncClient(
            base_url=self.url, headers=sent, timeout=30, trust_env=False, verify=False
        ) as client:
            yield client


async def nobody(credential: Credential) -> tuple[DiscoveredModel, ...]:
    """Asks no account for its models."""
    raise AssertionError


@asynccontextmanager
async def open_estate(
    folder: Path,
    *accounts: Account,
    simulator: Simulator | None = None,
    credentials: Callable[[Simulator], Sequence[JsonObject]] | None = None,
    extra: Sequence[Credential] = (),
    sources: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncGenerator[Estate, None]:
    """An administration of ``accounts`` (default: one of the simulator's), or of what ``credentials`` makes."""
    simulator = simulator or Simulator(accounts=accounts or None)
    path = folder / "credentials.json"
    clocks = Clocks()
    async with open_simulator(simulator) as running:
        entries = [simulator.credential_json(account.name) for account in accounts]
        if credentials is not None:
            entries = list(credentials(simulator))
        elif not accounts:
            entries = [simulator.credential_json()]
        path.touch(mode=0o600)
        path.write_text(json.dumps(entries))
        defaults: dict[str, Any] = {"port": 0, "api_key": KEY, "admin_api_key": ADMIN_KEY, "upstream_url": running.url}
        config = Config(credentials_path=path, **(defaults | settings))
        bound = bind(config.host, 0)
        address = bound.address
        store, state = CredentialStore(path), StateStore.beside(path)
        http = HttpClients(config)
        async with (
            open_pool(
                config, store, state, Refresher(http, config),
                extra_credentials=extra, jitter=lambda: 0.0, background=False,
            ) as pool,
            open_client_keys(path, now=clocks.now) as keys,
            open_admin(
                House(
                    config, pool, store, state, http, Endpoints(config), LiveModels(pool, state, nobody), keys,
                    clocks.now, clocks.clock,
                ),
                base_url=address.url, in_flight=lambda: 3, sources=sources or {},
            ) as admin,
            trio.open_nursery() as nursery,
        ):  # fmt: skip
            app = App(admin.routes(), config, [admin.note_request], keys.ring)
            stop = trio.Event()
            serving = partial(serve_connections, stop=stop, grace=0.0)
            await nursery.start(serving, app, bound.sockets)
            # verify=False: reading the trusted roots, which nobody needs here, takes longer than all the rest.
            headers = {"x-api-key": ADMIN_KEY}
            api = f"{address.url}/api/admin/"
            async with (
                httpx.AsyncClient(base_url=api, headers=headers, timeout=30, trust_env=False, verify=False) as client,
                httpx.AsyncClient(base_url=address.url, timeout=30, trust_env=False, verify=False) as visitor,
            ):
                yield Estate(address.url, config, simulator, pool, admin, clocks, keys, client, visitor)
            stop.set()
            nursery.cancel_scope.cancel()


def code_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, type and code of a refusal, whose envelope must be whole."""
    body = answer.json()
    assert body["type"] == "error"
    assert body["request_id"] == answer.headers["request-id"]
    assert body["error"]["message"]
    return answer.status_code, body["error"]["type"], body["error"]["code"]


async def sign_in(browser: httpx.AsyncClient, key: str = ADMIN_KEY) -> dict[str, str]:
    """Open a session; the header that writes need."""
    answer = await browser.post("/api/admin/session", json={"key": key})
    assert answer.status_code == 200, answer.text
    return {"x-csrf-token": answer.json()["csrfToken"]}
