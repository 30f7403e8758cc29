"""Asking: what is tried when the first answer is no. Against the simulator, in this event loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.cli.balances import Balance, Balances, ask_balances, repeat
from kiro_rs_py.cli.session import open_session
from kiro_rs_py.config import Config
from kiro_rs_py.errors import QuotaExhausted
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.pool import CredentialPool, Failed

ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEF"


class World:
    """One account, its pool, and the function to ask it."""

    def __init__(self, simulator: Simulator, pool: CredentialPool, ask: object) -> None:
        self.simulator = simulator
        self.pool = pool
        self._ask = ask

    async def ask(self) -> Balance:
        found: Balances = await self._ask()  # type: ignore[operator]
        return found.items[0]


@asynccontextmanager
async def world(folder: Path, account: Account, *, expired: bool = False, arn: bool = True) -> AsyncIterator[World]:
    simulator = Simulator(accounts=[account])
    entry = simulator.credential_json(expired=expired)
    if not arn:
        del entry["profileArn"]
    path = folder / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps([entry]))
    async with (
        open_simulator(simulator) as running,
        open_session(Config(credentials_path=path, upstream_url=running.url)) as session,
        session.pool() as pool,
    ):
        yield World(simulator, pool, lambda: ask_balances(session, pool, ()))


async def test_an_expired_token_is_refreshed_first(tmp_path: Path) -> None:
    async with world(tmp_path, Account(name="a"), expired=True) as one:
        assert (await one.ask()).usage is not None
        assert dict(one.simulator.counts) == {"/refreshToken": 1, "/getUsageLimits": 1}


async def test_a_refused_token_is_refreshed_once(tmp_path: Path) -> None:
    account = Account(name="a")
    async with world(tmp_path, account) as one:
        one.simulator.grants.expire(account)  # although its time is not over
        assert (await one.ask()).usage is not None
        assert one.simulator.counts["/refreshToken"] == 1


async def test_a_missing_profile_is_looked_up_and_kept(tmp_path: Path) -> None:
    account = Account(name="a", method="idc", profile_arn=ARN, usage_arn="required")
    async with world(tmp_path, account, arn=False) as one:
        assert (await one.ask()).usage is not None
        assert one.pool.credential(1).profile_arn == ARN
        assert one.simulator.counts["/ListAvailableProfiles"] == 1
        assert (await one.ask()).usage is not None
        assert one.simulator.counts["/ListAvailableProfiles"] == 1


async def test_an_account_without_the_profile_it_needs(tmp_path: Path) -> None:
    account = Account(name="a", method="idc", usage_arn="required")
    async with world(tmp_path, account) as one:
        failed = await one.ask()
        assert failed.usage is None
        assert "this account has none" in failed.failure


async def test_a_login_that_is_over(tmp_path: Path) -> None:
    account = Account(name="a")
    async with world(tmp_path, account, expired=True) as one:
        one.simulator.grants.revoke(account)
        assert "og in again" in (await one.ask()).failure


async def test_credits_left_bring_an_exhausted_account_back(tmp_path: Path) -> None:
    async with world(tmp_path, Account(name="a", used=10)) as one:
        lease = await one.pool.lease("")
        lease.report(Failed(QuotaExhausted("all used up")))
        assert one.pool.snapshot()[0].state == "exhausted"
        assert (await one.ask()).usage is not None
        assert one.pool.snapshot()[0].state == "active"


async def test_looking_again_and_again(autojump_clock: MockClock) -> None:
    times: list[float] = []
    found = Balances((Balance(Credential(id=1), failure="no"),), datetime(2026, 8, 1, tzinfo=UTC))

    async def look() -> Balances:
        return found

    began = trio.current_time()
    with trio.move_on_after(200):
        await repeat(look, lambda _: times.append(trio.current_time() - began), 60)
    assert times == pytest.approx([0, 60, 120, 180])
    assert found.failed
