"""What stands in the file when, and what ends a login; the screen is tested in test_login.py."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from kiro_rs_py.cli.login_flow import log_in
from kiro_rs_py.cli.login_screen import Screen
from kiro_rs_py.cli.session import Session
from kiro_rs_py.config import Config
from kiro_rs_py.errors import LoginFailed
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator

ARN = "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABCDEF"
COMPANY = "https://d-1234567890.awsapps.com/start"
ACCOUNTS = (
    Account(name="ann", method="idc", provider="Enterprise", start_url=COMPANY, profile_arn=ARN, region="eu-central-1"),
    Account(name="bob", method="idc", provider="Enterprise", start_url=COMPANY, profile_arn=ARN, region="eu-central-1"),
    Account(name="gus", provider="Google"),
)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[Simulator, Session]]:
    simulator = Simulator(accounts=ACCOUNTS)
    simulator.oidc.interval = 0.02
    path = folder / "new" / "credentials.json"
    async with open_simulator(simulator) as running:
        yield simulator, Session(Config(credentials_path=path, upstream_url=running.url))


async def test_a_company_login_learns_its_profile(tmp_path: Path) -> None:
    async with world(tmp_path) as (simulator, session):
        simulator.oidc.approve_as = "ann"
        url = f"{COMPANY}/#/?tab=accounts"
        enrolled = await log_in(session, Screen(browser=False), "idc", start_url=url, region="eu-west-1")
        credential = enrolled.credential
        assert (credential.profile_arn, credential.region, credential.start_url) == (ARN, "eu-west-1", COMPANY)
        assert credential.email == "ann@example.com"
        assert simulator.counts["/ListAvailableProfiles"] == 1
        # everybody of the company has the same profile, and is somebody else all the same
        simulator.oidc.approve_as = "bob"
        other = await log_in(session, Screen(browser=False), "idc", start_url=COMPANY, region="eu-west-1")
        assert (other.credential.id, other.replaced) == (2, False)
        assert simulator.counts["/client/register"] == 1


async def test_the_tokens_are_in_the_file_before_anything_is_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as (simulator, session), trio.open_nursery() as nursery:
        simulator.oidc.approve_as = "ann"
        asked = simulator.hold_next("/ListAvailableProfiles")
        nursery.start_soon(lambda: log_in(session, Screen(browser=False), "idc", start_url=COMPANY, region="us-east-1"))
        await asked.arrived.wait()
        (entry,) = json.loads(session.store.path.read_text())
        assert entry["refreshToken"].startswith("aor")
        nursery.cancel_scope.cancel()
    assert len(json.loads(session.store.path.read_text())) == 1


async def test_a_refused_code_stores_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as (simulator, session):
        simulator.fail_next("/token", 400, {"error": "expired_token"})
        with pytest.raises(LoginFailed):
            await log_in(session, Screen(browser=False), "idc", start_url=COMPANY, region="us-east-1")
        assert not session.store.path.exists()


async def test_the_browser_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with world(tmp_path) as (_, session):
        screen = Screen(browser=False)

        async def browse(seconds: float) -> None:
            address = re.findall(r"http\S+/signin\S+", capsys.readouterr().err)[0]
            async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
                await browser.get(address)

        screen.can_paste = False
        screen.count_down = browse  # type: ignore[method-assign]
        enrolled = await log_in(session, screen, "google")
        assert (enrolled.credential.provider, enrolled.credential.email) == ("Google", "gus@example.com")
