"""Can a host be reached, on the way that calls take? For the doctor: nothing is sent that belongs to an account."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError, UpstreamTimeout, UpstreamUnavailable
from kiro_rs_py.upstream.credential import Credential, api_region_of, auth_region_of
from kiro_rs_py.upstream.endpoints import Endpoints, authority
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.refresh import clock_skew

SECONDS: Final = 5.0

Obstacle: TypeAlias = Literal["name", "connection", "silence", "certificate", "proxy", "settings"]
"""The host's name is unknown, it takes no connection, it does not answer, it (or who stands between) is not trusted,
the outgoing proxy refuses, proxy or TLS settings cannot be used."""


@dataclass(frozen=True, slots=True)
class Probe:
    """``clock_skew``: seconds this computer's clock is ahead, if the host told the time. ``reason`` is a sentence."""

    host: str
    obstacle: Obstacle | None = None
    reason: str = ""
    clock_skew: float | None = None


def hosts_of(config: Config, credentials: list[Credential]) -> list[str]:
    """A URL at each host that the accounts need, each host once; without accounts, at those that logins need.

    Raises ConfigError for a region that is none.
    """
    endpoints = Endpoints(config)
    urls: list[str] = []
    for credential in credentials or [Credential(auth_method="idc"), Credential(auth_method="social")]:
        candidates = endpoints.candidates(api_region_of(credential, config), 0.0, credential.endpoint)
        urls += [str(endpoint.chat_url) for endpoint in candidates]
        region = auth_region_of(credential, config)
        if credential.auth_method == "idc":
            urls.append(endpoints.oidc(region, "/token"))
        elif credential.auth_method == "social":
            urls.append(endpoints.social(region, "/refreshToken"))
    return list({authority(url): url for url in reversed(urls)}.values())[::-1]


async def probe_all(
    http: HttpClients,
    urls: list[str],
    *,
    seconds: float = SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Probe]:
    """Ask all hosts at once; the answers in the order of ``urls``. Whatever a host answers, it was reached."""
    probes: list[Probe] = [Probe("")] * len(urls)

    async def one(number: int, url: str) -> None:
        probes[number] = await _probe(http, url, seconds, now)

    async with trio.open_nursery() as nursery:
        for number, url in enumerate(urls):
            nursery.start_soon(one, number, url)
    return probes


async def _probe(http: HttpClients, url: str, seconds: float, now: Callable[[], datetime]) -> Probe:
    host = authority(url)
    # The root path, without a token: services answer 403 or 404, which is all that is wanted.
    request = httpx.Request("GET", httpx.URL(url).join("/"), headers=[("host", host), ("connection", "close")])
    try:
        response = await http.call(request, seconds=seconds)
    except UpstreamTimeout as exc:
        return Probe(host, "silence", str(exc))
    except ConfigError as exc:
        return Probe(host, "settings", str(exc))
    except UpstreamUnavailable as exc:
        return Probe(host, *_obstacle(exc))
    return Probe(host, clock_skew=clock_skew(response.headers, now()))


def _obstacle(error: UpstreamUnavailable) -> tuple[Obstacle, str]:
    outer = error.__cause__
    inner = outer.__cause__ if outer is not None else None
    if isinstance(outer, httpx.ProxyError):
        return "proxy", str(error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return "certificate", f"its certificate is not trusted here ({inner.verify_message})."
    if isinstance(inner, ssl.SSLError):
        return "certificate", "it speaks no TLS that we know."
    if isinstance(inner, socket.gaierror):
        return "name", "its name cannot be resolved."
    if isinstance(outer, httpx.ConnectTimeout):
        return "connection", "no connection in time."
    if isinstance(inner, OSError) and inner.errno:
        return "connection", f"{os.strerror(inner.errno).lower()}."
    return "connection", "the connection cannot be made, or breaks."
