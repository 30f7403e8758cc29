"""The dispatcher: every wrong way to ask has the envelope and a code, and every write is in the audit."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.serve.admin.api import Answer, Api, Asked, Endpoint
from kiro_rs_py.serve.admin.audit import Audit
from kiro_rs_py.serve.admin.door import Door
from kiro_rs_py.serve.admin.guard import Guard
from kiro_rs_py.serve.admin.session import Sessions
from kiro_rs_py.serve.admin.throttle import Throttle
from kiro_rs_py.serve.app import App
from kiro_rs_py.serve.client_keys import utc_now
from tests.serve.admin.estate import ADMIN_KEY, Estate, code_of, open_estate
from tests.serve.in_memory import Client, ask


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "nowhere", (404, "not_found", "unknown_route")),
        ("GET", "", (404, "not_found", "unknown_route")),
        ("GET", "credentials/1/nowhere", (404, "not_found", "unknown_route")),
        ("GET", "credentials/1/balance/more", (404, "not_found", "unknown_route")),
        ("PUT", "credentials", (405, "invalid_request", "method_not_allowed")),
        ("DELETE", "credentials", (405, "invalid_request", "method_not_allowed")),
        ("GET", "credentials/1/reset", (405, "invalid_request", "method_not_allowed")),
        ("POST", "overview", (405, "invalid_request", "method_not_allowed")),
        ("HEAD", "events", (405, "invalid_request", "method_not_allowed")),
        ("OPTIONS", "credentials", (405, "invalid_request", "method_not_allowed")),
    ],
)
async def test_wrong_routes_and_methods(estate: Estate, method: str, path: str, expected: tuple[int, str, str]) -> None:
    answer = await estate.client.request(method, path)
    if method == "HEAD":
        assert answer.status_code == expected[0]
    else:
        assert code_of(answer) == expected
    if expected[0] == 405:
        assert answer.headers["allow"]


async def test_head_is_get_without_the_body(estate: Estate) -> None:
    answer = await estate.client.head("credentials")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_no_page_of_another_site_is_ever_allowed(tmp_path: Path) -> None:
    """Not even one that may call the API (operations §10.1, S11 is about /v1 only)."""
    page = "https://app.example"
    async with open_estate(tmp_path, cors_origins=(page,)) as estate:
        headers = {"origin": page, "access-control-request-method": "POST"}
        answer = await estate.visitor.options("/api/admin/credentials", headers=headers)
        assert code_of(answer) == (403, "authentication_error", "foreign_origin")
        assert "access-control-allow-methods" not in answer.headers


@pytest.mark.parametrize(
    ("content", "type_", "expected"),
    [
        (b"", "application/json", (400, "invalid_request", "invalid_json")),
        (b"{", "application/json", (400, "invalid_request", "invalid_json")),
        (b"[]", "application/json", (400, "invalid_request", "invalid_json")),
        (b'"x"', "application/json", (400, "invalid_request", "invalid_json")),
        (b"\xff\xfe\xfa", "application/json", (400, "invalid_request", "invalid_json")),
        (b"[" * 100_000, "application/json", (400, "invalid_request", "invalid_json")),
        (b'{"disabled": true}', "text/plain", (415, "invalid_request", "unsupported_media_type")),
        (b'{"disabled": true}', "", (415, "invalid_request", "unsupported_media_type")),
        (b"disabled=true", "application/x-www-form-urlencoded", (415, "invalid_request", "unsupported_media_type")),
        (b"{}", "application/json", (400, "invalid_request", "invalid_field")),
        (b'{"disabled": null}', "application/json", (400, "invalid_request", "invalid_field")),
        (b'{"disabled": "true"}', "application/json", (400, "invalid_request", "invalid_field")),
        (b'{"disabled": 1}', "application/json", (400, "invalid_request", "invalid_field")),
        (b" " * 300_000, "application/json", (413, "invalid_request", "too_large")),
    ],
)
async def test_bad_bodies(estate: Estate, content: bytes, type_: str, expected: tuple[int, str, str]) -> None:
    answer = await estate.client.post("credentials/1/disabled", content=content, headers={"content-type": type_})
    assert code_of(answer) == expected
    assert (await estate.listed())[1]["disabled"] is False


async def test_the_type_may_have_parameters(estate: Estate) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    answer = await estate.client.post("credentials/1/disabled", content=b'{"disabled": true}', headers=headers)
    assert answer.status_code == 200


async def test_what_is_done_is_in_the_audit(estate: Estate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kiro_rs_py.serve.admin.audit")
    await estate.post("credentials/1/disabled", {"disabled": True})
    await estate.client.delete("credentials/7")
    await estate.visitor.get("/api/admin/credentials", headers={"x-api-key": "guess"})
    await estate.client.get("credentials")
    entries = (await estate.client.get("audit")).json()["audit"]
    told = [(entry["action"], entry["who"], entry["credentialId"], entry["outcome"]) for entry in entries]
    assert told == [
        ("access", "key", None, "wrong_key"),
        ("credential.delete", "key", 7, "credential_not_found"),
        ("credential.disabled", "key", 1, "done"),
    ]
    assert all(entry["peer"] == "127.0.0.1" and entry["time"] for entry in entries)
    assert "credential.disabled of credential #1 by key from 127.0.0.1: done" in caplog.messages


async def test_the_request_log_names_the_endpoint_not_what_was_written(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kiro_rs_py.serve.request_log")
    await estate.client.get("logins/planted-in-the-path")
    await estate.client.get("planted-route")
    assert "GET /api/admin/logins/{name} 404" in caplog.text
    assert "planted" not in caplog.text


# --- without a socket ---------------------------------------------------------------------------------------------


def app_with(*endpoints: Endpoint) -> App:
    door = Door(ADMIN_KEY, Guard("127.0.0.1"), Sessions(utc_now), Throttle(trio.current_time), loopback_only=False)
    return App(Api(endpoints, door, Audit(utc_now)).routes(), Config(api_key="x"))


HEADERS = [("host", "localhost"), ("x-api-key", ADMIN_KEY)]


async def test_a_bug_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def bug(asked: Asked) -> Answer:
        async with trio.open_nursery():
            raise KeyError("inner words")

    answer = await ask(app_with(Endpoint("GET", "bug", bug)), "GET", "/api/admin/bug", headers=HEADERS, key=None)
    assert (answer.status, answer.json["error"]["code"]) == (500, "internal_error")
    assert "inner words" not in answer.body.decode()
    assert [record for record in caplog.records if record.levelno == logging.ERROR and record.exc_info]


async def test_a_failure_after_the_start_cuts_the_answer() -> None:
    async def late(asked: Asked) -> None:
        await asked.call.reply.write(b"data: x\n\n")
        raise KeyError("late")

    answer = await ask(app_with(Endpoint("GET", "late", late)), "GET", "/api/admin/late", headers=HEADERS, key=None)
    assert answer.status == 200
    assert not answer.complete


async def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    async def read(asked: Asked) -> Answer:
        await asked.call.inbound.read(100)
        raise AssertionError("not reached")

    client: Any = Client(app_with(Endpoint("POST", "read", read)))
    client.say(b"half", more=True)
    client.leave()
    answer = await client.call("POST", "/api/admin/read", headers=[*HEADERS, ("content-length", "100")], key=None)
    assert answer.status == 0
