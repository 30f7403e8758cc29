from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.asgi import Request
from kiro_rs_py.simulator.browser import CODE_LIFETIME, pkce_challenge
from kiro_rs_py.simulator.grants import REMEMBERED
from tests.simulator.talk import Reply, Talk, talking

VERIFIER = "a" * 43
PORTAL = "http://localhost:3128"
CALLBACK = f"{PORTAL}/oauth/callback?login_option=google"
PKCE = {"state": "s1", "code_challenge": pkce_challenge(VERIFIER), "code_challenge_method": "S256"}


async def open_page(talk: Talk, path: str, **query: str) -> Reply:
    return await talk.call("GET", f"{path}?{urlencode({**PKCE, **query})}")


def sent_back(reply: Reply) -> tuple[str, dict[str, str]]:
    """Where to, and with which parameters."""
    assert reply.status == 302
    parts = urlsplit(reply.headers["location"])
    values = {key: entries[0] for key, entries in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path}", values


async def exchange(talk: Talk, code: str, redirect_uri: str = CALLBACK, verifier: str = VERIFIER) -> Reply:
    body: Any = {"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri}
    return await talk.call("POST", "/oauth/token", body)


def test_the_challenge_is_that_of_rfc_7636() -> None:
    assert (
        pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


async def test_a_social_login() -> None:
    accounts = [Account(name="g"), Account(name="h", provider="Github", profile_arn="arn:h")]
    async with talking(Simulator(accounts=accounts)) as talk:
        place, values = sent_back(await open_page(talk, "/signin", login_option="github", redirect_uri=PORTAL))
        assert (place, values["state"]) == (f"{PORTAL}/oauth/callback", "s1")
        there = f"{place}?login_option=github"
        tokens = (await exchange(talk, values["code"], there)).json
        assert (tokens["profileArn"], tokens["expiresIn"]) == ("arn:h", 3600)
        refreshed = await talk.call("POST", "/refreshToken", {"refreshToken": tokens["refreshToken"]})
        assert refreshed.json["profileArn"] == "arn:h"
        assert (await exchange(talk, values["code"], there)).json["error"] == "invalid_grant"


async def test_the_portal() -> None:
    async with talking() as talk:
        reply = await open_page(talk, "/signin", redirect_uri=PORTAL, redirect_from="KiroIDE", login_option="google")
        place, values = sent_back(reply)
        assert place == f"{PORTAL}/oauth/callback"
        assert values["login_option"] == "google"
        assert (await exchange(talk, values["code"], place)).status == 400
        _, values = sent_back(await open_page(talk, "/signin", redirect_uri=PORTAL))
        assert (await exchange(talk, values["code"], f"{place}?login_option=google")).status == 200


@pytest.mark.parametrize("verifier, redirect_uri", [("b" * 43, CALLBACK), (VERIFIER, CALLBACK + "2")])
async def test_codes_are_bound(verifier: str, redirect_uri: str) -> None:
    async with talking() as talk:
        _, values = sent_back(await open_page(talk, "/signin", redirect_uri=PORTAL))
        assert (await exchange(talk, values["code"], redirect_uri, verifier)).json["error"] == "invalid_grant"


async def test_codes_expire() -> None:
    async with talking() as talk:
        _, values = sent_back(await open_page(talk, "/signin", redirect_uri=PORTAL))
        talk.simulator.clock.advance(CODE_LIFETIME)
        assert (await exchange(talk, values["code"])).status == 400


@pytest.mark.parametrize(
    "query",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1:5000"},
        {"redirect_uri": PORTAL, "state": ""},
        {"redirect_uri": PORTAL, "code_challenge_method": "plain"},
        {"redirect_uri": PORTAL, "code_challenge": ""},
    ],
    ids=str,
)
async def test_wrong_sign_in_addresses(query: dict[str, str]) -> None:
    async with talking() as talk:
        assert (await open_page(talk, "/signin", **query)).status == 400


async def test_an_account_without_a_social_login() -> None:
    account = Account(name="builder", method="idc", provider="BuilderId")
    async with talking(Simulator(accounts=[account])) as talk:
        _, values = sent_back(await open_page(talk, "/signin", redirect_uri=PORTAL))
        there = CALLBACK.replace("google", "builderid")
        tokens = (await exchange(talk, values["code"], there)).json
        assert "profileArn" not in tokens


async def test_the_person_may_refuse() -> None:
    async with talking() as talk:
        talk.simulator.browser.denies = True
        _, values = sent_back(await open_page(talk, "/signin", redirect_uri=PORTAL))
        assert (values["error"], values["state"]) == ("access_denied", "s1")


async def test_old_codes_are_forgotten() -> None:
    async with talking() as talk:
        _, values = sent_back(await open_page(talk, "/signin", redirect_uri=PORTAL))
        query = {**PKCE, "redirect_uri": PORTAL}
        for _ in range(REMEMBERED):
            talk.simulator.browser.signin(Request("GET", "/signin", query, (), b""))
        assert (await exchange(talk, values["code"])).status == 400
