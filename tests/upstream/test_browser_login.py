"""The portal flow with a scripted browser that follows redirects, on real sockets."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import LoginFailed
from kiro_rs_py.simulator.server import RunningSimulator
from kiro_rs_py.upstream.browser_login import CALLBACK_PORTS, PORTAL, BrowserLogin, open_browser_login
from kiro_rs_py.upstream.credential import parse_credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.refresh import Caller


async def browse(url: str) -> httpx.Response:
    """What a browser does with an address: follow it to its end."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=30) as browser:
        return await browser.get(url)


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def a_login(http: Caller) -> BrowserLogin:
    """One without a listener, for callbacks given by hand."""
    return BrowserLogin(http, Endpoints(Config()), "http://127.0.0.1:3128", PORTAL, "google")


def callback(login: BrowserLogin, path: str = "/oauth/callback", **query: str) -> str:
    return f"http://127.0.0.1:3128{path}?{urlencode({'state': query_of(login.url)['state'], **query})}"


async def test_signed_in_with_google(simulator: RunningSimulator, http: HttpClients) -> None:
    endpoints = Endpoints(Config(upstream_url=simulator.url))
    async with open_browser_login(http, endpoints, provider="google", upstream_url=simulator.url) as login:
        page = await browse(login.url)
        assert page.status_code == 200
        assert "Close this window" in page.text
        assert page.headers["cache-control"] == "no-store"
        # browsers like to load an address twice
        assert (await browse(str(page.url))).status_code == 200
        entry = await login.wait()
    credential = parse_credential(entry)
    account = simulator.simulator.accounts["demo"]
    assert (credential.auth_method, credential.provider) == ("social", "Google")
    assert credential.profile_arn == account.profile_arn
    assert credential.problem() is None
    assert not credential.needs_refresh(datetime.now(UTC))
    sent = simulator.simulator.requests_to("/oauth/token")[0].json_object
    base = query_of(login.url)["redirect_uri"]
    assert sent["redirect_uri"] == f"{base}/oauth/callback?login_option=google"
    assert urlsplit(base).port in CALLBACK_PORTS


async def test_refused_in_the_browser(simulator: RunningSimulator, http: HttpClients) -> None:
    simulator.simulator.browser.denies = True
    endpoints = Endpoints(Config(upstream_url=simulator.url))

    async def sign_in() -> None:
        async with open_browser_login(http, endpoints, provider="github", upstream_url=simulator.url) as login:
            assert (await browse(login.url)).status_code == 400
            await login.wait()

    with pytest.raises(LoginFailed) as caught:
        await sign_in()
    assert caught.value.code == "access_denied"


async def test_a_code_that_the_service_does_not_accept(simulator: RunningSimulator, http: HttpClients) -> None:
    login = BrowserLogin(
        http, Endpoints(Config(upstream_url=simulator.url)), "http://127.0.0.1:3128", simulator.url, "google"
    )
    assert login.receive_callback(callback(login, code="stolen")) is None
    with pytest.raises(LoginFailed) as caught:
        await login.wait()
    assert caught.value.code == "invalid_grant"


async def test_the_address_may_be_pasted_from_another_machine(simulator: RunningSimulator, http: HttpClients) -> None:
    endpoints = Endpoints(Config(upstream_url=simulator.url))
    async with open_browser_login(http, endpoints, provider="github", upstream_url=simulator.url) as login:
        async with httpx.AsyncClient(trust_env=False) as elsewhere:
            redirect = await elsewhere.get(login.url)
        assert login.receive_callback(f"  {redirect.headers['location']}\n") is None
        assert (await login.wait())["authMethod"] == "social"


async def test_a_foreign_state_changes_nothing(simulator: RunningSimulator, http: HttpClients) -> None:
    endpoints = Endpoints(Config(upstream_url=simulator.url))
    async with open_browser_login(http, endpoints, provider="google", upstream_url=simulator.url) as login:
        base = query_of(login.url)["redirect_uri"]
        for query in ("code=evil&state=other", "code=evil", "code=evil&state=%C3%BC", "error=x&state=other"):
            page = await browse(f"{base}/oauth/callback?{query}")
            assert page.status_code == 400
            assert "does not belong to this login" in page.text
        assert (await browse(f"{base}/favicon.ico")).status_code == 404
        await browse(login.url)
        assert (await login.wait())["refreshToken"]


async def test_noise_on_the_port_does_not_end_the_login(simulator: RunningSimulator, http: HttpClients) -> None:
    endpoints = Endpoints(Config(upstream_url=simulator.url))
    async with open_browser_login(http, endpoints, provider="google", upstream_url=simulator.url) as login:
        port = urlsplit(query_of(login.url)["redirect_uri"]).port
        assert port
        for noise in (
            b"",
            b"\x16\x03\x01\x02\x00\r\n\r\n",
            b"GET /" + b"x" * 20_000,
            b"POST /oauth/callback HTTP/1.1\r\n\r\n",
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                await stream.send_all(noise)
                await stream.send_eof()
                answer = await stream.receive_some()
            assert b"200 OK" not in answer
        await browse(login.url)
        assert (await login.wait())["refreshToken"]


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ({"error": "access_denied", "error_description": "x"}, "access_denied", "refused"),
        ({"error": "<script>"}, "unknown_error", "unknown_error"),
        ({"login_option": "builderid", "issuer_url": "https://view.awsapps.com/start"}, "other_provider", "builder-id"),
        ({"login_option": "awsidc", "idc_region": "eu-west-1"}, "other_provider", "--provider idc"),
        ({"login_option": "external_idp"}, "other_provider", "API key"),
        ({}, "no_code", "without a code"),
    ],
)
async def test_other_ways_to_come_back(query: JsonObject, code: str, says: str, http: HttpClients) -> None:
    login = a_login(http)
    answer = login.receive_callback(callback(login, **{name: str(value) for name, value in query.items()}))
    assert answer is not None
    assert (answer.code, says in str(answer)) == (code, True)
    with pytest.raises(LoginFailed):
        await login.wait()


async def test_the_first_answer_counts(http: HttpClients) -> None:
    login = a_login(http)
    refused = login.receive_callback(callback(login, error="access_denied"))
    assert login.receive_callback(callback(login, code="late")) is refused
    for pasted in ("", "https://[", "http://127.0.0.1:3128/elsewhere?state=x"):
        failure = login.receive_callback(pasted)
        assert failure is not None
        assert failure.code == "foreign_state"


async def test_nobody_comes_back(autojump_clock: MockClock) -> None:
    http = HttpClients(Config())
    with pytest.raises(LoginFailed, match="within ten minutes"):
        await a_login(http).wait()
    assert trio.current_time() >= 600


async def test_no_port_is_free(http: HttpClients) -> None:
    with ExitStack() as taken:
        for port in CALLBACK_PORTS:
            try:
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue  # taken by somebody else, which is as good
        with pytest.raises(LoginFailed) as caught:
            async with open_browser_login(http, Endpoints(Config()), provider="google"):
                pass
    assert caught.value.code == "no_port"


async def test_the_address_holds_a_challenge_and_not_the_verifier(http: HttpClients) -> None:
    one, other = a_login(http), a_login(http)
    query = query_of(one.url)
    assert one.url.startswith("https://app.kiro.dev/signin?")
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert "=" not in query["code_challenge"]
    assert query["state"] != query_of(other.url)["state"]
