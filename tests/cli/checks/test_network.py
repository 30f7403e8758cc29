from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.cli.checks.network import check_network, check_way_out
from kiro_rs_py.config import Config
from kiro_rs_py.simulator.server import RunningSimulator
from kiro_rs_py.upstream.credential import Credential, parse_credential
from tests.cli.checks.settings import bad
from tests.upstream.children import run_without_network
from tests.upstream.wire import answering, serving


def now() -> datetime:
    return datetime.now(UTC)


def accounts_of(simulator: RunningSimulator, *names: str, expired: bool = False) -> list[Credential]:
    entries = [simulator.simulator.credential_json(name, expired=expired) for name in names]
    return [replace(parse_credential(entry), id=number) for number, entry in enumerate(entries, 1)]


async def look(config: Config, accounts: Sequence[Credential]) -> list[Finding]:
    found, _ = await check_network(config, accounts, now())
    bad(found)
    return found


# --- settings, without a network ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "environ", "level", "words"),
    [
        (Config(proxy_url="http://127.0.0.1:3128"), {}, "ok", "through a proxy at 127.0.0.1:3128"),
        (Config(proxy_url="socks5://user:secret@host"), {}, "ok", "at host:1080"),
        (Config(proxy_url="gopher://secret"), {}, "error", "scheme 'gopher'"),
        (Config(), {"HTTPS_PROXY": "http://secret"}, "note", "HTTPS_PROXY is set, which this program does not read"),
        (Config(ca_file=Path("no-such-file.pem")), {}, "error", "no-such-file.pem cannot be read"),
    ],
)
def test_settings_of_the_way_out(config: Config, environ: dict[str, str], level: str, words: str) -> None:
    (finding,) = check_way_out(config, [], environ)
    bad([finding])
    assert (finding.level, words in finding.message) == (level, True), finding
    assert "secret" not in finding.message + finding.fix


def test_good_settings_are_not_worth_a_word() -> None:
    assert check_way_out(Config(), [Credential()], {}) == []
    assert check_way_out(Config(upstream_url="http://127.0.0.1:9"), [], {"HTTPS_PROXY": "http://x"}) == []


def test_regions_without_hosts() -> None:
    accounts = [Credential(), Credential(region="eu-west-1"), Credential(api_region="eu-west-1")]
    (finding,) = check_way_out(Config(), accounts, {})
    assert (finding.level, finding.topic) == ("warning", "region")
    assert "eu-west-1" in finding.message
    assert check_way_out(Config(upstream_url="http://127.0.0.1:9"), accounts, {}) == []


# --- hosts and tokens -----------------------------------------------------------------------------------------------


async def test_all_is_well(simulator: RunningSimulator) -> None:
    config = Config(upstream_url=simulator.url)
    (finding,) = await look(config, accounts_of(simulator, "demo", "builder", "key"))
    assert finding.level == "ok"
    assert simulator.url.removeprefix("http://") in finding.message
    assert not any(request.path.endswith(("/token", "/refreshToken")) for request in simulator.simulator.requests)


async def test_the_hosts_tell_the_time() -> None:
    dated = b"HTTP/1.1 403 Forbidden\r\ndate: Fri, 13 Feb 2015 09:00:00 GMT\r\ncontent-length: 0\r\n\r\n"
    async with serving(answering(dated)) as server:
        _, skews = await check_network(Config(upstream_url=f"http://127.0.0.1:{server.port}"), [], now())
    assert [skew > 10 * 365 * 86_400 for skew in skews] == [True]


async def test_tokens_that_are_refused(simulator: RunningSimulator) -> None:
    config = Config(upstream_url=simulator.url)
    good, refused, key = accounts_of(simulator, "demo", "builder", "key")
    refused = replace(refused, access_token="aoa-forged")
    key = replace(key, kiro_api_key="ksk_revoked_0123")
    found = await look(config, [good, refused, key, replace(refused, id=9, disabled=True)])
    assert sorted((finding.level, finding.message) for finding in found if finding.topic == "accounts") == [
        ("error", f"Account #2 ({refused.email}): Kiro refuses its token.".replace("(", "").replace(")", "")),
        ("error", f"Account #3 {key.email}: Kiro refuses its token."),
    ]
    fixes = [finding.fix for finding in found if finding.topic == "accounts"]
    assert any("refresh --id 2" in fix for fix in fixes)
    assert any("import-token" in fix for fix in fixes)


async def test_a_locked_account(simulator: RunningSimulator) -> None:
    (account,) = accounts_of(simulator, "demo")
    simulator.simulator.accounts["demo"].suspended = True
    found = await look(Config(upstream_url=simulator.url), [account])
    assert [finding.level for finding in found if finding.topic == "accounts"] == ["error"]


async def test_nobody_knows_of_an_expired_token_without_refreshing_it(simulator: RunningSimulator) -> None:
    accounts = accounts_of(simulator, "demo", expired=True)
    (finding,) = await look(Config(upstream_url=simulator.url), accounts)
    assert finding.level == "ok"


async def test_a_service_in_trouble_says_nothing_about_the_account(simulator: RunningSimulator) -> None:
    accounts = accounts_of(simulator, "demo")
    async with serving(answering(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")) as server:
        found = await look(Config(upstream_url=f"http://127.0.0.1:{server.port}"), accounts)
    assert [finding.level for finding in found] == ["ok"]


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ({"upstream_url": "http://127.0.0.1:9"}, "error", "127.0.0.1:9 cannot be reached: connection refused."),
        ({"proxy_url": "http://127.0.0.1:9"}, "error", "cannot be reached: connection refused."),
        ({"upstream_url": "https://kiro.invalid"}, "error", "its name cannot be resolved"),
    ],
)
async def test_hosts_that_cannot_be_reached(settings: dict[str, str], level: str, words: str) -> None:
    found = await look(Config(**settings), [])  # type: ignore[arg-type]
    assert {finding.level for finding in found} == {level}
    assert words in found[0].message


SCRIPT = """
import json
from datetime import UTC, datetime
import trio
from kiro_rs_py.cli.checks.network import check_network
from kiro_rs_py.config import Config

found, skews = trio.run(check_network, Config(), [], datetime.now(UTC))
print(json.dumps([[finding.level, finding.message, finding.fix] for finding in found]))
"""


def test_a_machine_without_a_network() -> None:
    """That is nothing which is broken here; so it is one warning, whatever the number of hosts."""
    told = cast("list[list[str]]", run_without_network(SCRIPT))
    ((level, message, fix),) = told
    assert level == "warning"
    assert message.startswith("No host of Kiro can be reached")
    assert "proxy_url" in fix
