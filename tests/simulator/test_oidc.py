from __future__ import annotations

from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.accounts import BUILDER_ID_START_URL, Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.grants import REMEMBERED
from kiro_rs_py.simulator.oidc import DEVICE_CODE, REGISTRATION_LIFETIME
from tests.simulator.talk import Reply, Talk, talking


class Login:
    """One device login against a running simulator."""

    def __init__(self, talk: Talk, client: dict[str, Any]) -> None:
        self.talk = talk
        self.keys: JsonObject = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
        self.device: dict[str, Any] = {}

    async def start(self, start_url: Json = BUILDER_ID_START_URL) -> Reply:
        reply = await self.talk.call("POST", "/device_authorization", {**self.keys, "startUrl": start_url})
        if reply.status == 200:
            self.device = reply.json
        return reply

    async def poll(self) -> Reply:
        body = {**self.keys, "deviceCode": self.device["deviceCode"], "grantType": DEVICE_CODE}
        return await self.talk.call("POST", "/token", body)

    async def error(self) -> str:
        reply = await self.poll()
        assert reply.status == 400
        return str(reply.json["error"])


async def register(talk: Talk) -> Login:
    body: JsonObject = {"clientName": "Kiro IDE", "clientType": "public", "grantTypes": [DEVICE_CODE, "refresh_token"]}
    reply = await talk.call("POST", "/client/register", body)
    assert reply.status == 200
    return Login(talk, reply.json)


async def test_registering() -> None:
    async with talking() as talk:
        login = await register(talk)
        registration = talk.simulator.oidc.registrations[str(login.keys["clientId"])]
        assert registration.expires_at - registration.issued_at == REGISTRATION_LIFETIME
        refused = await talk.call("POST", "/client/register", {"clientName": "x"})
        assert (refused.status, refused.json["error"]) == (400, "invalid_client_metadata")


async def test_a_whole_login() -> None:
    async with talking() as talk:
        talk.simulator.oidc.interval = 0.0
        login = await register(talk)
        started = (await login.start()).json
        assert started["verificationUriComplete"] == f"{talk.url}/device?user_code={started['userCode']}"
        assert (started["expiresIn"], started["interval"]) == (600, 0)
        assert await login.error() == "authorization_pending"
        talk.simulator.oidc.approve(started["userCode"])
        tokens = (await login.poll()).json
        assert (tokens["tokenType"], tokens["expiresIn"]) == ("Bearer", 3600)
        talk.token = tokens["accessToken"]
        usage = await talk.call("GET", "/getUsageLimits?isEmailRequired=true")
        assert usage.json["userInfo"]["email"] == "builder@example.com"
        assert await login.error() == "invalid_grant"
        body = {**login.keys, "refreshToken": tokens["refreshToken"], "grantType": "refresh_token"}
        refreshed = await talk.call("POST", "/token", body)
        assert refreshed.json["refreshToken"] != tokens["refreshToken"]
        assert (await talk.call("POST", "/token", body)).json["error"] == "invalid_grant"
        assert talk.simulator.reuses == 1


async def test_a_denied_login() -> None:
    async with talking() as talk:
        login = await register(talk)
        talk.simulator.oidc.deny((await login.start()).json["userCode"])
        assert await login.error() == "access_denied"


async def test_a_late_login() -> None:
    async with talking() as talk:
        login = await register(talk)
        await login.start()
        talk.simulator.clock.advance(600)
        assert await login.error() == "expired_token"
        with pytest.raises(KeyError):
            talk.simulator.oidc.approve(login.device["userCode"])


async def test_polling_too_fast_widens_the_interval() -> None:
    async with talking() as talk:
        login = await register(talk)
        await login.start()
        clock = talk.simulator.clock
        assert await login.error() == "authorization_pending"
        clock.advance(1)
        assert await login.error() == "slow_down"
        clock.advance(6)
        assert await login.error() == "slow_down"
        clock.advance(16)
        assert await login.error() == "authorization_pending"


async def test_approval_without_a_person() -> None:
    async with talking() as talk:
        talk.simulator.oidc.approve_as = "demo"
        login = await register(talk)
        await login.start()
        talk.token = (await login.poll()).json["accessToken"]
        assert (await talk.call("GET", "/getUsageLimits")).json["userInfo"]["userId"] == "d-simulated.demo"


async def test_the_page_of_the_person() -> None:
    async with talking() as talk:
        login = await register(talk)
        await login.start()
        code = login.device["userCode"]
        assert b"Enter the code" in (await talk.call("GET", "/device")).content
        wrong = await talk.call("GET", "/device?user_code=<b>")
        assert (wrong.status, b"<b>" in wrong.content) == (404, False)
        page = await talk.call("GET", f"/device?user_code={code.lower()}&action=approve")
        assert code.encode() in page.content
        assert b"<option value='builder'>" in page.content
        assert await login.error() == "authorization_pending"
        form = {"user_code": code, "action": "approve", "account": "builder"}
        approved = await talk.call("POST", "/device", data=form)
        assert b"Approved" in approved.content
        talk.simulator.clock.advance(5)
        assert (await login.poll()).status == 200


async def test_the_page_can_refuse() -> None:
    async with talking() as talk:
        login = await register(talk)
        await login.start()
        denied = await talk.call("POST", "/device", data={"user_code": login.device["userCode"], "action": "deny"})
        assert b"Denied" in denied.content
        assert await login.error() == "access_denied"


async def test_an_organisations_start_url() -> None:
    account = Account(name="x", method="idc", start_url="https://d-1234567890.awsapps.com/start")
    async with talking(Simulator(accounts=[account])) as talk:
        login = await register(talk)
        assert (await login.start("https://elsewhere.example/start")).json["error"] == "invalid_request"
        assert (await login.start(account.start_url)).status == 200
        talk.simulator.oidc.approve(login.device["userCode"])
        assert (await login.poll()).status == 200


async def test_clients_are_checked() -> None:
    async with talking() as talk:
        login, other = await register(talk), await register(talk)
        await login.start()
        other.device = login.device
        assert await other.error() == "invalid_grant"
        login.keys["clientSecret"] = "guess"
        refused = await login.poll()
        assert (refused.status, refused.json["error"]) == (401, "invalid_client")
        talk.simulator.clock.advance(REGISTRATION_LIFETIME)
        assert (await other.start()).json["error_description"] == "the client registration has expired"


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"grantType": "password"}, "unsupported_grant_type"),
        ({"grantType": "refresh_token"}, "invalid_request"),
        ({"grantType": "refresh_token", "refreshToken": "x"}, "invalid_grant"),
        ({"grantType": DEVICE_CODE, "deviceCode": "x"}, "invalid_grant"),
    ],
)
async def test_wrong_token_requests(fields: JsonObject, error: str) -> None:
    async with talking() as talk:
        login = await register(talk)
        assert (await talk.call("POST", "/token", {**login.keys, **fields})).json["error"] == error


async def test_a_form_is_no_token_request() -> None:
    async with talking() as talk:
        login = await register(talk)
        form = {**login.keys, "grantType": "refresh_token", "refreshToken": "x"}
        assert (await talk.call("POST", "/token", data=form)).json["error"] == "invalid_client"


async def test_short_lifetimes_are_fractions() -> None:
    account = Account(name="x", method="idc", access_lifetime=0.5)
    async with talking(Simulator(accounts=[account])) as talk:
        talk.simulator.oidc.interval = 0.5
        entry = talk.simulator.credential_json()
        body = {key: entry[key] for key in ("clientId", "clientSecret", "refreshToken")}
        assert (await talk.call("POST", "/token", {**body, "grantType": "refresh_token"})).json["expiresIn"] == 0.5
        login = await register(talk)
        assert (await login.start()).json["interval"] == 0.5


async def test_old_registrations_are_forgotten() -> None:
    async with talking() as talk:
        first = await register(talk)
        for _ in range(REMEMBERED):
            talk.simulator.oidc.new_registration()
        assert (await first.start()).json["error"] == "invalid_client"
