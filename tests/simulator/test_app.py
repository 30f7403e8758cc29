from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import CHAT, REFRESH, Simulator
from kiro_rs_py.simulator.models import SimulatedModel
from tests.simulator.talk import chat_body, talking


async def test_health_is_not_recorded() -> None:
    async with talking() as talk:
        assert (await talk.call("GET", "/healthz")).json == {"status": "ok"}
        assert not talk.simulator.requests


@pytest.mark.parametrize(
    "method, path, status",
    [("GET", "/nothing", 404), ("GET", CHAT, 405), ("POST", "/", 400), ("POST", f"{CHAT}/", 200)],
)
async def test_routes(method: str, path: str, status: int) -> None:
    async with talking() as talk:
        reply = await talk.call(method, path, chat_body() if method == "POST" else None)
        assert reply.status == status
        assert "x-amzn-requestid" in reply.headers
        if status != 200:
            assert reply.headers["x-amzn-errortype"].startswith("UnknownOperationException")


async def test_an_unknown_target() -> None:
    async with talking() as talk:
        reply = await talk.call("POST", "/", {}, headers={"x-amz-target": "KiroRuntimeService.CreateResponse"})
        assert (reply.status, "UnknownOperation" in reply.json["message"]) == (400, True)


async def test_requests_are_remembered_up_to_a_limit() -> None:
    async with talking(Simulator(keep_requests=2)) as talk:
        for number in range(3):
            await talk.say(f"<<SAY {number}>>")
        kept: list[Any] = [request.json for request in talk.simulator.requests_to(CHAT)]
        contents = [body["conversationState"]["currentMessage"]["userInputMessage"]["content"] for body in kept]
        assert contents == ["<<SAY 1>>", "<<SAY 2>>"]
        assert talk.simulator.counts[CHAT] == 3
        assert talk.simulator.requests_to("/mcp") == []


# --- refresh ----------------------------------------------------------------------------------------------------


async def test_social_refresh_rotates_and_notices_reuse() -> None:
    async with talking() as talk:
        old = talk.simulator.credential_json()["refreshToken"]
        first = await talk.call("POST", REFRESH, {"refreshToken": old})
        assert set(first.json) == {"accessToken", "refreshToken", "expiresIn", "profileArn"}
        assert first.json["expiresIn"] == 3600
        reused = await talk.call("POST", REFRESH, {"refreshToken": old})
        assert (reused.status, reused.json["error"]) == (400, "invalid_grant")
        assert reused.json["error_description"] == "Invalid refresh token provided"
        revoked = await talk.call("POST", REFRESH, {"refreshToken": first.json["refreshToken"]})
        assert revoked.status == 400
        talk.token = first.json["accessToken"]
        assert (await talk.say("x")).status == 403
        assert talk.simulator.reuses == 1
        assert [refresh.outcome for refresh in talk.simulator.grants.refreshes] == ["rotated", "reuse", "revoked"]


async def test_short_lifetimes_are_told_exactly() -> None:
    async with talking(Simulator(accounts=[Account(name="x", access_lifetime=0.25)])) as talk:
        token = talk.simulator.credential_json()["refreshToken"]
        assert (await talk.call("POST", REFRESH, {"refreshToken": token})).json["expiresIn"] == 0.25


async def test_refresh_without_a_token() -> None:
    async with talking() as talk:
        assert (await talk.call("POST", REFRESH, {})).json["error"] == "invalid_request"


# --- credentials ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, method", [("demo", "social"), ("builder", "idc"), ("key", "api_key")])
async def test_credentials_work(name: str, method: str) -> None:
    async with talking() as talk:
        entry = talk.simulator.credential_json(name, priority=3)
        assert (entry["authMethod"], entry["priority"]) == (method, 3)
        talk.token = str(entry.get("accessToken") or entry.get("kiroApiKey"))
        headers = {"tokentype": "API_KEY"} if method == "api_key" else {}
        assert (await talk.chat(chat_body("<<SAY yes>>"), headers=headers)).text == "yes"


async def test_expired_credentials_need_a_refresh() -> None:
    async with talking() as talk:
        entry = talk.simulator.credential_json("builder", expired=True)
        expires = datetime.fromisoformat(str(entry["expiresAt"]))
        assert expires.timestamp() < talk.simulator.clock.now()
        talk.token = str(entry["accessToken"])
        assert (await talk.say("x")).status == 403
        body: JsonObject = {
            "clientId": entry["clientId"],
            "clientSecret": entry["clientSecret"],
            "refreshToken": entry["refreshToken"],
            "grantType": "refresh_token",
        }
        talk.token = (await talk.call("POST", "/token", body)).json["accessToken"]
        assert (await talk.say("x")).status == 200


# --- orders -----------------------------------------------------------------------------------------------------


async def test_ordered_failures() -> None:
    async with talking() as talk:
        talk.simulator.fail_next(CHAT, 503, {"message": "later"}, {"Retry-After": "2"}, times=2)
        for _ in range(2):
            reply = await talk.say("x")
            assert (reply.status, reply.json, reply.headers["retry-after"]) == (503, {"message": "later"}, "2")
        assert (await talk.say("x")).status == 200
        assert len(talk.simulator.requests_to(CHAT)) == 3


async def test_ordered_drops() -> None:
    async with talking() as talk:
        talk.simulator.fail_next(REFRESH, drop=True)
        with pytest.raises(httpx.TransportError):
            await talk.call("POST", REFRESH, {})
        assert (await talk.call("POST", REFRESH, {})).status == 400


async def test_holds() -> None:
    async with talking() as talk:
        hold = talk.simulator.hold_next(CHAT)
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append((await talk.say("x")).status)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await hold.arrived.wait()
            assert (await talk.say("y")).status == 200
            assert statuses == []
            hold.release.set()
        assert statuses == [200]


async def test_other_models() -> None:
    tiny = SimulatedModel("tiny", "Tiny", window=100)
    async with talking(Simulator(models=[tiny])) as talk:
        assert (await talk.say("<<SAY yes>>", model="tiny")).text == "yes"
        assert (await talk.say("x" * 500, model="tiny")).json["reason"] == "CONTENT_LENGTH_EXCEEDS_THRESHOLD"
        assert (await talk.say("x")).json["reason"] == "INVALID_MODEL_ID"


async def test_only_http_is_spoken() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("nothing is received or sent")

    scope: Any = {"type": "lifespan"}
    await Simulator()(scope, never, never)


async def test_failures_are_a_queue() -> None:
    async with talking() as talk:
        talk.simulator.fail_next(REFRESH, 500, times=2)
        talk.simulator.fail_next(REFRESH, 503, delay=0.01)
        assert [(await talk.call("POST", REFRESH, {})).status for _ in range(4)] == [500, 500, 503, 400]
