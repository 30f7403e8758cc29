"""Races and odd ends; the ordinary ways are in test_import_token.py."""

from __future__ import annotations

import json
from pathlib import Path

import trio

from kiro_rs_py.cli.importing import import_accounts
from kiro_rs_py.cli.session import Session
from kiro_rs_py.config import Config
from kiro_rs_py.simulator.server import RunningSimulator
from kiro_rs_py.upstream.document import CredentialDocument
from kiro_rs_py.upstream.sources import Found

SPENT = "aorAAAAAG" + "s" * 120


def config(simulator: RunningSimulator, folder: Path) -> Config:
    return Config(credentials_path=folder / "credentials.json", upstream_url=simulator.url)


async def refused_while(session: Session, simulator: RunningSimulator, change: object) -> list[str]:
    """Import a token that the service will refuse; ``change`` is made to the file while it is being asked."""
    held = simulator.simulator.hold_next("/refreshToken")
    outcomes: list[str] = []

    async def work() -> None:
        found = Found("token", ({"refreshToken": SPENT, "authMethod": "social"},))
        outcomes.extend(result.outcome for result in await import_accounts(session, found, verify=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await held.arrived.wait()
        await session.store.update(change)  # type: ignore[arg-type]
        held.release.set()
    return outcomes


async def test_a_refused_token_that_somebody_has_replaced_meanwhile(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    other = simulator.simulator.credential_json("demo")

    def replace_tokens(document: CredentialDocument) -> None:
        document.patch(1, {name: other[name] for name in ("accessToken", "refreshToken", "expiresAt")})

    session = Session(config(simulator, tmp_path))
    outcomes = await refused_while(session, simulator, replace_tokens)
    # somebody's good login was found under the lock and used instead
    assert outcomes == ["imported"]
    assert len((await session.store.read()).credentials) == 1


async def test_a_refused_token_that_somebody_has_removed_meanwhile(simulator: RunningSimulator, tmp_path: Path) -> None:
    session = Session(config(simulator, tmp_path))
    outcomes = await refused_while(session, simulator, lambda document: document.remove(1))
    assert outcomes == ["failed"]
    assert json.loads((tmp_path / "credentials.json").read_text()) == []
