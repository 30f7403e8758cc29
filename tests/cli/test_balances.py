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

from kiro_rs_py.cli.balances import Balance, Balances, ask_balances, plain_lines, repeat, show, to_json
from kiro_rs_py.cli.session import Session
from kiro_rs_py.config import Config
from kiro_rs_py.errors import QuotaExhausted
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.leases import Failed
from kiro_rs_py.upstream.pool import CredentialPool
from kiro_rs_py.upstream.usage import Overage, Usage, UsagePart

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
    async with open_simulator(simulator) as running:
        session = Session(Config(credentials_path=path, upstream_url=running.url))
        async with session.pool() as pool:
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


NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
RESET = datetime(2026, 9, 1, tzinfo=UTC)
RICH = Usage(
    parts=(
        UsagePart("plan", "plan", 1250.25, 1000),
        UsagePart("bonus", "Welcome\x1b[0m", 12.5, 100, datetime(2026, 8, 20, tzinfo=UTC)),
    ),
    resets_at=RESET,
    subscription_title="KIRO PRO",
    overage=Overage(250.25, 10_000, 10.01, "USD"),
)
FOUND = Balances(
    (
        Balance(Credential(id=1, label="work", email="me@example.com"), RICH),
        Balance(Credential(id=2), Usage()),
        Balance(Credential(id=3), failure="It is gone."),
    ),
    NOW,
    disabled=2,
)


def test_plain_lines() -> None:
    assert plain_lines(FOUND) == [
        "#1 work (me@example.com): KIRO PRO, 1,262.75 of 1,100 credits used, 0 left, resets 2026-09-01",
        "    plan: 1,250.25 of 1,000",
        "    Welcome?[0m: 12.5 of 100, until 2026-08-20",
        "    overage: 250.25 of 10,000, 10.01 USD",
        "#2: unknown plan, 0 of 0 credits used, 0 left, resets -",
        "total: 1,262.75 of 1,100 credits used, 0 left",
        "2 disabled accounts left out",
    ]


def test_json() -> None:
    found = to_json(FOUND)
    assert found["total"] == {"currentUsage": 1262.75, "usageLimit": 1100, "remaining": 0}
    accounts = found["accounts"]
    assert isinstance(accounts, list)
    assert accounts[2] == {"id": 3, "email": None, "error": "It is gone."}


def test_one_of_several_looks(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, as_json=False, again=True)
    shown = capsys.readouterr()
    assert shown.out.startswith("2026-08-01T12:00:00Z\n#1 work")
    assert shown.err == "error: #3: It is gone.\n"
    show(FOUND, as_json=True, again=True)
    assert json.loads(capsys.readouterr().out) == to_json(FOUND)


@pytest.mark.parametrize("again", [False, True])
def test_drawn(again: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    show(FOUND, as_json=False, again=again)
    out = capsys.readouterr().out
    assert "1,262.75 / 1,100" in out
    assert "overage: 250.25 of 10,000" in out
    assert ("Ctrl-C ends" in out) is again
    nothing = Balances((Balance(Credential(id=3), failure="It is gone."),), NOW)
    show(nothing, as_json=False)
    assert capsys.readouterr() == ("", "error: #3: It is gone.\n")
