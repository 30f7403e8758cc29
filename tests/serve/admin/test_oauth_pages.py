"""``/v0/oauth/kiro*``: kiro-rs's routes and JSON, for a browser and for programs (operations §7)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import REFRESH, Simulator
from tests.serve.admin.estate import ADMIN_KEY, KEY, PAGES, Estate, code_of, open_estate, wait_for

PORTAL = "https://d-1234567890.awsapps.com/start"


async def enter(browser: httpx.AsyncClient, key: str = ADMIN_KEY) -> str:
    """Sign in with the form; the CSRF token of the page that follows."""
    answer = await browser.post(f"{PAGES}/login", data={"key": key})
    assert (answer.status_code, answer.headers["location"]) == (303, PAGES)
    return csrf_in((await browser.get(PAGES)).text)


def csrf_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def check_page(answer: httpx.Response, status: int = 200) -> str:
    """Every page comes with the headers that keep scripts and frames out."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    return answer.text


# --- a browser ----------------------------------------------------------------------------------------------------


async def test_the_whole_way_of_a_browser(estate: Estate) -> None:
    estate.simulator.oidc.interval = 0.05
    async with estate.browser() as browser:
        assert "adminApiKey" in check_page(await browser.get(PAGES), 401)
        csrf = await enter(browser)
        answer = await browser.post(f"{PAGES}/start", data={"csrf": csrf, "method": "builder-id"})
        assert answer.status_code == 303
        where = answer.headers["location"]
        page = check_page(await browser.get(where))
        [device] = estate.simulator.oidc.devices.values()
        assert device.user_code in page
        assert 'rel="noopener noreferrer"' in page
        assert "<svg" in page
        assert f"url={where}" in page  # it looks again by itself
        status = await browser.get(where.replace("/start", "/status"))
        assert status.json()["status"] == "pending"
        assert 0 < status.json()["remaining_seconds"] <= 600
        estate.simulator.oidc.approve(device.user_code, "builder")
        jobs = estate.admin._logins
        await wait_for(lambda: jobs.get(where.partition("state=")[2]).status != "pending")
        assert "Account #2 is signed in" in check_page(await browser.get(where))
        status = (await browser.get(where.replace("/start", "/status"))).json()
        assert status.keys() == {"status", "completed_at", "expires_at"}
        assert status["status"] == "success"
        assert status["expires_at"] == (await estate.listed())[2]["expiresAt"]


async def test_a_form_s_import_and_refresh_are_told_as_pages(tmp_path: Path) -> None:
    accounts = (Account(name="one"), Account(name="two"))
    async with open_estate(tmp_path, accounts[0], simulator=Simulator(accounts=accounts)) as estate:
        token = str(estate.simulator.credential_json("two")["refreshToken"])
        async with estate.browser() as browser:
            csrf = await enter(browser)
            answer = await browser.post(f"{PAGES}/import", data={"csrf": csrf, "refreshToken": f" {token}\r\n"})
            assert "Token imported successfully" in check_page(answer)
            answer = await browser.post(f"{PAGES}/import", data={"csrf": csrf, "refreshToken": token})
            assert "already exists" in check_page(answer)
            answer = await browser.post(f"{PAGES}/refresh", data={"csrf": csrf})
            assert "Refreshed 2 token(s)" in check_page(answer)
        assert len(estate.file()) == 2


async def test_signing_out(estate: Estate) -> None:
    async with estate.browser() as browser:
        csrf = await enter(browser)
        answer = await browser.post(f"{PAGES}/logout", data={"csrf": csrf})
        assert (answer.status_code, answer.headers["location"]) == (303, PAGES)
        check_page(await browser.get(PAGES), 401)


async def test_wrong_keys_are_told_and_throttled(estate: Estate) -> None:
    async with estate.browser() as browser:
        for _ in range(5):
            page = check_page(await browser.post(f"{PAGES}/login", data={"key": "guess"}), 401)
            assert "Invalid or missing" in page
        answer = await browser.post(f"{PAGES}/login", data={"key": ADMIN_KEY})
        assert "Too many wrong keys" in check_page(answer, 429)
        assert answer.headers["retry-after"]


async def test_an_expired_session_asks_for_the_key_again(estate: Estate) -> None:
    async with estate.browser() as browser:
        await enter(browser)
        estate.clocks.advance(13 * 3600)
        assert "session is over" in check_page(await browser.get(PAGES), 401)


async def test_a_session_of_the_page_and_of_the_api_are_one(estate: Estate) -> None:
    async with estate.browser() as browser:
        csrf = await enter(browser)
        assert (await browser.get("/api/admin/session")).json()["csrfToken"] == csrf


@pytest.mark.parametrize("path", ["start", "import", "refresh", "logout"])
@pytest.mark.parametrize("token", [None, "", "made-up"])
async def test_forms_without_the_token_do_nothing(estate: Estate, path: str, token: str | None) -> None:
    async with estate.browser() as browser:
        await enter(browser)
        data = {"method": "builder-id", "refreshToken": "aorAAAAAG" + "x" * 100}
        if token is not None:
            data["csrf"] = token
        check_page(await browser.post(f"{PAGES}/{path}", data=data), 403)
        answer = await browser.post(f"{PAGES}/{path}")  # kiro-rs refreshes all accounts on an empty POST
        assert answer.status_code == 403
        assert not estate.simulator.requests
        assert (await browser.get(PAGES)).status_code == 200


# --- starting by a link -------------------------------------------------------------------------------------------


async def test_start_by_get_as_kiro_rs_does_it(estate: Estate) -> None:
    """A typed address or a link of ours; asked again, the same login is shown."""
    async with estate.browser() as browser:
        await enter(browser)
        own = {"sec-fetch-site": "none", "sec-fetch-dest": "document"}
        pages = [await browser.get(f"{PAGES}/start?method=builder-id", headers=own) for _ in range(2)]
        assert len(estate.simulator.oidc.devices) == 1
        [device] = estate.simulator.oidc.devices.values()
        assert all(device.user_code in check_page(page) for page in pages)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"},
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "document"},
        {"sec-fetch-site": "same-origin", "sec-fetch-dest": "image"},
    ],
)
async def test_start_by_somebody_else_s_link_asks_first(estate: Estate, headers: dict[str, str]) -> None:
    async with estate.browser() as browser:
        await enter(browser)
        link = httpx.URL(f"{PAGES}/start", params={"method": "idc", "startUrl": PORTAL, "region": '"><b>x'})
        page = check_page(await browser.get(link, headers=headers))
        assert "Go on only if you want" in page
        assert "<b>x" not in page
        assert not estate.simulator.requests


async def test_an_organisation_s_start(tmp_path: Path) -> None:
    company = Account(name="company", method="idc", provider="Enterprise", start_url=PORTAL)
    async with open_estate(tmp_path, company) as estate:
        headers = {"x-api-key": ADMIN_KEY}
        link = httpx.URL(f"{PAGES}/start", params={"method": "idc", "startUrl": f"{PORTAL}/#/", "region": "us-east-1"})
        for _ in range(2):
            check_page(await estate.visitor.get(link, headers=headers))
        [device] = estate.simulator.oidc.devices.values()
        assert device.start_url == PORTAL


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ({}, 400, "Unknown authentication method"),
        ({"method": "<b>saml</b>"}, 400, "Unknown authentication method: &lt;b&gt;saml&lt;/b&gt;"),
        ({"method": "idc"}, 400, "Missing startUrl parameter for IDC authentication"),
        ({"method": "idc", "startUrl": "https://evil.example/start"}, 400, "no start URL"),
        ({"method": "idc", "startUrl": PORTAL, "region": "evil.example/?"}, 400, "no AWS region"),
        ({"method": "idc", "startUrl": PORTAL, "region": "x@internal:8443/"}, 400, "no AWS region"),
        ({"state": "made-up"}, 404, "no such login"),
    ],
)
async def test_bad_starts(estate: Estate, query: dict[str, str], status: int, told: str) -> None:
    answer = await estate.visitor.get(f"{PAGES}/start", params=query, headers={"x-api-key": ADMIN_KEY})
    assert told in check_page(answer, status)
    assert not estate.simulator.requests


async def test_a_failed_login_is_told(estate: Estate) -> None:
    estate.simulator.oidc.interval = 0.05
    headers = {"x-api-key": ADMIN_KEY}
    check_page(await estate.visitor.get(f"{PAGES}/start?method=builder-id", headers=headers))
    [device] = estate.simulator.oidc.devices.values()
    [login] = estate.admin._logins._logins.values()
    estate.simulator.oidc.deny(device.user_code)
    await wait_for(lambda: login.status != "pending")
    page = check_page(await estate.visitor.get(f"{PAGES}/start?state={login.id}", headers=headers))
    assert "Authentication Failed" in page
    status = (await estate.visitor.get(f"{PAGES}/status?state={login.id}", headers=headers)).json()
    assert status.keys() == {"status", "completed_at", "error"}
    assert status["status"] == "failed"


async def test_upstream_trouble_is_an_error_page(estate: Estate) -> None:
    estate.simulator.fail_next("/client/register", 500, {"message": "<b>their words</b>"})
    answer = await estate.visitor.get(f"{PAGES}/start?method=builder-id", headers={"x-api-key": ADMIN_KEY})
    assert "their words" not in check_page(answer, 502)


async def test_a_bug_is_told_as_a_page_too(estate: Estate, caplog: pytest.LogCaptureFixture) -> None:
    pages = estate.admin._logins
    pages._hub = None  # type: ignore[assignment]
    pages.start = None  # type: ignore[method-assign, assignment]
    answer = await estate.visitor.get(f"{PAGES}/start?method=builder-id", headers={"x-api-key": ADMIN_KEY})
    assert "Internal error" in check_page(answer, 500)
    assert "TypeError" in caplog.text


# --- programs: kiro-rs's JSON -------------------------------------------------------------------------------------


async def test_status_of_nothing(estate: Estate) -> None:
    answer = await estate.visitor.get(f"{PAGES}/status?state=x", headers={"x-api-key": ADMIN_KEY})
    assert (answer.status_code, answer.json()) == (404, {"error": "Session not found"})


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("", "Refresh token is required"),
        ("   ", "Refresh token is required"),
        (None, "Refresh token is required"),
        ("aoaX", "Invalid token format. Token should start with aorAAAAAG..."),
        ("aorAAAAAGshort", "Failed to import token: Invalid credential: refreshToken has been truncated"),
        ("aorAAAAAG" + "x" * 120, "Failed to import token: Invalid credential: The token service no longer accepts"),
    ],
)
async def test_imports_that_fail(estate: Estate, token: str | None, error: str) -> None:
    headers = {"x-api-key": ADMIN_KEY}
    answer = await estate.visitor.post(f"{PAGES}/import", json={"refreshToken": token}, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert answer.json().keys() == {"success", "error"}
    assert answer.json()["error"].startswith(error)
    assert len(estate.file()) == 1


async def test_an_import(tmp_path: Path) -> None:
    async with open_estate(tmp_path, credentials=lambda s: []) as estate:
        token = estate.simulator.credential_json()["refreshToken"]
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        answer = await estate.visitor.post(f"{PAGES}/import", json={"refreshToken": token}, headers=headers)
        assert answer.json() == {
            "success": True,
            "message": "Token imported successfully",
            "fileName": "credentials.json",
        }
        assert estate.file()[0]["authMethod"] == "social"


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
async def test_an_import_that_is_no_json(estate: Estate, content: bytes) -> None:
    headers = {"x-api-key": ADMIN_KEY, "content-type": "application/json"}
    answer = await estate.visitor.post(f"{PAGES}/import", content=content, headers=headers)
    assert code_of(answer) == (400, "invalid_request", "invalid_json")


async def test_refreshing_all(tmp_path: Path) -> None:
    accounts = (Account(name="one"), Account(name="two"), Account(name="key", method="api_key"))
    async with open_estate(tmp_path, *accounts) as estate:
        headers = {"x-api-key": ADMIN_KEY}

        async def refresh() -> dict[str, Any]:
            answer = await estate.visitor.post(f"{PAGES}/refresh", content=b"ignored", headers=headers)
            assert answer.status_code == 200
            body: dict[str, Any] = answer.json()
            return body

        estate.simulator.fail_next(REFRESH, 400, {"error": "invalid_grant"})
        some = await refresh()
        assert (some["success"], some["message"], some["refreshedCount"]) == (True, "Refreshed 1 token(s)", 1)
        assert "Token refresh failed" in some["warnings"][0]


async def test_refreshing_all_when_all_fail(estate: Estate) -> None:
    estate.simulator.fail_next(REFRESH, 400, {"error": "invalid_grant", "error_description": "their words"})
    answer = await estate.visitor.post(f"{PAGES}/refresh", headers={"x-api-key": ADMIN_KEY})
    body = answer.json()
    assert (answer.status_code, body["success"], body["refreshedCount"]) == (200, False, 0)
    assert body["message"].startswith("Refresh failed: All refresh attempts failed: #1: ")
    assert "their words" not in answer.text


async def test_refreshing_nothing(tmp_path: Path) -> None:
    async with open_estate(tmp_path, credentials=lambda s: []) as estate:
        answer = await estate.visitor.post(f"{PAGES}/refresh", headers={"x-api-key": ADMIN_KEY})
        assert answer.json() == {"success": True, "message": "Refreshed 0 token(s)", "refreshedCount": 0}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "import", 405), ("POST", "status", 405), ("GET", "login", 404), ("GET", "x", 404), ("OPTIONS", "", 405)],
)
async def test_wrong_ways(estate: Estate, method: str, path: str, status: int) -> None:
    answer = await estate.visitor.request(method, f"{PAGES}/{path}", headers={"x-api-key": ADMIN_KEY})
    assert answer.status_code == status


async def test_writes_and_wrong_keys_are_in_the_audit(estate: Estate) -> None:
    async with estate.browser() as browser:
        csrf = await enter(browser)
        await browser.post(f"{PAGES}/refresh", data={"csrf": csrf})
        await browser.post(f"{PAGES}/refresh", data={"csrf": "made-up"})
        await browser.get(PAGES)
    await estate.visitor.get(f"{PAGES}/status", headers={"x-api-key": "guess"})
    await estate.visitor.post(f"{PAGES}/planted", headers={"x-api-key": ADMIN_KEY})
    entries = (await estate.client.get("audit")).json()["audit"]
    assert [(entry["action"], entry["who"], entry["outcome"]) for entry in entries] == [
        ("oauth.unknown", "key", "not_found"),
        ("oauth.status", "key", "wrong_key"),
        ("oauth.refresh", "session", "csrf"),
        ("oauth.refresh", "session", "done"),
        ("oauth.login", "key", "done"),
    ]


async def test_too_large_a_form(estate: Estate) -> None:
    async with estate.browser() as browser:
        csrf = await enter(browser)
        answer = await browser.post(f"{PAGES}/import", data={"csrf": csrf, "refreshToken": "x" * 70_000})
        check_page(answer, 413)
        many = {f"f{number}": "x" for number in range(30)}
        check_page(await browser.post(f"{PAGES}/import", data={"csrf": csrf, **many}), 400)


# --- without an admin key -----------------------------------------------------------------------------------------


async def test_without_an_admin_key_the_api_key_opens_it_on_this_machine(tmp_path: Path) -> None:
    async with open_estate(tmp_path, admin_api_key="") as estate:
        async with estate.browser() as browser:
            assert "apiKey of this proxy" in check_page(await browser.get(PAGES), 401)
            await enter(browser, KEY)
            check_page(await browser.get(PAGES))
        answer = await estate.visitor.get(f"{PAGES}/start?method=builder-id", headers={"x-api-key": KEY})
        check_page(answer)


async def test_with_an_admin_key_the_api_key_opens_nothing(estate: Estate) -> None:
    answer = await estate.visitor.get(PAGES, headers={"x-api-key": KEY})
    check_page(answer, 401)
