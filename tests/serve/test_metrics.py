from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from kiro_rs_py import __version__
from kiro_rs_py.config import Config
from kiro_rs_py.serve.app import App
from kiro_rs_py.serve.metrics import Metrics
from kiro_rs_py.simulator.server import RunningSimulator
from kiro_rs_py.upstream.pool import CredentialPool
from tests.proxy import HELD, KEY, Proxy, running_proxy
from tests.serve.in_memory import ask
from tests.serve.prometheus import parse
from tests.upstream.pool_parts import make_credential
from tests.upstream.pool_world import World

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "operations.md"
LOCAL = [("host", "127.0.0.1:8080")]


def app_of(pool: CredentialPool, **settings: str) -> App:
    config = Config(api_key=KEY, **settings)  # type: ignore[arg-type]
    return App(Metrics(config, pool, lambda: 3, now=lambda: 1_700_000_000.5).routes(), config)


async def test_what_requests_leave_behind(simulator: RunningSimulator, tmp_path: Path) -> None:
    """The whole way: two accounts, one of them throttled, streams and plain answers, a search page of all of it."""
    throttled, healthy = simulator.simulator.credential_json("demo"), simulator.simulator.credential_json("builder")
    async with running_proxy(simulator, tmp_path, credentials=[throttled, healthy]) as proxy:
        await proxy.ask()
        await proxy.ask(path=HELD, stream=True)
        assert (await proxy.ask("<<FAULT throttle>>")).status_code == 429
        assert (await proxy.client.post("/v1/messages", content=b"{")).status_code == 400
        answer = await proxy.client.get("/metrics", headers={"x-api-key": ""})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    page = parse(answer.content)
    model = "CLAUDE_SONNET_4_5_20250929_V1_0"
    assert page.value("kiro_requests_total", route="/v1/messages", status="200") == 1
    assert page.value("kiro_requests_total", route="/v1/messages", status="429") == 1
    assert page.value("kiro_requests_total", route="/v1/messages", status="400") == 1
    assert page.value("kiro_messages_total", model=model, mode="plain", outcome="ok") == 1
    assert page.value("kiro_messages_total", model=model, mode="held", outcome="ok") == 1
    assert page.value("kiro_messages_total", model=model, mode="plain", outcome="Throttled") == 1
    assert page.value("kiro_credits_total", model=model) > 0
    assert page.value("kiro_tokens_total", model=model, direction="output") > 0
    assert page.value("kiro_upstream_attempts_total", outcome="succeeded") == 2
    assert page.value("kiro_upstream_attempts_total", outcome="Throttled") == 2
    assert page.value("kiro_retries_total") == 1
    assert page.value("kiro_accounts", state="cooling") == 2
    assert page.value("kiro_upstream_wait_seconds_count") == 3
    assert page.value("kiro_requests_in_flight") == 0
    text = answer.text
    for account in simulator.simulator.accounts.values():
        assert account.email not in text
    assert "proxy" not in text.lower().replace("the proxy", "")


async def test_the_pool_and_the_process() -> None:
    expires = datetime(2026, 1, 2, tzinfo=UTC)
    account = make_credential(4, access_token="at-secret", expires_at=expires, email="a@b.example", label="secret")
    async with World(account).open(background=False) as pool:
        answer = await ask(app_of(pool), "GET", "/metrics", headers=LOCAL, key=None)
    page = parse(answer.body)
    assert page.value("kiro_requests_in_flight") == 3
    assert page.value("kiro_account_usable", account="4", state="active") == 1
    assert page.value("kiro_account_token_expiry_seconds", account="4") == expires.timestamp()
    assert page.value("kiro_tokens_unsaved") == 0
    assert page.value("process_start_time_seconds") == 1_700_000_000.5
    assert page.value("process_resident_memory_bytes") > 1_000_000
    assert [dict(labels)["version"] for _, labels in page.families["kiro_build_info"].samples] == [__version__]
    assert b"secret" not in answer.body
    assert b"example" not in answer.body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (LOCAL, 200),
        ([("host", "localhost")], 200),
        ([("host", "[::1]:8080")], 200),
        ([("host", "rebound.example")], 403),
        ([("host", "[broken")], 403),
        ([], 403),
        ([*LOCAL, ("x-forwarded-for", "192.0.2.1")], 403),
    ],
)
async def test_without_a_key_only_this_machine_reads(headers: list[tuple[str, str]], status: int) -> None:
    async with World().open(background=False) as pool:
        assert (await ask(app_of(pool), "GET", "/metrics", headers=headers, key=None)).status == status


async def test_with_a_key_nobody_reads_without_it() -> None:
    async with World().open(background=False) as pool:
        app = app_of(pool, metrics_key="prometheus-key-0123")
        for key, status in ((None, 401), (KEY, 401), ("prometheus-key-0123", 200)):
            assert (await ask(app, "GET", "/metrics", headers=LOCAL, key=key)).status == status
        bearer = [("authorization", "Bearer prometheus-key-0123"), ("host", "proxy.example")]
        assert (await ask(app, "GET", "/metrics", headers=bearer, key=None)).status == 200


async def test_every_metric_is_documented(proxy: Proxy) -> None:
    await proxy.ask()
    page = parse((await proxy.client.get("/metrics")).content)
    documented = set(re.findall(r"^\| `((?:kiro|process)_[a-z_]+)", DOCUMENT.read_text(), re.MULTILINE))
    assert set(page.families) | {"kiro_clock_skew_seconds"} == documented


async def test_a_scrape_by_a_client_library_of_http(proxy: Proxy) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.head(f"{proxy.url}/metrics")).status_code == 200
