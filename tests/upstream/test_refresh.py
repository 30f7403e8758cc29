"""Token refresh calls: what is sent, what every answer means, and both flows against the simulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError, RefreshFailed, RefreshRejected, UpstreamTimeout, UpstreamUnavailable
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.credential import Credential, TokenGrant, parse_credential
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.refresh import Refresher, idc_request, read_grant, refusal, social_request
from tests.upstream.pool_parts import START, make_credential

CONFIG = Config(kiro_version="0.9.2", system_version="linux#6", node_version="22.21.1")


# --- what is sent -----------------------------------------------------------------------------------------------


def test_a_social_refresh_byte_for_byte() -> None:
    request = social_request(
        CONFIG, make_credential(1, refresh_token="test_refresh_token"), "https://host/refreshToken"
    )
    machine_id = "d8f9e744094de07e7773b722f04e18417ab6ea08442df337812cd632e1c92e40"
    assert request.headers.raw == [
        (b"accept", b"application/json, text/plain, */*"),
        (b"content-type", b"application/json"),
        (b"user-agent", f"KiroIDE-0.9.2-{machine_id}".encode()),
        (b"accept-encoding", b"gzip, deflate"),
        (b"host", b"host"),
        (b"connection", b"close"),
        (b"content-length", b"37"),
    ]
    assert request.read() == b'{"refreshToken":"test_refresh_token"}'
    assert (request.method, str(request.url)) == ("POST", "https://host/refreshToken")


def test_an_idc_refresh_byte_for_byte() -> None:
    credential = Credential(auth_method="idc", refresh_token="r", client_id="c", client_secret="s\ud800")
    request = idc_request(CONFIG, credential, "https://oidc/token")
    headers = {name.decode(): value.decode() for name, value in request.headers.raw}
    assert len(headers.pop("amz-sdk-invocation-id")) == 36
    agent = "aws-sdk-js/3.980.0 ua/2.1 os/linux#6 lang/js md/nodejs#22.21.1 api/sso-oidc#3.980.0 m/E KiroIDE"
    assert headers == {
        "content-type": "application/json",
        "x-amz-user-agent": "aws-sdk-js/3.980.0 KiroIDE",
        "user-agent": agent,
        "host": "oidc",
        "amz-sdk-request": "attempt=1; max=4",
        "connection": "close",
        "content-length": "83",
    }
    assert request.read() == b'{"clientId":"c","clientSecret":"s?","refreshToken":"r","grantType":"refresh_token"}'


class Recorded:
    """Answers every call with one response, or raises."""

    def __init__(self, outcome: httpx.Response | Exception) -> None:
        self.outcome = outcome
        self.urls: list[str] = []

    async def call(
        self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = 0.0
    ) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        self.urls.append(str(request.url))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("credential", "url"),
    [
        (make_credential(1), "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken"),
        (make_credential(1, auth_region="eu-west-1"), "https://prod.eu-west-1.auth.desktop.kiro.dev/refreshToken"),
        (make_credential(1, auth_method="idc", region="ap-south-1"), "https://oidc.ap-south-1.amazonaws.com/token"),
    ],
)
async def test_where_it_is_sent(credential: Credential, url: str) -> None:
    caller = Recorded(httpx.Response(200, json={"accessToken": "a"}))
    await Refresher(caller, CONFIG).refresh(credential)
    assert caller.urls == [url]


# --- what comes back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "grant"),
    [
        (
            {"accessToken": "a", "refreshToken": "r", "expiresIn": 3600, "profileArn": "p", "csrfToken": "c"},
            TokenGrant("a", "r", 3600.0, "p"),
        ),
        ({"access_token": "a", "refresh_token": "r", "expires_in": "60"}, TokenGrant("a", "r", 60.0)),
        ({"accessToken": "a", "idToken": None}, TokenGrant("a")),
        ({"refreshToken": "r"}, TokenGrant("", "r")),
        ({"accessToken": "a", "refreshToken": "", "expiresIn": -1}, TokenGrant("a", None, -1.0)),
        ({"accessToken": "a", "expiresIn": True}, TokenGrant("a")),
        ({"accessToken": "a", "expiresIn": "soon"}, TokenGrant("a")),
        ({"accessToken": "a", "expiresIn": 10**400}, TokenGrant("a")),
        ({"accessToken": "a", "expiresIn": float("nan")}, TokenGrant("a")),
    ],
)
def test_grants(body: object, grant: TokenGrant) -> None:
    assert read_grant(json.dumps(body).encode()) == grant


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"accessToken": 5}', b"\xff", b"[" * 100_000])
def test_a_success_without_a_token(body: bytes) -> None:
    with pytest.raises(RefreshFailed, match="without a token"):
        read_grant(body)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, {"error": "invalid_grant", "message": "Invalid refresh token provided"}, "refresh token (invalid_grant)"),
        (400, {"__type": "com.amazonaws.ssooidc#InvalidGrantException"}, "refresh token (invalid_grant)"),
        (400, {"error": {"code": "refresh_token_reused"}}, "refresh token (refresh_token_reused)"),
        (400, {"error": {"type": "revoked"}}, "refresh token (revoked)"),
        (400, {"code": "ExpiredTokenException"}, "refresh token (expired_token)"),
        (400, {"error": "invalid_request"}, "refresh token (invalid_request)"),
        (401, {"error": "invalid_client"}, "client registration (invalid_client)"),
        (400, {"error": "unauthorized_client"}, "client registration (unauthorized_client)"),
        (401, {"message": "Bad credentials"}, "refresh token (401)"),
        (401, None, "refresh token (401)"),
        (403, {"error": "access_denied"}, "refresh token (access_denied)"),
    ],
)  # fmt: skip
def test_final_refusals(status: int, body: object, says: str) -> None:
    error = refusal(status, {}, json.dumps(body).encode())
    assert isinstance(error, RefreshRejected)
    assert says in str(error)


def test_the_code_in_a_header() -> None:
    error = refusal(400, httpx.Headers({"X-Amzn-ErrorType": "InvalidGrantException:http://internal/"}), b"")
    assert isinstance(error, RefreshRejected)


@pytest.mark.parametrize(
    ("status", "headers", "body", "retry_after"),
    [
        (429, {"retry-after": "7"}, b"", 7.0),
        (429, {}, b'{"retryAfterMilliseconds": 1500}', 1.5),
        (429, {}, b'{"error": "slow_down"}', 30.0),
        (403, {}, b"<html>proxy</html>", 30.0),
        (404, {}, b"", 30.0),
        (400, {}, b"not json", 30.0),
        (503, {"retry-after": "3"}, b"", 3.0),
        (500, {}, b'{"error": "invalid_grant"}', None),
        (302, {}, b"", None),
    ],
)
def test_refusals_that_pass(status: int, headers: Mapping[str, str], body: bytes, retry_after: float | None) -> None:
    error = refusal(status, headers, body)
    assert isinstance(error, RefreshFailed)
    assert (error.status, error.retry_after) == (status, retry_after)


def test_a_retry_after_date_is_reckoned_from_now() -> None:
    error = refusal(429, {"retry-after": "Fri, 13 Feb 2026 10:00:30 GMT"}, b"", START)
    assert isinstance(error, RefreshFailed)
    assert error.retry_after == 30.0


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Fri, 13 Feb 2026 09:50:00 GMT", 600.0),
        ("Fri, 13 Feb 2026 10:00:10 -0000", -10.0),
        ("yesterday", None),
        (None, None),
    ],
)
async def test_the_clock_of_the_service(date: str | None, skew: float | None) -> None:
    headers = {} if date is None else {"date": date}
    caller = Recorded(httpx.Response(200, json={"accessToken": "a"}, headers=headers))
    grant = await Refresher(caller, CONFIG, now=lambda: START).refresh(make_credential(1))
    assert grant.clock_skew == skew


@pytest.mark.parametrize("error", [UpstreamUnavailable("no route"), UpstreamTimeout("too slow")])
async def test_a_service_that_cannot_be_reached(error: Exception) -> None:
    with pytest.raises(RefreshFailed) as caught:
        await Refresher(Recorded(error), CONFIG).refresh(make_credential(1))
    assert caught.value.retry_after is None


async def test_trouble_with_the_proxy_setting_is_told_as_it_is() -> None:
    with pytest.raises(ConfigError):
        await Refresher(Recorded(ConfigError(["proxyUrl is no URL"])), CONFIG).refresh(make_credential(1))


# --- against the simulator --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["social", "idc"])
async def test_both_flows_rotate(method: str) -> None:
    arn = "arn:aws:codewhisperer:us-east-1:000000000001:profile/TEST"
    account = Account(name="me", method=method, profile_arn=arn)  # type: ignore[arg-type]
    async with open_simulator(Simulator(accounts=[account])) as running:
        config = Config(upstream_url=running.url)
        credential = parse_credential(running.simulator.credential_json(expired=True))
        http = HttpClients(config)
        refresher = Refresher(http, config)
        grant = await refresher.refresh(credential)
        assert grant.access_token not in ("", credential.access_token)
        assert grant.refresh_token not in (None, credential.refresh_token)
        assert grant.expires_in == 3600
        with pytest.raises(RefreshRejected):
            await refresher.refresh(credential)
    assert running.simulator.reuses == 1


async def test_faults_of_the_service() -> None:
    async with open_simulator() as running:
        config = Config(upstream_url=running.url)
        credential = parse_credential(running.simulator.credential_json())
        http = HttpClients(config)
        refresher = Refresher(http, config)
        running.simulator.fail_next("/refreshToken", 503)
        running.simulator.fail_next("/refreshToken", drop=True)
        for _ in range(2):
            with pytest.raises(RefreshFailed):
                await refresher.refresh(credential)
        assert (await refresher.refresh(credential)).access_token
        with pytest.raises(RefreshFailed):
            await Refresher(http, Config(upstream_url="http://127.0.0.1:9")).refresh(credential)


def test_the_wall_clock_is_the_default() -> None:
    refresher = Refresher(Recorded(httpx.Response(200)), CONFIG)
    assert abs(refresher._now() - datetime.now(UTC)) < timedelta(minutes=1)
