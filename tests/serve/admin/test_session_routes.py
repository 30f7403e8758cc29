"""Signing in and out over a real socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kiro_rs_py.serve.admin.session import ABSOLUTE, IDLE
from tests.serve.admin.estate import ADMIN_KEY, KEY, Estate, code_of, sign_in


async def test_the_key_for_a_cookie(estate: Estate) -> None:
    async with estate.browser() as browser:
        answer = await browser.post("/api/admin/session", json={"key": f" {ADMIN_KEY} "})
        assert answer.status_code == 200
        body = answer.json()
        assert body.keys() == {"csrfToken", "expiresAt"}
        left = datetime.fromisoformat(body["expiresAt"]) - datetime.now(UTC)
        assert IDLE - timedelta(minutes=1) < left <= IDLE
        [cookie] = answer.headers.get_list("set-cookie")
        assert cookie.startswith("kiro_admin=")
        assert cookie.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]
        assert ADMIN_KEY not in cookie
        again = await browser.get("/api/admin/session")
        assert again.json()["csrfToken"] == body["csrfToken"]
        assert (await browser.get("/api/admin/credentials")).status_code == 200


async def test_a_remembered_cookie_lasts_as_long_as_the_session_may(estate: Estate) -> None:
    body = {"key": ADMIN_KEY, "remember": True}
    answer = await estate.visitor.post("/api/admin/session", json=body)
    assert answer.headers["set-cookie"].endswith(f"; Max-Age={7 * 24 * 3600}")
    left = datetime.fromisoformat(answer.json()["expiresAt"]) - datetime.now(UTC)
    assert left <= IDLE  # the session itself ends no later
    bad = await estate.visitor.post("/api/admin/session", json=body | {"remember": "yes"})
    assert code_of(bad) == (400, "invalid_request", "invalid_field")
    assert "set-cookie" not in bad.headers


@pytest.mark.parametrize("headers", [{"origin": "https://admin.example"}, {"x-forwarded-proto": "https"}])
async def test_the_cookie_is_secure_where_the_browser_speaks_tls(estate: Estate, headers: dict[str, str]) -> None:
    if "origin" in headers:
        headers = {"origin": estate.url.replace("http:", "https:")}
    answer = await estate.visitor.post("/api/admin/session", json={"key": ADMIN_KEY}, headers=headers)
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("key", ["wrong", KEY, ADMIN_KEY[:-1], ADMIN_KEY + "x", "\u20ac"])
async def test_a_wrong_key(estate: Estate, key: str) -> None:
    answer = await estate.visitor.post("/api/admin/session", json={"key": key})
    assert code_of(answer) == (401, "authentication_error", "wrong_key")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("body", [{}, {"key": ""}, {"key": None}, {"key": 7}, {"key": ["x"]}])
async def test_a_key_that_is_none(estate: Estate, body: dict[str, object]) -> None:
    assert code_of(await estate.visitor.post("/api/admin/session", json=body))[0] == 400


async def test_guessing_gets_slower_and_locks_the_right_key_out_too(estate: Estate) -> None:
    for _ in range(5):
        answer = await estate.visitor.post("/api/admin/session", json={"key": "guess"})
        assert code_of(answer)[2] == "wrong_key"
    for key in ("guess", ADMIN_KEY):
        answer = await estate.visitor.post("/api/admin/session", json={"key": key})
        assert code_of(answer) == (429, "authentication_error", "too_many_attempts")
        assert 1 <= int(answer.headers["retry-after"]) <= 15
    assert code_of(await estate.client.get("credentials"))[0] == 429  # the header is no way around it
    estate.clocks.advance(16)
    assert (await estate.visitor.post("/api/admin/session", json={"key": ADMIN_KEY})).status_code == 200


async def test_header_guesses_count_too_but_sessions_go_on(estate: Estate) -> None:
    async with estate.browser() as browser:
        await sign_in(browser)
        for _ in range(5):
            answer = await estate.visitor.get("/api/admin/credentials", headers={"x-api-key": "guess"})
            assert code_of(answer)[2] == "wrong_key"
        answer = await estate.visitor.get("/api/admin/credentials", headers={"authorization": "Bearer guess"})
        assert code_of(answer)[2] == "too_many_attempts"
        assert (await browser.get("/api/admin/credentials")).status_code == 200


async def test_expiry(estate: Estate) -> None:
    async with estate.browser() as browser:
        await sign_in(browser)
        estate.clocks.advance(IDLE.total_seconds() - 60)
        assert (await browser.get("/api/admin/credentials")).status_code == 200
        estate.clocks.advance(IDLE.total_seconds() - 60)
        assert (await browser.get("/api/admin/credentials")).status_code == 200
        estate.clocks.advance(IDLE.total_seconds())
        answer = await browser.get("/api/admin/credentials")
        assert code_of(answer) == (401, "authentication_error", "session_expired")


async def test_absolute_expiry(estate: Estate) -> None:
    async with estate.browser() as browser:
        await sign_in(browser)
        for _ in range(int(ABSOLUTE / IDLE) * 2 - 1):
            estate.clocks.advance(IDLE.total_seconds() / 2)
            assert (await browser.get("/api/admin/session")).status_code == 200
        estate.clocks.advance(IDLE.total_seconds() / 2)
        assert code_of(await browser.get("/api/admin/session"))[2] == "session_expired"


async def test_signing_out(estate: Estate) -> None:
    async with estate.browser() as browser:
        token = await sign_in(browser)
        cookie = browser.cookies["kiro_admin"]
        assert code_of(await browser.delete("/api/admin/session"))[2] == "csrf"
        answer = await browser.delete("/api/admin/session", headers=token)
        assert answer.status_code == 204
        assert "Max-Age=0" in answer.headers["set-cookie"]
        answer = await estate.visitor.get("/api/admin/session", headers={"cookie": f"kiro_admin={cookie}"})
        assert code_of(answer)[2] == "session_expired"


async def test_signing_in_again_ends_the_old_session_of_the_browser(estate: Estate) -> None:
    async with estate.browser() as browser:
        await sign_in(browser)
        old = browser.cookies["kiro_admin"]
        await sign_in(browser)
        assert browser.cookies["kiro_admin"] != old
        answer = await estate.visitor.get("/api/admin/session", headers={"cookie": f"kiro_admin={old}"})
        assert code_of(answer)[0] == 401


async def test_a_key_is_no_session(estate: Estate) -> None:
    assert code_of(await estate.client.get("session"))[2] == "no_session"
    assert (await estate.client.delete("session")).status_code == 204
