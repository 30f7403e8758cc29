"""``serve --demo``: the real proxy, a simulated Kiro behind it, and nothing left over afterwards."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from kiro_rs_py.config import Config
from kiro_rs_py.errors import BindError
from kiro_rs_py.serve.listener import ServerAddress, bind
from kiro_rs_py.serve.run import serve
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.state import AccountRecord, SavedStanding, State, StateStore
from kiro_rs_py.upstream.store import CredentialStore

FIRST_PORT = 8080
_PORTS_TRIED = 20


async def serve_demo(
    host: str, port: int | None, announce: Callable[[ServerAddress, Config], None], dump: Path | None = None
) -> None:
    """Serve on ``port`` (None: 8080 or the next free one) with throwaway accounts and keys until a signal comes.

    ``announce`` gets the address and the settings with the keys, ``dump`` is the folder of ``--dump``.
    """
    async with open_demo(host, first_free_port(host) if port is None else port, dump) as config:
        await serve(config, on_ready=lambda address: announce(address, config))


@asynccontextmanager
async def open_demo(host: str, port: int, dump: Path | None = None) -> AsyncIterator[Config]:
    """Settings to serve a demo with, good for the length of the block.

    A simulated Kiro is behind them. Everything stays on this machine and nothing of the user's is read.
    """
    simulator = Simulator(accounts=_accounts())
    with TemporaryDirectory(prefix="kiro-rs-py-demo-") as folder:
        credentials = Path(folder) / "credentials.json"
        _write_accounts(credentials, simulator)
        async with open_simulator(simulator) as running:
            yield Config(
                host=host,
                port=port,
                api_key=f"sk-demo-{secrets.token_urlsafe(24)}",
                admin_api_key=f"admin-demo-{secrets.token_urlsafe(24)}",
                credentials_path=credentials,
                upstream_url=running.url,
                dump_dir=dump,
            )


def _accounts() -> tuple[Account, ...]:
    """One that works, one that rests, one that has to sign in again; and one to add: what the admin page is for."""
    arn = "arn:aws:codewhisperer:us-east-1:000000000001:profile/SIMULATEDDEMO"
    return (
        # Whoever tries a fault goes on with the demo right after.
        Account(name="demo", plan="KIRO PRO+", used=412.5, profile_arn=arn, recovery=5),
        Account(name="team", provider="Github", plan="KIRO PRO", used=871.25),
        Account(name="home", method="idc", provider="BuilderId", plan="KIRO FREE", used=18, trial=(96, 500)),
        Account(name="robot", method="api_key", provider="ApiKey", api_key="ksk_simulated_demo_key"),
    )


def _write_accounts(path: Path, simulator: Simulator) -> None:
    """The credentials file and, beside it, what an earlier run would have remembered of the accounts' states."""
    entries = [
        {"id": number, "priority": number - 1, **simulator.credential_json(name)}
        for number, name in enumerate(("demo", "team", "home"), 1)
    ]
    path.touch(mode=0o600)
    path.write_text(json.dumps(entries))
    simulator.grants.revoke(simulator.accounts["home"])
    _, team, home = CredentialStore(path).load().credentials
    now = datetime.now(UTC)
    until = now + timedelta(minutes=30)
    resting = SavedStanding("cooling", "The service asked for a pause.", now, until, team.fingerprint)
    signed_out = SavedStanding("reauth_required", "The refresh token was revoked.", now, None, home.fingerprint)

    def remember(state: State) -> None:
        state.accounts[team.id] = AccountRecord(success_count=57, failure_count=3, standing=resting)
        state.accounts[home.id] = AccountRecord(success_count=12, failure_count=1, standing=signed_out)

    StateStore.beside(path).update_now(remember)


def first_free_port(host: str) -> int:
    """8080 or the first free port after it; 8080 if none is, for the error that then names it."""
    for port in range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED):
        with suppress(BindError):
            bind(host, port).close()
            return port
    return FIRST_PORT
