"""kiro-rs's security weaknesses S1 to S16 (operations §10.1), as far as the administration has to do with them.

S5 (empty key) and S11 (CORS) are in tests/serve/test_app.py and tests/config/test_serving.py; S6 (keys in the banner
and the log of a real process) is in tests/cli/test_serving.py; the image's part of S12 is in tests/packaging. S16: keys
may be hashes everywhere; the tokens stay as they are, for the reasons in docs/security.md.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import hashed
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.listener import bind_all
from kiro_rs_py.serve.run import serve
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import REFRESH, USAGE, Simulator
from kiro_rs_py.simulator.server import RunningSimulator
from kiro_rs_py.upstream.atomic import replace_file
from tests.proxy import request_of, running_proxy
from tests.serve.admin.estate import ADMIN_KEY, KEY, PAGES, Estate, code_of, open_estate, sign_in, wait_for

OWNER = Account(name="owner", email="planted-mail@example.com")
KEYED = Account(name="keyed", method="api_key", api_key="ksk_planted_0123456789abcdef")


async def use_everything(estate: Estate) -> str:
    """Every endpoint once, in success and in failure; all answers in one text."""
    simulator = estate.simulator
    simulator.fail_next(USAGE, 500, {"message": "planted-upstream-body"}, times=4)
    simulator.fail_next(REFRESH, 400, {"error": "odd", "error_description": "planted-upstream-body"})
    steps: list[tuple[str, str, Any]] = [
        ("GET", "credentials/1/balance", None),
        ("POST", "credentials/1/refresh", None),
        ("POST", "credentials/1/refresh", None),
        ("GET", "credentials", None),
        ("POST", "credentials", {"kiroApiKey": KEYED.api_key}),
        ("POST", "credentials", {"refreshToken": "aorAAAAAG-planted-" + "x" * 120}),
        ("POST", "credentials", {"refreshToken": "aor-planted-short"}),
        ("PATCH", "credentials/1", {"proxyUrl": "http://user:planted-password@127.0.0.1:9", "label": "l"}),
        ("PATCH", "credentials/1", {"proxyUrl": None}),
        ("PATCH", "credentials/1", {"proxyUrl": "ftp://user:planted-password@127.0.0.1:9"}),
        ("POST", "credentials/batch", {"ids": [1, 2], "action": "refresh"}),
        ("POST", "session", {"key": "planted-wrong-key"}),
        ("POST", "imports", {"text": "aor-planted-" + "y" * 120}),
        ("POST", "imports", {"text": "{planted"}),
        ("POST", "logins", {"method": "builder-id"}),
        ("GET", "overview", None),
        ("GET", "audit", None),
        ("GET", "config", None),
        ("GET", "requests", None),
    ]
    answers = [(await estate.client.request(method, path, json=body)).text for method, path, body in steps]
    await wait_for(lambda: not any(job.state == "running" for job in estate.admin._imports._imports.values()))
    pages: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("GET", "/start?method=builder-id", None),
        ("GET", "/start?method=planted", None),
        ("GET", "/status?state=planted", None),
        ("POST", "/import", {"refreshToken": "aorAAAAAG-planted" + "z" * 120}),
        ("POST", "/refresh", None),
    ]
    keyed = {"x-api-key": ADMIN_KEY}
    answers += [
        (await estate.visitor.request(m, PAGES + path, json=body, headers=keyed)).text for m, path, body in pages
    ]
    return "\n".join(answers)


async def test_s1_s10_no_secret_in_any_answer_and_none_in_the_log_even_at_debug(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_estate(tmp_path, OWNER, simulator=Simulator(accounts=(OWNER, KEYED))) as estate:
        before = estate.file()
        answers = await use_everything(estate)
        secrets = {ADMIN_KEY, KEY, KEYED.api_key}
        for entry in (*before, *estate.file()):
            secrets |= {value for name, value in entry.items() if name.endswith(("Token", "Secret", "Key"))}
        devices = estate.simulator.oidc.devices.values()
        secrets |= {device.device_code for device in devices}
        secrets |= {registration.client_secret for registration in estate.simulator.oidc.registrations.values()}
        assert "planted-upstream" not in answers  # what the service says is for the log
        ours = [record for record in caplog.records if record.name.startswith("kiro_rs_py")]
        log = "\n".join(record.getMessage() for record in ours)
        assert "credential.add" in log
        words = ("planted-password", "planted-wrong-key", "-planted-", "{planted")
        for secret in (*secrets, *words):
            assert secret not in answers, "an answer"
            assert secret not in log, "the log"
        at_info = "\n".join(record.getMessage() for record in ours if record.levelno >= logging.INFO)
        assert "planted-mail" not in at_info


@pytest.mark.parametrize("admin_key", [ADMIN_KEY, ""])
async def test_s2_the_sign_in_pages_are_locked_in_both_modes(tmp_path: Path, admin_key: str) -> None:
    async with open_estate(tmp_path, admin_api_key=admin_key) as estate:
        for path in ("", "/start?method=builder-id", "/status?state=x"):
            assert (await estate.visitor.get(PAGES + path)).status_code == 401
        assert not estate.simulator.requests


async def test_s3_the_session_is_a_cookie_out_of_reach_and_pages_run_nothing_foreign(estate: Estate) -> None:
    async with estate.browser() as browser:
        answer = await browser.post("/api/admin/session", json={"key": ADMIN_KEY})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        page = await browser.get(PAGES)
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "script-src" not in page.headers["content-security-policy"]


async def test_s4_writes_are_json_posts_with_a_token_from_our_own_page(estate: Estate) -> None:
    async with estate.browser() as browser:
        token = await sign_in(browser)
        path = "/api/admin/credentials/1/disabled"
        form = await browser.post(path, data={"disabled": "true"}, headers=token)
        assert code_of(form)[0] == 415
        assert code_of(await browser.post(path, json={"disabled": True}))[2] == "csrf"
        foreign = {**token, "origin": "https://evil.example"}
        assert code_of(await browser.post(path, json={"disabled": True}, headers=foreign))[2] == "foreign_origin"
        rebound = {**token, "host": "evil.example"}
        assert code_of(await browser.post(path, json={"disabled": True}, headers=rebound))[2] == "foreign_host"
        assert (await estate.listed())[1]["disabled"] is False


async def test_s5_a_blank_admin_key_opens_nothing(tmp_path: Path) -> None:
    async with open_estate(tmp_path, admin_api_key=" ") as estate:
        answer = await estate.visitor.get("/api/admin/credentials", headers={"x-api-key": ""})
        assert answer.status_code == 404
        for headers in ({"x-api-key": ""}, {"authorization": "Bearer x"}):
            assert (await estate.visitor.get(PAGES, headers=headers)).status_code == 401


@pytest.mark.skipif(os.name == "nt", reason="no such modes")
async def test_s7_what_is_written_is_private(estate: Estate) -> None:
    estate.path.chmod(0o644)
    await estate.post("credentials/1/disabled", {"disabled": True})
    await estate.client.get("credentials/1/balance")
    written = [path for path in estate.path.parent.iterdir() if path.is_file() and path.stat().st_size]
    assert {path.name for path in written} >= {"credentials.json", "credentials.json.bak", "credentials.state.toml"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}


async def test_s8_the_clients_key_is_no_admin_key(estate: Estate) -> None:
    answer = await estate.visitor.get("/api/admin/credentials", headers={"x-api-key": KEY})
    assert code_of(answer) == (401, "authentication_error", "wrong_key")


async def test_s8_each_client_has_a_key_of_its_own_and_one_is_revoked_alone(
    tmp_path: Path, simulator: RunningSimulator
) -> None:
    """kiro-rs has one key for all: to shut one client out is to shut all out."""
    async with running_proxy(simulator, tmp_path, admin_api_key=ADMIN_KEY) as proxy:
        admin = {"x-api-key": ADMIN_KEY}
        made = [
            (await proxy.client.post("/api/admin/keys", json={"name": name}, headers=admin)).json()
            for name in ("laptop", "phone", "guest")
        ]

        async def statuses() -> list[int]:
            keys = [*(entry["secret"] for entry in made), KEY]
            asked = [
                await proxy.client.post("/v1/messages/count_tokens", json=request_of(), headers={"x-api-key": key})
                for key in keys
            ]
            return [answer.status_code for answer in asked]

        assert await statuses() == [200, 200, 200, 200]
        await proxy.client.delete(f"/api/admin/keys/{made[1]['key']['id']}", headers=admin)
        assert await statuses() == [200, 401, 200, 200]
    assert_nowhere(tmp_path, *(entry["secret"] for entry in made))


async def test_s16_no_key_of_a_client_or_administrator_is_in_any_file(
    tmp_path: Path, simulator: RunningSimulator
) -> None:
    """Configuration, credentials, state and keys lie in one folder, as a user has them."""
    config = tmp_path / "config.toml"
    replace_file(config, f'api_key = "{hashed(KEY)}"\nadmin_api_key = "{hashed(ADMIN_KEY)}"\n'.encode())
    settings = tomllib.loads(config.read_text())
    async with running_proxy(simulator, tmp_path, **settings) as proxy:
        admin = {"x-api-key": ADMIN_KEY}
        made = (await proxy.client.post("/api/admin/keys", json={"name": "laptop"}, headers=admin)).json()
        for key in (KEY, made["secret"]):
            answer = await proxy.client.post("/v1/messages", json=request_of(), headers={"x-api-key": key})
            assert answer.status_code == 200
        # What is stored is no key itself.
        for stored in (*settings.values(), hashed(KEY).removeprefix("sha256:")):
            for path in ("/v1/models", "/api/admin/keys"):
                assert (await proxy.client.get(path, headers={"x-api-key": stored})).status_code == 401
        assert (await proxy.client.post("/api/admin/session", json={"key": ADMIN_KEY})).status_code == 200
    names = assert_nowhere(tmp_path, KEY, ADMIN_KEY, made["secret"])
    assert names >= {"config.toml", "credentials.json", "credentials.keys.toml", "credentials.state.toml"}


def assert_nowhere(folder: Path, *secrets: str) -> set[str]:
    """None of them is in any file, and nobody else could read it if it were. The files' names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, path.name
    return {path.name for path in files}


async def test_s9_ten_wrong_keys_are_throttled_and_in_the_audit(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    codes = [
        code_of(await estate.visitor.post("/api/admin/session", json={"key": f"guess-{number}"}))[2]
        for number in range(10)
    ]
    assert codes == ["wrong_key"] * 5 + ["too_many_attempts"] * 5
    estate.clocks.advance(20)
    entries = (await estate.client.get("audit")).json()["audit"]
    assert [entry["outcome"] for entry in entries] == list(reversed(codes))
    assert "session.open by key from 127.0.0.1: wrong_key" in caplog.messages
    assert "guess" not in caplog.text


async def test_s10_upstream_words_stay_here(estate: Estate) -> None:
    for path, status in ((REFRESH, 400), (REFRESH, 500)):
        body: JsonObject = {"message": "their words", "url": "https://internal"}
        estate.simulator.fail_next(path, status, body, times=2)
        answer = await estate.post("credentials/1/refresh")
        assert answer.status_code == 502
        assert "their words" not in answer.text
        assert "http" not in answer.json()["error"]["message"]


async def test_s11_no_origin_may_read_the_administration(tmp_path: Path) -> None:
    async with open_estate(tmp_path, cors_origins=("*",)) as estate:
        headers = {"x-api-key": ADMIN_KEY, "origin": "https://app.example"}
        answer = await estate.visitor.get("/api/admin/credentials", headers=headers)
        assert code_of(answer)[2] == "foreign_origin"


@asynccontextmanager
async def apart(simulator: RunningSimulator, folder: Path, admin_listen: str, **settings: Any) -> AsyncIterator[Apart]:
    """The whole proxy, its administration at an address of its own."""
    path = folder / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps([simulator.simulator.credential_json()]))
    fields: dict[str, Any] = {"admin_api_key": ADMIN_KEY, "shutdown_grace_seconds": 5.0, **settings}
    config = Config(
        port=0, api_key=KEY, credentials_path=path, upstream_url=simulator.url, admin_listen=admin_listen, **fields
    )
    bound, stop = bind_all(config), trio.Event()
    assert bound.admin is not None
    place = bound.admin.address
    transport = httpx.AsyncHTTPTransport(uds=str(place.path) if place.path else None)
    url = "http://localhost" if place.path else place.url
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, config, bound=bound, stop=stop, handle_signals=False))
        async with (
            httpx.AsyncClient(base_url=bound.address.url, trust_env=False) as main,
            httpx.AsyncClient(base_url=url, transport=transport) as admin,
        ):
            yield Apart(main, admin, stop)
        stop.set()


@dataclass(frozen=True)
class Apart:
    """Clients of the two addresses, without any key; setting ``stop`` ends the proxy."""

    main: httpx.AsyncClient
    admin: httpx.AsyncClient
    stop: trio.Event


SAFE = {"x-content-type-options": "nosniff"}
SAFE_PAGE = {**SAFE, "x-frame-options": "DENY", "cross-origin-opener-policy": "same-origin"}


async def test_s12_every_answer_tells_the_browser_what_it_is_not(estate: Estate) -> None:
    keyed = {"x-api-key": ADMIN_KEY}
    pages = ("/admin", "/admin/accounts", "/admin/index.html", PAGES, f"{PAGES}/start?method=builder-id")
    others = ("/admin/no.js", "/api/admin/credentials", "/api/admin/no", f"{PAGES}/status?state=x", "/no")
    for headers in ({}, keyed, {**keyed, "host": "evil.example"}):
        for path in (*pages, *others):
            answer = await estate.visitor.get(path, headers=headers)
            is_page = answer.headers["content-type"].startswith("text/html")
            assert is_page or path in others or not answer.is_success
            wanted = SAFE_PAGE if is_page else SAFE
            assert {name: answer.headers.get(name) for name in wanted} == wanted, path
            assert not is_page or answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_s12_so_do_the_clients_answers(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with running_proxy(simulator, tmp_path) as proxy:
        answers = [
            await proxy.ask(),
            await proxy.ask(stream=True),
            await proxy.ask(model="no"),
            await proxy.client.get("/v1/models"),
            await proxy.client.get("/metrics"),
            await proxy.client.get("/no"),
            await proxy.client.get("/"),
            await proxy.client.request("GET", "/healthz", headers={"x-api-key": ""}),
        ]
        bad = await trio.open_tcp_stream("127.0.0.1", proxy.port)
        async with bad:
            await bad.send_all(b"GET /\r\n\r\n")
            assert b"x-content-type-options: nosniff" in await bad.receive_some()
    assert [answer.headers["x-content-type-options"] for answer in answers] == ["nosniff"] * len(answers)


def test_s12_the_way_to_tls_is_described() -> None:
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
    for setting in ("flush_interval -1", "proxy_buffering off", "proxy_read_timeout 10m", "client_max_body_size 50m"):
        assert setting in page


def sockets_in(folder: Path) -> list[Path]:
    return list(folder.glob("*.sock"))


@pytest.fixture(params=["127.0.0.1:0", "[::1]:0", "unix:admin.sock"])
def admin_listen(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param).replace("unix:", f"unix:{tmp_path}/")


async def test_s13_the_administration_can_have_an_address_of_its_own(
    admin_listen: str, tmp_path: Path, simulator: RunningSimulator
) -> None:
    keys = {"x-api-key": ADMIN_KEY}
    async with apart(simulator, tmp_path, admin_listen) as both:
        for path in ("/admin", "/admin/", "/api/admin/credentials", PAGES, f"{PAGES}/start"):
            answer = await both.main.get(path, headers=keys)
            assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error"), path
        page = await both.admin.get("/admin")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert len((await both.admin.get("/api/admin/credentials", headers=keys)).json()["credentials"]) == 1
        assert (await both.admin.get(PAGES, headers=keys)).status_code == 200
        both.admin.headers["origin"] = str(both.admin.base_url).rstrip("/")
        token = await sign_in(both.admin)
        path = "/api/admin/credentials/1/disabled"
        assert (await both.admin.post(path, json={"disabled": True}, headers=token)).status_code == 200
        foreign = {**token, "origin": str(both.main.base_url).rstrip("/")}
        assert code_of(await both.admin.post(path, json={"disabled": False}, headers=foreign))[2] == "foreign_origin"
        rebound = {"x-api-key": ADMIN_KEY, "host": "evil.example"}
        assert code_of(await both.admin.get("/api/admin/credentials", headers=rebound))[2] == "foreign_host"


async def test_s13_clients_find_nothing_there(admin_listen: str, tmp_path: Path, simulator: RunningSimulator) -> None:
    key = {"x-api-key": KEY}
    async with apart(simulator, tmp_path, admin_listen) as both:
        assert (await both.main.get("/v1/models", headers=key)).status_code == 200
        for path in ("/v1/models", "/v1/messages", "/cc/v1/messages/count_tokens", "/metrics"):
            answer = await both.admin.get(path, headers=key)
            assert (answer.status_code, "/admin" in answer.json()["error"]["message"]) == (404, True), path
        for client in (both.main, both.admin):
            assert (await client.get("/healthz")).status_code == 200
        await both.main.post("/v1/messages", json=request_of(), headers=key)
        served = (await both.admin.get("/api/admin/requests", headers={"x-api-key": ADMIN_KEY})).json()
        assert [entry["route"] for entry in served["requests"]] == ["/v1/messages"]


async def test_s13_both_addresses_end_together(
    admin_listen: str, tmp_path: Path, simulator: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kiro_rs_py")
    watching = {"x-api-key": ADMIN_KEY}
    async with apart(simulator, tmp_path, admin_listen) as both:
        async with both.admin.stream("GET", "/api/admin/events", headers=watching) as events:
            async for line in events.aiter_lines():
                if line.startswith("event:"):
                    both.stop.set()
        for client in (both.main, both.admin):
            with pytest.raises(httpx.TransportError):
                await client.get("/healthz")
    assert [message for message in caplog.messages if message.startswith("administration on ")]
    assert not sockets_in(tmp_path)


async def test_s13_without_an_admin_key_a_socket_file_is_this_machine(
    tmp_path: Path, simulator: RunningSimulator
) -> None:
    key = {"x-api-key": KEY}
    async with apart(simulator, tmp_path, f"unix:{tmp_path}/a.sock", admin_api_key="") as both:
        [path] = sockets_in(tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (await both.admin.get(PAGES, headers=key)).status_code == 200
        assert (await both.admin.get(PAGES, headers={**key, "x-forwarded-for": "192.0.2.1"})).status_code == 403
        assert (await both.main.get(PAGES, headers=key)).status_code == 404


async def test_s14_ids_come_from_the_system_s_randomness(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    import random

    ids = set()
    for _ in range(2):
        random.seed(1)
        ids.add((await estate.post("logins", {"method": "builder-id"})).json()["id"])
        ids.add((await estate.post("imports", {"text": "aor" + "x" * 120, "verify": False})).json().get("id"))
    assert len(ids) == 4


async def test_s15_the_server_finds_duplicates_by_itself(estate: Estate) -> None:
    token = estate.file()[0]["refreshToken"]
    answer = await estate.post("imports", {"text": json.dumps([{"refreshToken": token}])})
    job = answer.json()["id"]
    await wait_for(lambda: estate.admin._imports.get(job).state != "running")
    [result] = (await estate.client.get(f"imports/{job}")).json()["results"]
    assert result["outcome"] == "duplicate"
    assert not estate.simulator.grants.refreshes
