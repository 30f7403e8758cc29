"""Token refresh calls (upstream-protocol §4.2, §4.3, §4.5): one credential in, one grant out, no state.

When and under which locks is :mod:`kiro_rs_py.upstream.rotation`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import httpx

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import json_object, json_text, text_in
from kiro_rs_py.errors import RefreshFailed, RefreshRejected, UpstreamTimeout, UpstreamUnavailable
from kiro_rs_py.upstream.credential import Credential, TokenGrant, auth_region_of
from kiro_rs_py.upstream.endpoints import Endpoints, authority
from kiro_rs_py.upstream.failures import classify, http_date

CALL_SECONDS = 12.0
"""For one call; the pool gives a refresh 30 seconds in all, which leaves room for a second try."""

PAUSE_SECONDS = 30.0
"""After a 4xx that named no time: asking again at once is for network trouble and 5xx only (operations §11.3)."""

OIDC_SDK = "3.980.0"

# Codes that no second try will turn, in lower case, letters and digits only, without the suffix "exception"
# (upstream-protocol §4.5, §11.4). invalid_request is what a service says of a token rotated by somebody else.
_TERMINAL = {
    code.replace("_", ""): code
    for code in (
        "invalid_grant", "refresh_token_reused", "revoked", "revoked_token", "refresh_token_revoked", "access_denied",
        "expired_token", "invalid_request", "invalid_client", "invalid_client_metadata", "unauthorized_client",
    )
}  # fmt: skip
_OF_THE_CLIENT = frozenset({"invalidclient", "invalidclientmetadata", "unauthorizedclient"})


class Caller(Protocol):
    """What is needed of :class:`~kiro_rs_py.upstream.http.HttpClients`."""

    async def call(
        self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = ...
    ) -> httpx.Response: ...


class Refresher:
    """Asks the token service. ``now`` is the wall clock, to compare the service's clock with ours."""

    def __init__(
        self,
        http: Caller,
        config: Config,
        *,
        endpoints: Endpoints | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._config = config
        self._endpoints = endpoints or Endpoints(config)
        self._now = now

    async def refresh(self, credential: Credential) -> TokenGrant:
        """Exchange the refresh token for new tokens.

        Raises RefreshRejected when the service will never take this refresh token or client again, RefreshFailed when
        it could not be asked or had trouble of its own, ConfigError for a proxy or region that cannot be used.
        """
        region = auth_region_of(credential, self._config)
        if credential.auth_method == "idc":
            request = idc_request(self._config, credential, self._endpoints.oidc(region, "/token"))
        else:
            request = social_request(self._config, credential, self._endpoints.social(region, "/refreshToken"))
        try:
            response = await self._http.call(request, credential, seconds=CALL_SECONDS)
        except (UpstreamUnavailable, UpstreamTimeout) as exc:
            raise RefreshFailed(f"The token service could not be reached: {exc}") from exc
        if not response.is_success:
            raise refusal(response.status_code, response.headers, response.content, self._now())
        return read_grant(response.content, clock_skew=clock_skew(response.headers, self._now()))


# --- what is sent -----------------------------------------------------------------------------------------------


def social_request(config: Config, credential: Credential, url: str) -> httpx.Request:
    """Kiro's own sign-in service, §4.2; only encodings are announced that httpx can decode."""
    headers = [
        ("accept", "application/json, text/plain, */*"),
        ("content-type", "application/json"),
        ("user-agent", f"KiroIDE-{config.kiro_version}-{credential.effective_machine_id(config.machine_id)}"),
        ("accept-encoding", "gzip, deflate"),
        ("host", authority(url)),
        ("connection", "close"),
    ]
    return json_request(url, headers, {"refreshToken": credential.refresh_token or ""})


def idc_request(config: Config, credential: Credential, url: str) -> httpx.Request:
    """AWS SSO OIDC CreateToken, §4.3: JSON with camelCase names, in the form of the newer clients."""
    body = {
        "clientId": credential.client_id or "",
        "clientSecret": credential.client_secret or "",
        "refreshToken": credential.refresh_token or "",
        "grantType": "refresh_token",
    }
    agent = f"aws-sdk-js/{OIDC_SDK} ua/2.1 os/{config.system_version} lang/js md/nodejs#{config.node_version}"
    headers = [
        ("content-type", "application/json"),
        ("x-amz-user-agent", f"aws-sdk-js/{OIDC_SDK} KiroIDE"),
        ("user-agent", f"{agent} api/sso-oidc#{OIDC_SDK} m/E KiroIDE"),
        ("host", authority(url)),
        ("amz-sdk-invocation-id", str(uuid4())),
        ("amz-sdk-request", "attempt=1; max=4"),
        ("connection", "close"),
    ]
    return json_request(url, headers, body)


def json_request(url: str, headers: list[tuple[str, str]], body: Mapping[str, object]) -> httpx.Request:
    """A POST of ``body`` with these headers and, at their end, its length."""
    content = json_text(body).encode("utf-8", "replace")
    return httpx.Request("POST", url, headers=[*headers, ("content-length", str(len(content)))], content=content)


# --- what comes back --------------------------------------------------------------------------------------------


def read_grant(body: bytes, *, clock_skew: float | None = None) -> TokenGrant:
    """The tokens of a 200. Odd values are taken as absent, never thrown away with the rest.

    Raises RefreshFailed when there is no token in it at all.
    """
    envelope = json_object(body) or {}
    access_token = text_in(envelope, "accessToken", "access_token")
    refresh_token = text_in(envelope, "refreshToken", "refresh_token")
    if access_token is None and refresh_token is None:
        raise RefreshFailed("The token service answered without a token.")
    return TokenGrant(
        access_token=access_token or "",
        refresh_token=refresh_token,
        expires_in=_seconds(envelope.get("expiresIn", envelope.get("expires_in"))),
        profile_arn=text_in(envelope, "profileArn", "profile_arn"),
        clock_skew=clock_skew,
    )


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, now: datetime | None = None
) -> RefreshRejected | RefreshFailed:
    """The meaning of any other status (§4.5). ``headers`` are case-insensitive or in lower case."""
    codes = list(_codes(headers, json_object(body) or {}))
    if status in (400, 401, 403) and (known := next((code for code in codes if code in _TERMINAL), None)):
        what = "client registration" if known in _OF_THE_CLIENT else "refresh token"
        return RefreshRejected(f"The token service no longer accepts the {what} ({_TERMINAL[known]}). Log in again.")
    if status == 401:
        return RefreshRejected("The token service no longer accepts the refresh token (401). Log in again.")
    retry_after = classify(status, headers, body, now=now).retry_after
    if retry_after is None and 400 <= status < 500:
        retry_after = PAUSE_SECONDS
    if status == 429:
        return RefreshFailed("The token service asks for a pause (429).", retry_after=retry_after, status=status)
    return RefreshFailed(f"The token service answered {status}.", retry_after=retry_after, status=status)


def _codes(headers: Mapping[str, str], envelope: Mapping[str, object]) -> Iterator[str]:
    nested = envelope.get("error")
    inner = nested if isinstance(nested, dict) else {}
    for written in (
        nested,
        inner.get("code"),
        inner.get("type"),
        envelope.get("code"),
        envelope.get("__type"),
        headers.get("x-amzn-errortype"),
    ):
        if isinstance(written, str):
            bare = written.partition(":")[0].rpartition("#")[2]
            yield re.sub(r"[^a-z0-9]", "", bare.lower()).removesuffix("exception")


def _seconds(value: object) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}", value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e12 else None  # NaN is not, either


def clock_skew(headers: Mapping[str, str], now: datetime) -> float | None:
    """This computer's clock minus the service's, in seconds; None if it does not tell the time."""
    told = http_date(headers.get("date", ""))
    return None if told is None else (now - told).total_seconds()
