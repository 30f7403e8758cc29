"""The administration as a part of the running proxy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import KEY, Proxy, running_proxy, wait_for
from tests.serve.admin.estate import ADMIN_KEY, Estate, open_estate, sign_in

HEADERS = {"x-api-key": ADMIN_KEY}


async def get(proxy: Proxy, path: str) -> dict[str, Any]:
    answer = await proxy.client.get(f"/api/admin/{path}", headers=HEADERS)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_requests_are_seen_by_the_administration(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with running_proxy(simulator, tmp_path, admin_api_key=ADMIN_KEY) as proxy:
        answer = await proxy.ask("<<SAY planted words>>")
        assert answer.status_code == 200
        [entry] = (await get(proxy, "requests"))["requests"]
        assert entry["requestId"] == answer.headers["request-id"]
        assert (entry["route"], entry["status"], entry["credentialId"]) == ("/v1/messages", 200, 1)
        assert (entry["mode"], entry["stopReason"], entry["error"]) == ("plain", "end_turn", None)
        assert entry["outputTokens"] > 0
        assert entry["firstByteMs"] is not None
        assert "planted" not in str(entry)
        overview = await get(proxy, "overview")
        assert (overview["requestsPerMinute"], overview["inFlight"]) == (1, 0)
        assert overview["tokensToday"]["output"] == entry["outputTokens"]
        assert overview["creditsToday"] == entry["credits"] > 0
        assert overview["baseUrl"] == proxy.url
        [account] = (await get(proxy, "credentials"))["credentials"]
        assert account["successCount"] == 1


async def test_an_open_page_does_not_hold_the_shutdown(simulator: RunningSimulator, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"admin_api_key": ADMIN_KEY, "shutdown_grace_seconds": 600.0}
    with trio.fail_after(60):
        async with (
            running_proxy(simulator, tmp_path, **settings) as proxy,
            proxy.client.stream("GET", "/api/admin/events", headers=HEADERS) as response,
        ):
            proxy.stop.set()
            text = (await response.aread()).decode()
    assert "event: overview" in text


async def test_without_an_admin_key_there_are_only_the_sign_in_pages(proxy: Proxy) -> None:
    assert (await proxy.client.get("/api/admin/overview")).status_code == 404
    assert (await proxy.client.get("/admin")).status_code == 404
    assert (await proxy.client.get("/v0/oauth/kiro", headers={"x-api-key": KEY})).status_code == 200


async def test_a_bug_in_the_pulse_is_only_logged(estate: Estate, caplog: Any) -> None:
    async with estate.client.stream("GET", "events") as response:
        chunks = response.aiter_raw()
        await anext(chunks)
        estate.admin._accounts.listed = None  # type: ignore[method-assign, assignment]
        await wait_for(lambda: "TypeError" in caplog.text)
    assert (await estate.client.get("overview")).status_code == 200


async def test_what_is_over_is_forgotten_without_being_asked(tmp_path: Path) -> None:
    async with open_estate(tmp_path) as estate:
        await estate.client.delete("credentials/1?force=1")
        estate.clocks.advance(31)
        for _ in range(10):
            estate.admin.beat()
        await trio.lowlevel.checkpoint()
        assert not estate.admin._accounts._removed


async def test_another_admin_key_takes_effect_at_once(estate: Estate) -> None:
    async with estate.browser() as browser:
        await sign_in(browser)
        estate.admin.configure(replace(estate.config, admin_api_key="another-admin-key-0123456789"))
        assert (await browser.get("/api/admin/overview")).status_code == 401
        assert (await estate.client.get("overview")).status_code == 401
        await sign_in(browser, "another-admin-key-0123456789")
        # No key at all would open nothing, and close the page to its owner: that is for the next start.
        estate.admin.configure(replace(estate.config, admin_api_key=""))
        assert (await browser.get("/api/admin/overview")).status_code == 200
