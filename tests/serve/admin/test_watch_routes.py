"""Looking on, over a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py import __version__
from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import KEYS
from kiro_rs_py.serve.admin.watch_routes import effective_settings
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import REFRESH
from kiro_rs_py.upstream.locks import FileLock
from tests.serve.admin.estate import Estate, code_of, open_estate, sign_in


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """Name and data of each event."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


async def until(stream: AsyncIterator[tuple[str, Any]], wanted: str) -> Any:
    with trio.fail_after(20):
        while True:
            name, body = await anext(stream)
            if name == wanted:
                return body


async def test_the_stream_begins_with_everything_and_goes_on_with_changes(estate: Estate) -> None:
    async with estate.client.stream("GET", "events") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = events(response)
        assert (await until(stream, "credentials"))["total"] == 1
        assert (await until(stream, "overview"))["accounts"]["active"] == 1
        await estate.post("credentials/1/disabled", {"disabled": True})
        while (await until(stream, "credentials"))["available"]:
            pass
        assert (await until(stream, "overview"))["accounts"]["disabled"] == 1
        login = (await estate.post("logins", {"method": "builder-id"})).json()
        assert await until(stream, "login") == {
            "id": login["id"], "status": "pending", "expiresAt": login["expiresAt"],
        }  # fmt: skip
        await estate.client.delete(f"logins/{login['id']}")
        assert (await until(stream, "login"))["status"] == "cancelled"
        hold = estate.simulator.hold_next(REFRESH)
        text = json.dumps([{"refreshToken": "cut"}, estate.simulator.credential_json()])
        job = (await estate.post("imports", {"text": text})).json()
        body = await until(stream, "import")
        assert (body["id"], body["state"], body["done"]) == (job["id"], "running", 1)
        hold.release.set()
        assert (await until(stream, "import"))["state"] == "done"
        await estate.post("credentials/1/priority", {"priority": 5})


async def test_the_stream_of_a_session_ends_with_it(estate: Estate) -> None:
    async with estate.browser() as browser:
        token = await sign_in(browser)
        async with browser.stream("GET", "/api/admin/events") as response:
            stream = events(response)
            await until(stream, "overview")
            await browser.delete("/api/admin/session", headers=token)
            await estate.post("credentials/1/disabled", {"disabled": True})
            with trio.fail_after(20):
                assert [name async for name, _ in stream] == []


async def test_the_stream_needs_a_key(estate: Estate) -> None:
    assert code_of(await estate.visitor.get("/api/admin/events"))[0] == 401


async def test_overview(estate: Estate) -> None:
    body = (await estate.client.get("overview")).json()
    assert body.keys() == {
        "version", "uptimeSeconds", "baseUrl", "requestsPerMinute", "errorRate", "inFlight", "tokensToday",
        "creditsToday", "accounts", "alerts", "storeDegraded",
    }  # fmt: skip
    assert body["accounts"] == {
        "total": 1, "active": 1, "cooling": 0, "exhausted": 0, "reauthRequired": 0, "suspended": 0, "disabled": 0,
        "invalid": 0,
    }  # fmt: skip
    assert (body["baseUrl"], body["inFlight"], body["alerts"]) == (estate.url, 3, [])
    assert body["tokensToday"] == {"input": 0, "output": 0}


@pytest.mark.parametrize("limit", ["0", "-1", "501", "x", "", "9" * 30, "\u0663"])
async def test_a_limit_that_is_none(estate: Estate, limit: str) -> None:
    assert code_of(await estate.client.get("requests", params={"limit": limit}))[2] == "invalid_field"


async def test_requests(estate: Estate) -> None:
    assert (await estate.client.get("requests")).json() == {"requests": []}
    assert (await estate.client.get("requests?limit=500")).json() == {"requests": []}


async def test_the_configuration_hides_secrets(tmp_path: Path) -> None:
    opened = open_estate(
        tmp_path,
        Account(name="one"),
        sources={"port": "flag --port"},
        count_tokens_api_key="planted-key",
        count_tokens_api_url="https://u:p@x.example/?k=1",
    )
    async with opened as estate:
        answer = await estate.client.get("config")
        shown = {setting["key"]: setting for setting in answer.json()["settings"]}
        assert shown["port"] == {"key": "port", "value": 0, "source": "flag --port"}
        assert shown["apiKey"]["value"] == shown["adminApiKey"]["value"] == "********"
        assert shown["apiKey"]["source"] == "configured"
        assert shown["region"] == {"key": "region", "value": "us-east-1", "source": "default"}
        for secret in ("planted-key", "u:p", "k=1", estate.config.api_key, estate.config.admin_api_key):
            assert secret not in answer.text


async def test_a_change_of_state_is_told_with_its_alert_before_the_next_beat(tmp_path: Path) -> None:
    async with open_estate(tmp_path, Account(name="one"), Account(name="two")) as estate:
        estate.admin.beat = lambda: None  # type: ignore[method-assign]
        async with estate.client.stream("GET", "events") as response:
            stream = events(response)
            assert (await until(stream, "overview"))["alerts"] == []
            estate.simulator.grants.revoke(estate.simulator.accounts["one"])
            await estate.client.post("credentials/1/refresh")
            while (await until(stream, "credentials"))["credentials"][0]["state"] != "reauth_required":
                pass
            [alert] = (await until(stream, "overview"))["alerts"]
            assert (alert["code"], alert["credentialId"]) == ("reauth_required", 1)


async def test_about(tmp_path: Path) -> None:
    async with open_estate(tmp_path, sources={"port": "flag --port", "region": "/etc/kiro/config.toml"}) as estate:
        body = (await estate.client.get("about")).json()
        assert body["version"] == __version__
        assert body["uptimeSeconds"] >= 0
        assert body["files"] == {
            "config": "/etc/kiro/config.toml",
            "credentials": str(estate.path),
            "state": str(estate.path.with_name("credentials.state.toml")),
            "lock": str(estate.path.with_name("credentials.json.lock")),
        }
        assert body["lock"] == {"state": "free", "holder": None}
        assert body["unsavedBecause"] is None


async def test_a_lock_that_is_held_is_shown(estate: Estate) -> None:
    lock = FileLock(estate.path.with_name("credentials.json.lock"))
    assert await trio.to_thread.run_sync(lock.acquire, 1.0)
    try:
        body = (await estate.client.get("about")).json()
    finally:
        lock.release()
    assert body["lock"]["state"] == "held"
    assert "process" in body["lock"]["holder"]


async def test_a_lock_that_cannot_be_looked_at(estate: Estate) -> None:
    path = estate.path.with_name("credentials.json.lock")
    path.unlink(missing_ok=True)
    path.mkdir()
    assert (await estate.client.get("about")).json()["lock"]["state"] == "unknown"


def test_every_setting_is_json_and_no_secret_is_shown() -> None:
    config = Config(api_key="planted-a", admin_api_key="planted-b", proxy_url="http://u:planted-c@x:1", port=1)
    body = effective_settings(config, {"port": "environment KIRO_RS_PORT"})
    text = json.dumps(body)
    assert "planted" not in text
    settings = body["settings"]
    assert isinstance(settings, list)
    assert len(settings) == len(KEYS)
    shown = {setting["key"]: setting for setting in settings if isinstance(setting, dict)}
    assert shown["port"]["source"] == "environment KIRO_RS_PORT"
    assert shown["proxyUrl"]["source"] == "configured"
    assert shown["host"]["source"] == "default"
