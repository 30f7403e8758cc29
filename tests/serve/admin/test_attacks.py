"""The eight holes of kiro-rs's sign-in pages, worst first (operations §7.8): each test fails on what kiro-rs does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from kiro_rs_py.serve.admin.logins import MOST_PENDING
from tests.serve.admin.estate import ADMIN_KEY, PAGES, Estate, sign_in
from tests.serve.admin.test_oauth_pages import check_page, csrf_in

ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "/start?method=builder-id", None),
    ("GET", "/status?state=x", None),
    ("POST", "/import", {"refreshToken": "aorAAAAAG" + "x" * 120}),
    ("POST", "/refresh", None),
]
KEYED = {"x-api-key": ADMIN_KEY}


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_1_nobody_gets_in_without_authentication(estate: Estate, method: str, path: str, body: Any) -> None:
    before = estate.path.read_bytes()
    answer = await estate.visitor.request(method, PAGES + path, json=body)
    assert answer.status_code == 401
    assert not estate.simulator.requests
    assert estate.path.read_bytes() == before


@pytest.mark.parametrize(
    "region", ["attacker.example/?", "x@internal-host:8443/", "us-east-1.evil.example#", "169.254"]
)
async def test_2_a_region_reaches_no_other_host(estate: Estate, region: str) -> None:
    query = {"method": "idc", "startUrl": "https://d-1.awsapps.com/start", "region": region}
    page = check_page(await estate.visitor.get(f"{PAGES}/start", params=query, headers=KEYED), 400)
    assert region not in page
    assert not estate.simulator.requests


async def test_3_what_a_foreign_server_says_is_no_script_on_our_origin(estate: Estate) -> None:
    estate.simulator.fail_next(
        "/device_authorization",
        200,
        {
            "deviceCode": "x",
            "userCode": "<script>fetch('/api/admin/credentials')</script>",
            "verificationUri": f"{estate.config.upstream_url}/device",
            "verificationUriComplete": f'{estate.config.upstream_url}/"><img src=x onerror=alert(1)>',
            "expiresIn": 600,
            "interval": 5,
        },
    )
    page = check_page(await estate.visitor.get(f"{PAGES}/start?method=builder-id", headers=KEYED))
    assert "&lt;script&gt;" in page
    assert "<img" not in page
    assert "onerror=alert(1)>" not in page


async def test_3_there_is_no_key_in_the_browser_to_steal(estate: Estate) -> None:
    """The cookie is out of reach of scripts, and no answer to it holds the key."""
    async with estate.browser() as browser:
        answer = await browser.post("/api/admin/session", json={"key": ADMIN_KEY})
        assert "HttpOnly" in answer.headers["set-cookie"]
        paths = ("session", "config", "overview", "audit")
        shown = [answer.text, answer.headers["set-cookie"]]
        shown += [(await browser.get(f"/api/admin/{path}")).text for path in paths]
        assert ADMIN_KEY not in "".join(shown)


async def test_4_another_site_s_image_or_form_starts_nothing(estate: Estate) -> None:
    """The browser would not even send the cookie (SameSite=Strict); this is for the day it does."""
    async with estate.browser() as browser:
        await sign_in(browser)
        image = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image", "sec-fetch-mode": "no-cors"}
        check_page(await browser.get(f"{PAGES}/start?method=builder-id", headers=image))
        for path in ("refresh", "import", "start"):
            for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"origin": estate.url}):
                answer = await browser.post(f"{PAGES}/{path}", headers=headers)
                assert answer.status_code == 403
        assert not estate.simulator.requests


async def test_5_a_rebound_name_is_not_answered(estate: Estate) -> None:
    for method, path, body in ROUTES:
        headers = {**KEYED, "host": "evil.example:8080"}
        answer = await estate.visitor.request(method, PAGES + path, json=body, headers=headers)
        assert answer.status_code == 403
    assert not estate.simulator.requests


async def test_6_a_state_is_beyond_guessing_and_needs_the_session_too(estate: Estate) -> None:
    logins = [(await estate.post("logins", {"method": "builder-id"})).json()["id"] for _ in range(3)]
    assert len({login[:8] for login in logins}) == 3
    assert all(len(login) == 43 for login in logins)  # 256 bits of secrets.token_urlsafe
    answer = await estate.visitor.get(f"{PAGES}/status?state={logins[0]}")
    assert answer.status_code == 401


async def test_7_there_are_few_logins_and_they_end(estate: Estate) -> None:
    for _ in range(MOST_PENDING):
        assert (await estate.post("logins", {"method": "builder-id"})).status_code == 201
    page = check_page(await estate.visitor.get(f"{PAGES}/start?method=builder-id", headers=KEYED), 429)
    assert "waiting already" in page
    [first, *_] = estate.admin._logins._logins.values()
    assert first.device is not None
    secret = first.device.registration.client_secret
    estate.admin._logins.cancel(first.id)
    answer = await estate.client.get(f"logins/{first.id}")
    assert secret not in answer.text
    estate.clocks.advance(3600)
    estate.admin._logins.purge()
    assert first.id not in estate.admin._logins._logins or first.ended is None


async def test_7_a_reloaded_page_registers_no_new_client(estate: Estate) -> None:
    for _ in range(4):
        check_page(await estate.visitor.get(f"{PAGES}/start?method=builder-id", headers=KEYED))
    assert estate.simulator.counts["/client/register"] == 1
    assert estate.simulator.counts["/device_authorization"] == 1


async def test_8_pages_cannot_be_framed_and_hand_nothing_to_what_they_open(estate: Estate) -> None:
    async def page(path: str) -> httpx.Response:
        return await estate.visitor.get(path, headers=KEYED)

    for path in (PAGES, f"{PAGES}/start?method=builder-id", f"{PAGES}/start?method=x"):
        answer = await page(path)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        for link in answer.text.split("<a ")[1:]:
            assert "target=" not in link or 'rel="noopener noreferrer"' in link
    async with estate.browser() as browser:
        await sign_in(browser)
        assert csrf_in((await browser.get(PAGES)).text)
