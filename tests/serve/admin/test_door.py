"""Who comes in, and what a cookie alone may not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.config import Config
from tests.serve.admin.estate import ADMIN_KEY, KEY, PAGES, Estate, code_of, open_estate, sign_in


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-api-key": ADMIN_KEY}, None),
        ({"authorization": f"Bearer {ADMIN_KEY}"}, None),
        ({"authorization": f"bearer  {ADMIN_KEY}"}, None),
        ({"x-api-key": "stale", "authorization": f"Bearer {ADMIN_KEY}"}, None),  # either is enough
        ({"x-api-key": ADMIN_KEY, "authorization": "Bearer stale"}, None),
        ({"x-api-key": KEY}, "wrong_key"),  # the clients' key is not the administrator's
        ({"authorization": f"Basic {ADMIN_KEY}"}, "missing_key"),
        ({"x-api-key": ""}, "wrong_key"),
        ({}, "missing_key"),
        ({"cookie": "kiro_admin=made-up"}, "session_expired"),
        ({"cookie": f"kiro_admin={ADMIN_KEY}"}, "session_expired"),
    ],
)
async def test_keys(estate: Estate, headers: dict[str, str], code: str | None) -> None:
    answer = await estate.visitor.get("/api/admin/credentials", headers=headers)
    if code is None:
        assert answer.status_code == 200
    else:
        assert code_of(answer) == (401, "authentication_error", code)


async def test_a_wrong_key_beside_a_session_does_no_harm(estate: Estate) -> None:
    async with estate.browser() as browser:
        await sign_in(browser)
        assert (await browser.get("/api/admin/overview", headers={"x-api-key": KEY})).status_code == 200


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "credentials", {"refreshToken": "x"}),
    ("PATCH", "credentials/1", {"label": "x"}),
    ("DELETE", "credentials/1", None),
    ("POST", "credentials/1/restore", None),
    ("POST", "credentials/1/disabled", {"disabled": True}),
    ("POST", "credentials/1/priority", {"priority": 1}),
    ("POST", "credentials/1/reset", None),
    ("POST", "credentials/1/refresh", None),
    ("POST", "credentials/batch", {"ids": [1], "action": "disable"}),
    ("PUT", "config/load-balancing", {"mode": "balanced"}),
    ("POST", "logins", {"method": "builder-id"}),
    ("DELETE", "logins/x", None),
    ("POST", "imports", {"text": "x"}),
    ("DELETE", "imports/x", None),
    ("DELETE", "session", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_every_write_with_a_cookie_needs_the_token(estate: Estate, method: str, path: str, body: Any) -> None:
    before = estate.path.read_bytes()
    async with estate.browser() as browser, estate.browser() as other:
        own = await sign_in(browser)
        foreign = await sign_in(other)
        for headers in ({}, {"x-csrf-token": ""}, {"x-csrf-token": "made-up"}, foreign):
            answer = await browser.request(method, f"/api/admin/{path}", json=body, headers=headers)
            assert code_of(answer) == (403, "authentication_error", "csrf")
        assert estate.path.read_bytes() == before
        assert not estate.simulator.requests
        answer = await browser.request(method, f"/api/admin/{path}", json=body, headers=own)
        assert answer.status_code != 403


async def test_without_an_admin_key_there_is_no_administration(tmp_path: Path) -> None:
    for key in ("", "  "):
        async with open_estate(tmp_path, admin_api_key=key) as estate:
            for path in ("/api/admin/credentials", "/api/admin/session", "/admin", "/admin/index.html"):
                answer = await estate.visitor.get(path, headers={"x-api-key": key.strip() or KEY})
                assert answer.status_code == 404


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip"])
async def test_without_an_admin_key_a_reverse_proxy_does_not_make_everybody_local(tmp_path: Path, name: str) -> None:
    async with open_estate(tmp_path, admin_api_key="") as estate:
        headers = {"x-api-key": KEY}
        assert (await estate.visitor.get(PAGES, headers=headers)).status_code == 200
        answer = await estate.visitor.get(PAGES, headers={**headers, name: "127.0.0.1"})
        assert answer.status_code == 403
        assert "same machine" in answer.text


async def test_another_api_key_closes_the_sessions_it_opened(tmp_path: Path) -> None:
    async with open_estate(tmp_path, admin_api_key="") as estate, estate.browser() as browser:
        assert (await browser.post(f"{PAGES}/login", data={"key": KEY})).status_code == 303
        assert (await browser.get(PAGES)).status_code == 200
        estate.admin.configure(Config(api_key="another-key-0123456789"))
        assert (await browser.get(PAGES)).status_code == 401
        assert (await estate.visitor.get(PAGES, headers={"x-api-key": KEY})).status_code == 401
        headers = {"x-api-key": "another-key-0123456789"}
        assert (await estate.visitor.get(PAGES, headers=headers)).status_code == 200
