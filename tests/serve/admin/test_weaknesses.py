"""kiro-rs's security weaknesses S1 to S16 (operations §10.1), as far as the administration has to do with them.

S5 (empty key), S11 (CORS) and the banner's S6 are in tests/serve/test_app.py, tests/config/test_serving.py and
tests/cli/test_serve.py; S12 is about images; S13 and S16 are documented trade-offs (docs/admin.md).
"""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import REFRESH, USAGE, Simulator
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
