"""URLs of all services, and which host a chat call tries first."""

from __future__ import annotations

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.endpoints import FALLBACK_SECONDS, Endpoints, authority

Q = "https://q.us-east-1.amazonaws.com"
RUNTIME = "https://runtime.us-east-1.kiro.dev"


def bases(endpoints: Endpoints, now: float = 0.0, wish: str | None = None) -> list[str]:
    chats = [str(endpoint.chat_url) for endpoint in endpoints.candidates("us-east-1", now, wish)]
    return [url.removesuffix("/generateAssistantResponse") for url in chats]


def test_real_hosts() -> None:
    endpoints = Endpoints(Config())
    (q, runtime) = endpoints.candidates("eu-central-1", 0.0)
    assert str(q.chat_url) == "https://q.eu-central-1.amazonaws.com/generateAssistantResponse"
    assert str(q.mcp_url) == "https://q.eu-central-1.amazonaws.com/mcp"
    assert str(runtime.chat_url) == "https://runtime.eu-central-1.kiro.dev/generateAssistantResponse"
    assert str(runtime.mcp_url) == "https://runtime.eu-central-1.kiro.dev/mcp"
    assert endpoints.control("us-east-1", "/getUsageLimits") == Q + "/getUsageLimits"
    assert endpoints.control("us-east-1", "/ListAvailableModels") == Q + "/ListAvailableModels"
    assert endpoints.control("us-east-1", "/") == Q + "/"
    assert endpoints.social("us-east-1", "/refreshToken") == "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken"
    assert endpoints.oidc("eu-west-1", "/token") == "https://oidc.eu-west-1.amazonaws.com/token"


@pytest.mark.parametrize("upstream", ["http://127.0.0.1:9999", "http://127.0.0.1:9999/"])
def test_upstream_url_replaces_every_host_and_no_path(upstream: str) -> None:
    endpoints = Endpoints(Config(upstream_url=upstream))
    (only,) = endpoints.candidates("us-east-1", 0.0)
    assert str(only.chat_url) == "http://127.0.0.1:9999/generateAssistantResponse"
    assert endpoints.control("us-east-1", "/getUsageLimits") == "http://127.0.0.1:9999/getUsageLimits"
    assert endpoints.oidc("us-east-1", "/client/register") == "http://127.0.0.1:9999/client/register"
    assert endpoints.social("us-east-1", "/refreshToken") == "http://127.0.0.1:9999/refreshToken"


def test_upstream_url_may_have_a_path() -> None:
    endpoints = Endpoints(Config(upstream_url="https://gateway.example/kiro/"))
    assert endpoints.control("us-east-1", "/ListAvailableModels") == "https://gateway.example/kiro/ListAvailableModels"


@pytest.mark.parametrize(
    "region",
    ["", "US-EAST-1", "us-east", "useast1", "us-east-1.evil.example/", "us-east-1\n", "evil.example#us-east-1"],
)
def test_what_is_no_region_never_becomes_a_host(region: str) -> None:
    for endpoints in (Endpoints(Config()), Endpoints(Config(upstream_url="http://127.0.0.1:1"))):
        with pytest.raises(ConfigError):
            endpoints.candidates(region, 0.0)
        with pytest.raises(ConfigError):
            endpoints.oidc(region, "/token")


def test_auto_tries_q_and_then_runtime() -> None:
    assert bases(Endpoints(Config())) == [Q, RUNTIME]


def test_a_fixed_endpoint_has_no_other() -> None:
    assert bases(Endpoints(Config(endpoint="q"))) == [Q]
    assert bases(Endpoints(Config(endpoint="runtime"))) == [RUNTIME]


@pytest.mark.parametrize("wish, expected", [("IDE", [Q]), ("q", [Q]), ("runtime", [RUNTIME]), ("cli", [Q, RUNTIME])])
def test_the_credentials_own_wish_wins(wish: str, expected: list[str]) -> None:
    assert bases(Endpoints(Config()), wish=wish) == expected


def test_the_host_that_answered_is_remembered_for_a_while() -> None:
    endpoints = Endpoints(Config())
    (_, runtime) = endpoints.candidates("us-east-1", 100.0)
    endpoints.remember("us-east-1", runtime, 100.0)
    assert bases(endpoints, 101.0) == [RUNTIME, Q]
    assert endpoints.candidates("eu-central-1", 101.0)[0].host == "q"
    assert bases(endpoints, 100.0 + FALLBACK_SECONDS) == [Q, RUNTIME]
    endpoints.remember("us-east-1", endpoints.candidates("us-east-1", 101.0)[1], 101.0)
    assert bases(endpoints, 102.0) == [Q, RUNTIME]


@pytest.mark.parametrize(
    "url, expected",
    [
        (Q + "/x?y=http://z/", "q.us-east-1.amazonaws.com"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://user:secret@[::1]:80/", "[::1]:80"),
    ],
)
def test_authority(url: str, expected: str) -> None:
    assert authority(url) == expected
