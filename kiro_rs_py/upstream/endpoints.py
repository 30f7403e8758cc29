"""Where each call goes (upstream-protocol §1.1, §1.12, §4.2, §4.3, §6.1, §7.1, §8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import httpx

from kiro_rs_py.config import Config
from kiro_rs_py.config.values import REGION
from kiro_rs_py.errors import ConfigError

ChatHost: TypeAlias = Literal["q", "runtime"]

FALLBACK_SECONDS = 600.0
"""How long a region stays with the host that worked after the other did not."""

_HOSTS: dict[ChatHost, str] = {"q": "https://q.{region}.amazonaws.com", "runtime": "https://runtime.{region}.kiro.dev"}

# What other tools write into a credential's "endpoint" (upstream-protocol §1.2, §10).
_CREDENTIAL_ENDPOINTS: dict[str, ChatHost] = {"q": "q", "ide": "q", "runtime": "runtime"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host that takes chat and search calls. ``chat_url`` comes parsed: that is a tenth of a call's own work."""

    host: ChatHost
    chat_url: httpx.URL
    mcp_url: httpx.URL


class Endpoints:
    """URLs of all upstream services. ``upstreamUrl`` replaces every host and keeps every path (PRODUCT §2).

    All methods with a region raise ConfigError for one that is not written like a region, since it becomes part of a
    host name that tokens are sent to. Remembers, per region, which chat host answered last.
    """

    def __init__(self, config: Config) -> None:
        self._wanted = config.endpoint
        self._upstream = config.upstream_url.rstrip("/") if config.upstream_url else None
        self._preferred: dict[str, tuple[ChatHost, float]] = {}
        self._known: dict[tuple[ChatHost, str], Endpoint] = {}

    def candidates(self, region: str, now: float, credential_endpoint: str | None = None) -> tuple[Endpoint, ...]:
        """The hosts to try for a chat or search call, in order; more than one only for ``auto`` (§1.12).

        ``credential_endpoint`` is the credential's own wish and wins if it is one we know. ``now`` in Trio's seconds.
        """
        wanted = _CREDENTIAL_ENDPOINTS.get((credential_endpoint or "").lower(), self._wanted)
        if wanted != "auto":
            return (self._endpoint(wanted, region),)
        first, until = self._preferred.get(region, ("q", 0.0))
        if now >= until:
            first = "q"
        second: ChatHost = "runtime" if first == "q" else "q"
        # With upstreamUrl both are the same place, and asking it twice would help nobody.
        hosts = (first,) if self._upstream else (first, second)
        return tuple(self._endpoint(host, region) for host in hosts)

    def remember(self, region: str, endpoint: Endpoint, now: float) -> None:
        """``endpoint`` answered after another had not: start with it for a while."""
        self._preferred[region] = (endpoint.host, now + FALLBACK_SECONDS)

    def control(self, region: str, path: str) -> str:
        """``/getUsageLimits``, ``/ListAvailableModels``; ``/`` for calls that a header names (§6.1, §8)."""
        return self._on(_HOSTS["q"], region, path)

    def social(self, region: str, path: str) -> str:
        """Kiro's own sign-in service: ``/refreshToken``, ``/login``, ``/oauth/token``, ``/logout`` (§4.2, §5.3)."""
        return self._on("https://prod.{region}.auth.desktop.kiro.dev", region, path)

    def oidc(self, region: str, path: str) -> str:
        """AWS sign-in: ``/client/register``, ``/device_authorization``, ``/token``, ``/authorize`` (§4.3, §5.1)."""
        return self._on("https://oidc.{region}.amazonaws.com", region, path)

    def _endpoint(self, host: ChatHost, region: str) -> Endpoint:
        endpoint = self._known.get((host, region))
        if endpoint is None:
            base = self._on(_HOSTS[host], region, "")
            endpoint = Endpoint(host, httpx.URL(base + "/generateAssistantResponse"), httpx.URL(base + "/mcp"))
            self._known[host, region] = endpoint
        return endpoint

    def _on(self, base: str, region: str, path: str) -> str:
        if not REGION.fullmatch(region):
            raise ConfigError([f"{region!r} is no AWS region. Use one like us-east-1."])
        return (self._upstream or base.format(region=region)) + path


def authority(url: str) -> str:
    """What the ``host`` header says for ``url``: host, and port if it is written."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
