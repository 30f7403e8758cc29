"""The device flow: against the simulator on a real socket, and against scripted answers where minutes must pass."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import LoginFailed, UpstreamUnavailable
from kiro_rs_py.simulator.server import RunningSimulator
from kiro_rs_py.upstream.credential import Credential, parse_credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.login import (
    DeviceLogin,
    Registration,
    checked_region,
    clean_start_url,
    oauth_code,
    token_entry,
)
from kiro_rs_py.upstream.sources import BUILDER_ID_START_URL

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
TOKENS: JsonObject = {"accessToken": "aoa-access", "refreshToken": "aor-refresh", "expiresIn": 3600}
REGISTERED: JsonObject = {"clientId": "id", "clientSecret": "hush", "clientSecretExpiresAt": 1_790_000_000}
STARTED: JsonObject = {
    "deviceCode": "device-code",
    "userCode": "ABCD-EFGH",
    "verificationUri": "https://device.sso.us-east-1.amazonaws.com/",
    "expiresIn": 600,
    "interval": 5,
}

Answer = tuple[int, Json] | Exception


class Scripted:
    """A sign-in service that gives the next answer of its list, and notes when and what it was asked."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[float, str, JsonObject]] = []

    async def call(
        self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = 30.0
    ) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        self.asked.append((trio.current_time(), request.url.path, json.loads(request.content)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        content = body if isinstance(body, str) else json.dumps(body)
        return httpx.Response(status, content=content)


def login_with(service: Scripted, **settings: str) -> DeviceLogin:
    return DeviceLogin(service, Endpoints(Config()), now=lambda: NOW, **settings)


def error(code: str, status: int = 400) -> Answer:
    return status, {"error": code, "error_description": "secret text of the service"}


# --- against the simulator --------------------------------------------------------------------------------------


async def test_approved_in_the_browser(simulator: RunningSimulator, http: HttpClients) -> None:
    oidc = simulator.simulator.oidc
    oidc.interval = 0.05
    config = Config(upstream_url=simulator.url)
    login = DeviceLogin(http, Endpoints(config), upstream_url=config.upstream_url)
    device = await login.start()
    assert device.verification_uri_complete == f"{simulator.url}/device?user_code={device.user_code}"
    entries: list[JsonObject] = []
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            entries.append(await login.wait(device))

        polls = [simulator.simulator.hold_next("/token") for _ in range(2)]
        nursery.start_soon(wait)
        await polls[0].arrived.wait()
        polls[0].release.set()  # pending
        await polls[1].arrived.wait()
        oidc.approve(device.user_code)
        polls[1].release.set()
    credential = parse_credential(entries[0])
    assert (credential.auth_method, credential.provider, credential.region) == ("idc", "BuilderId", "us-east-1")
    assert credential.start_url == BUILDER_ID_START_URL
    assert credential.client_id == device.registration.client_id
    assert credential.client_secret_expires_at == device.registration.expires_at
    assert credential.problem() is None
    assert not credential.needs_refresh(datetime.now(UTC))
    register, authorize, poll = (
        simulator.simulator.requests_to(path)[0].json_object
        for path in ("/client/register", "/device_authorization", "/token")
    )
    assert register["grantTypes"] == ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
    assert register["issuerUrl"] == authorize["startUrl"] == BUILDER_ID_START_URL
    assert set(poll) == {"clientId", "clientSecret", "deviceCode", "grantType"}


async def test_refused_in_the_browser(simulator: RunningSimulator, http: HttpClients) -> None:
    simulator.simulator.oidc.interval = 0.01
    login = DeviceLogin(http, Endpoints(Config(upstream_url=simulator.url)), upstream_url=simulator.url)
    device = await login.start()
    simulator.simulator.oidc.deny(device.user_code)
    with pytest.raises(LoginFailed) as caught:
        await login.wait(device)
    assert caught.value.code == "access_denied"


async def test_a_registration_is_used_again_until_it_is_too_old_or_forgotten(
    simulator: RunningSimulator, http: HttpClients
) -> None:
    counts = simulator.simulator.counts
    login = DeviceLogin(http, Endpoints(Config(upstream_url=simulator.url)), upstream_url=simulator.url)
    first = (await login.start()).registration
    assert (await login.start(first)).registration is first
    assert counts["/client/register"] == 1
    old = Registration(first.client_id, first.client_secret, datetime.now(UTC) + timedelta(minutes=14))
    assert (await login.start(old)).registration.client_id != first.client_id
    simulator.simulator.oidc.registrations.clear()
    assert (await login.start(first)).registration.client_id != first.client_id
    assert counts["/client/register"] == 3


async def test_a_start_url_the_service_does_not_know(simulator: RunningSimulator, http: HttpClients) -> None:
    login = DeviceLogin(
        http,
        Endpoints(Config(upstream_url=simulator.url)),
        start_url="https://d-0000000000.awsapps.com/start",
        region="eu-west-1",
        upstream_url=simulator.url,
    )
    with pytest.raises(LoginFailed, match="does not know this start URL in this region"):
        await login.start()


# --- polling, in jumping time -----------------------------------------------------------------------------------


async def test_polls_by_rfc_8628(autojump_clock: MockClock) -> None:
    service = Scripted(
        [
            (200, REGISTERED),
            (200, STARTED),
            error("authorization_pending"),
            error("slow_down"),
            UpstreamUnavailable("no route"),
            (503, "busy"),
            (429, ""),
            (400, {"__type": "com.amazon#AuthorizationPendingException:http://x"}),
            (200, TOKENS),
        ]
    )
    login = login_with(service)
    device = await login.start()
    began = trio.current_time()
    entry = await login.wait(device)
    times = [round(when - began) for when, path, _ in service.asked if path == "/token"]
    assert times == [5, 10, 20, 30, 40, 55, 70]
    assert entry == {
        "accessToken": "aoa-access",
        "refreshToken": "aor-refresh",
        "expiresAt": "2026-08-01T13:00:00+00:00",
        "createdAt": "2026-08-01T12:00:00+00:00",
        "authMethod": "idc",
        "provider": "BuilderId",
        "clientId": "id",
        "clientSecret": "hush",
        "region": "us-east-1",
        "startUrl": BUILDER_ID_START_URL,
        "clientSecretExpiresAt": "2026-09-21T14:13:20+00:00",
    }


async def test_the_code_expires(autojump_clock: MockClock) -> None:
    started = {**STARTED, "expiresIn": 12, "interval": 5}
    pending = [error("authorization_pending")] * 5
    login = login_with(Scripted([(200, REGISTERED), (200, started), *pending]))
    device = await login.start()
    began = trio.current_time()
    with pytest.raises(LoginFailed, match="expired before it was confirmed") as caught:
        await login.wait(device)
    assert caught.value.code == "expired_token"
    assert trio.current_time() - began == pytest.approx(12)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error("access_denied"), "access_denied"),
        (error("expired_token"), "expired_token"),
        ((400, {"__type": "ExpiredTokenException"}), "expired_token"),
        ((400, {"code": "AccessDeniedException"}), "access_denied"),
        (error("invalid_client", 401), "invalid_client"),
        (error("<b>odd words</b>"), "unknown_error"),
        ((400, []), "unknown_error"),
        ((200, {"accessToken": "a"}), "no_tokens"),
        ((200, "no json"), "no_tokens"),
    ],
)
async def test_answers_that_end_it(answer: Answer, code: str, autojump_clock: MockClock) -> None:
    login = login_with(Scripted([(200, REGISTERED), (200, STARTED), answer]))
    device = await login.start()
    with pytest.raises(LoginFailed) as caught:
        await login.wait(device)
    assert caught.value.code == code
    assert "secret text" not in str(caught.value)


@pytest.mark.parametrize(
    "answers",
    [
        [(400, {"error": "invalid_client_metadata"})],
        [(200, {"clientId": "id"})],
        [(200, REGISTERED), (200, {**STARTED, "userCode": None})],
        [(200, REGISTERED), (500, "")],
    ],
)
async def test_no_code_to_show(answers: list[Answer], autojump_clock: MockClock) -> None:
    with pytest.raises(LoginFailed):
        await login_with(Scripted(answers)).start()


async def test_an_unreachable_service_is_told_at_once(autojump_clock: MockClock) -> None:
    with pytest.raises(UpstreamUnavailable):
        await login_with(Scripted([UpstreamUnavailable("no route")])).start()


@pytest.mark.parametrize(
    "host",
    [
        "http://device.sso.us-east-1.amazonaws.com/",
        "https://evil.s3.amazonaws.com/",
        "https://awsapps.com.example.org/",
        "https://notawsapps.com/",
        "file:///etc/passwd",
        "https://[",
    ],
)
async def test_nobody_is_sent_to_a_foreign_page(host: str, autojump_clock: MockClock) -> None:
    for member in ("verificationUri", "verificationUriComplete"):
        with pytest.raises(LoginFailed) as caught:
            await login_with(Scripted([(200, REGISTERED), (200, {**STARTED, member: host})])).start()
        assert caught.value.code == "unexpected_verification_host"


async def test_odd_numbers_become_the_defaults(autojump_clock: MockClock) -> None:
    odd: JsonObject = {"interval": float("inf"), "expiresIn": "soon", "verificationUriComplete": None}
    registered = {**REGISTERED, "clientSecretExpiresAt": 0}
    device = await login_with(Scripted([(200, registered), (200, {**STARTED, **odd})])).start()
    assert (device.interval, device.expires_in) == (5.0, 600.0)
    assert device.verification_uri_complete == device.verification_uri
    assert device.registration.expires_at is None
    assert device.registration.usable(NOW)


# --- small rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pasted", "clean"),
    [
        ("https://d-1234567890.awsapps.com/start/#/?tab=accounts", "https://d-1234567890.awsapps.com/start"),
        ("  HTTPS://D-1234567890.awsapps.com  ", "https://d-1234567890.awsapps.com/start"),
        ("https://my-company.awsapps.com/start///", "https://my-company.awsapps.com/start"),
        ("https://ssoins-1.portal.eu-west-1.app.aws", "https://ssoins-1.portal.eu-west-1.app.aws/start"),
    ],
)
def test_start_urls_are_cleaned(pasted: str, clean: str) -> None:
    assert clean_start_url(pasted) == clean


@pytest.mark.parametrize(
    "url",
    [
        "http://d-1.awsapps.com/start",
        "https://d-1.awsapps.com:444/start",
        "https://user@d-1.awsapps.com/start",
        "https://d-1.awsapps.com.example.org/start",
        "https://awsapps.com/start",
        "d-1.awsapps.com",
        "https://[",
        "",
    ],
)
def test_what_is_no_start_url(url: str) -> None:
    with pytest.raises(LoginFailed) as caught:
        clean_start_url(url)
    assert caught.value.code == "invalid_start_url"


@pytest.mark.parametrize("region", ["", "mars", "us-east-1.example.org/", "US-EAST-1"])
def test_what_is_no_region(region: str) -> None:
    with pytest.raises(LoginFailed):
        checked_region(region)


def test_the_expiry_may_be_a_moment() -> None:
    entry = token_entry({"accessToken": "a", "refreshToken": "r", "expiresAt": "2026-08-01T12:30:00Z"}, NOW)
    assert entry["expiresAt"] == "2026-08-01T12:30:00+00:00"
    entry = token_entry({"accessToken": "a", "refreshToken": "r", "expiresIn": 1e300, "profileArn": ""}, NOW)
    assert entry["expiresAt"] == (NOW + timedelta(days=3650)).isoformat()
    assert "profileArn" not in entry


def test_an_answer_without_a_code() -> None:
    assert oauth_code({"message": "?"}) == "unknown_error"


def test_secrets_do_not_print() -> None:
    assert "hush" not in repr(Registration("id", "hush"))
