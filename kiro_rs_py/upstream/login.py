"""Signing in with a device code: AWS Builder ID and IAM Identity Center (RFC 8628; upstream-protocol §5.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlsplit

import trio

from kiro_rs_py.config.values import REGION
from kiro_rs_py.convert.anthropic import Json, JsonObject, json_object, string_in
from kiro_rs_py.errors import LoginFailed, UpstreamError
from kiro_rs_py.upstream.credential import LONGEST_LIFETIME, parse_time
from kiro_rs_py.upstream.endpoints import Endpoints, authority
from kiro_rs_py.upstream.refresh import Caller, json_request
from kiro_rs_py.upstream.sources import BUILDER_ID_START_URL

BUILDER_ID_REGION = "us-east-1"
CLIENT_NAME = "kiro-rs-py"
"""Shown on the consent page; free text (§5.1)."""

SCOPES = ("completions", "analysis", "conversations", "transformations", "taskassist")
DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL = 5.0
DEFAULT_EXPIRES_IN = 600.0
SLOW_DOWN_STEP = 5.0
"""RFC 8628 §3.5: the interval grows by five seconds for good."""

DEFAULT_TOKEN_LIFETIME = 3600.0
REGISTRATION_MARGIN = timedelta(minutes=15)
"""A client registration this close to its end is not used any more, as in Kiro IDE (§4.5)."""

MAX_LOGIN_SECONDS = 1800.0

# Where an organisation's users sign in; the second is the newer, dual-stack form of the access portal's address.
PORTAL_HOSTS = (".awsapps.com", ".app.aws")
# Hosts a person may be sent to. Not all of amazonaws.com: anybody can have a bucket or a machine there.
_VERIFICATION_HOST = re.compile(r"(?:.+\.)?(?:awsapps\.com|app\.aws|kiro\.dev)|device\.sso\.[a-z0-9-]+\.amazonaws\.com")


@dataclass(frozen=True, slots=True)
class Registration:
    """An OIDC client registration. ``expires_at`` is None when the service did not say."""

    client_id: str
    client_secret: str = field(repr=False)
    expires_at: datetime | None = None

    def usable(self, now: datetime) -> bool:
        return self.expires_at is None or now + REGISTRATION_MARGIN < self.expires_at


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the person needs: a code to compare and an address to open; the rest is for polling (seconds)."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: float
    interval: float
    registration: Registration


class DeviceLogin:
    """One device-code login. Raises LoginFailed with the OAuth code, UpstreamError when the service is unreachable.

    ``now`` gives the wall clock in UTC; waiting uses Trio's clock.
    """

    def __init__(
        self,
        http: Caller,
        endpoints: Endpoints,
        *,
        start_url: str = BUILDER_ID_START_URL,
        region: str = BUILDER_ID_REGION,
        upstream_url: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._endpoints = endpoints
        self.start_url = clean_start_url(start_url)
        self.region = checked_region(region)
        self._upstream_host = urlsplit(upstream_url).hostname if upstream_url else None
        self._now = now

    async def start(self, registration: Registration | None = None) -> DeviceCode:
        """Ask for a code. The ``registration`` of an earlier login is used if it is still good, else a new one made."""
        if registration is not None and registration.usable(self._now()):
            try:
                return await self._authorize(registration)
            except LoginFailed:
                # The service has forgotten the client: register as if there had been none.
                pass
        return await self._authorize(await self._register())

    async def wait(self, device: DeviceCode) -> JsonObject:
        """Poll until the person has decided; the answer is an entry for the credentials file, tokens as issued.

        Network trouble is waited out until the code expires, since the approval may already have happened. Raises
        LoginFailed when the person refuses, or the code expires.
        """
        body: JsonObject = {
            "clientId": device.registration.client_id,
            "clientSecret": device.registration.client_secret,
            "deviceCode": device.device_code,
            "grantType": DEVICE_CODE_GRANT,
        }
        interval = device.interval
        with trio.move_on_after(device.expires_in):
            while True:
                await trio.sleep(interval)
                try:
                    status, answer = await self._post("/token", body)
                except UpstreamError:
                    continue
                if status == 200:
                    return self._entry(answer, device.registration)
                code = oauth_code(answer)
                if code == "slow_down" or status == 429:
                    interval += SLOW_DOWN_STEP
                elif code != "authorization_pending" and status < 500:
                    raise login_failed(code)
        raise login_failed("expired_token")

    async def _register(self) -> Registration:
        status, answer = await self._post(
            "/client/register",
            {
                "clientName": CLIENT_NAME,
                "clientType": "public",
                "scopes": [f"codewhisperer:{scope}" for scope in SCOPES],
                "grantTypes": [DEVICE_CODE_GRANT, "refresh_token"],
                "issuerUrl": self.start_url,
            },
        )
        client_id, client_secret = string_in(answer, "clientId"), string_in(answer, "clientSecret")
        if status != 200 or not (client_id and client_secret):
            raise login_failed(oauth_code(answer))
        # Epoch seconds (§4.5); 0 means that it does not expire (RFC 7591 §3.2.1).
        expiry = _seconds(answer.get("clientSecretExpiresAt"), 0.0)
        known = 0 < expiry < 1e11
        return Registration(client_id, client_secret, datetime.fromtimestamp(expiry, UTC) if known else None)

    async def _authorize(self, registration: Registration) -> DeviceCode:
        status, answer = await self._post(
            "/device_authorization",
            {
                "clientId": registration.client_id,
                "clientSecret": registration.client_secret,
                "startUrl": self.start_url,
            },
        )
        names = ("deviceCode", "userCode", "verificationUri")
        device_code, user_code, uri = (string_in(answer, name) for name in names)
        if status != 200 or not (device_code and user_code and uri):
            raise login_failed(oauth_code(answer))
        complete = string_in(answer, "verificationUriComplete") or uri
        for address in (uri, complete):
            self._check_verification(address)
        return DeviceCode(
            device_code,
            user_code,
            uri,
            complete,
            min(_seconds(answer.get("expiresIn"), DEFAULT_EXPIRES_IN), MAX_LOGIN_SECONDS),
            _seconds(answer.get("interval"), DEFAULT_INTERVAL),
            registration,
        )

    def _check_verification(self, address: str) -> None:
        """A person is about to open this address: only the provider's own hosts will do (operations §7.9)."""
        parts = split_address(address)
        host = (parts.hostname if parts else None) or ""
        official = parts is not None and parts.scheme == "https" and _VERIFICATION_HOST.fullmatch(host)
        ours = self._upstream_host is not None and host == self._upstream_host
        if not (official or ours):
            raise LoginFailed(
                f"The sign-in service sent you to {host or 'nowhere'}, which is not one of its own hosts. "
                "Check region, start URL and upstreamUrl.",
                code="unexpected_verification_host",
            )

    async def _post(self, path: str, body: JsonObject) -> tuple[int, JsonObject]:
        return await post_json(self._http, self._endpoints.oidc(self.region, path), body, agent="KiroIDE")

    def _entry(self, answer: Mapping[str, Json], registration: Registration) -> JsonObject:
        entry = token_entry(answer, self._now())
        entry |= {
            "authMethod": "idc",
            "provider": "BuilderId" if self.start_url == BUILDER_ID_START_URL else "Enterprise",
            "clientId": registration.client_id,
            "clientSecret": registration.client_secret,
            "region": self.region,
            "startUrl": self.start_url,
        }
        if registration.expires_at is not None:
            entry["clientSecretExpiresAt"] = registration.expires_at.isoformat()
        return entry


# --- what both ways of signing in share -------------------------------------------------------------------------


async def post_json(http: Caller, url: str, body: JsonObject, *, agent: str) -> tuple[int, JsonObject]:
    """POST ``body`` and return status and the JSON object of the answer ({} when it is none)."""
    headers = [
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("user-agent", agent),
        ("host", authority(url)),
    ]
    response = await http.call(json_request(url, headers, body))
    return response.status_code, json_object(response.content) or {}


def token_entry(answer: Mapping[str, Json], now: datetime) -> JsonObject:
    """The tokens of a grant as the credentials file writes them. Raises LoginFailed when there are none."""
    access, refresh = string_in(answer, "accessToken"), string_in(answer, "refreshToken")
    if not (access and refresh):
        raise LoginFailed("The sign-in service sent no tokens. Try again.", code="no_tokens")
    lifetime = min(_seconds(answer.get("expiresIn"), DEFAULT_TOKEN_LIFETIME), LONGEST_LIFETIME)
    # Some answers of the social service name the moment instead (§5.3).
    expires_at = parse_time(answer.get("expiresAt")) if "expiresIn" not in answer else None
    entry: JsonObject = {
        "accessToken": access,
        "refreshToken": refresh,
        "expiresAt": (expires_at or now + timedelta(seconds=lifetime)).isoformat(),
        "createdAt": now.isoformat(),
    }
    if arn := string_in(answer, "profileArn"):
        entry["profileArn"] = arn
    return entry


_TEXTS = {
    "access_denied": "The sign-in was refused in the browser. Run the login again to retry.",
    "expired_token": "The code expired before it was confirmed. Run the login again and confirm it in time.",
    "invalid_client": "The sign-in service does not accept this client registration. Run the login again.",
    "invalid_request": "The sign-in service does not know this start URL in this region. Check both.",
    "invalid_grant": "The sign-in service did not accept the code. Run the login again.",
}


def oauth_code(answer: Mapping[str, Json]) -> str:
    """The OAuth error of an answer, AWS's exception names translated (§11.4)."""
    for key in ("error", "__type", "code"):
        if value := string_in(answer, key):
            name = value.rpartition("#")[2].partition(":")[0].removesuffix("Exception")
            return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return "unknown_error"


def login_failed(code: str) -> LoginFailed:
    """The error for an OAuth code, in words."""
    # A code is the service's word and may be anything: show it only if it looks like one.
    shown = code if code.isascii() and code.replace("_", "").isalnum() and len(code) <= 60 else "unknown_error"
    return LoginFailed(_TEXTS.get(code, f"The sign-in service answered {shown}. Try again later."), code=shown)


def checked_region(region: str) -> str:
    """``region`` if it is written like one; it becomes part of a host name (operations §7.8)."""
    if not REGION.fullmatch(region):
        raise LoginFailed("This is no AWS region. Use one like us-east-1.", code="invalid_region")
    return region


def clean_start_url(url: str) -> str:
    """People paste ``https://d-123.awsapps.com/start/#/?tab=accounts``: cut to what the service knows.

    Raises LoginFailed unless it is an https address of an access portal (operations §7.9).
    """
    parts = split_address(url.strip())
    host = ((parts.hostname if parts else None) or "").lower()
    plain = parts is not None and parts.scheme == "https" and parts.netloc.lower() == host
    if parts is None or not plain or not host.endswith(PORTAL_HOSTS):
        raise LoginFailed(
            "This is no start URL. They look like https://d-1234567890.awsapps.com/start; your administrator knows it.",
            code="invalid_start_url",
        )
    return f"https://{host}{parts.path.rstrip('/') or '/start'}"


def split_address(address: str) -> SplitResult | None:
    """The parts of a URL, None if it cannot even be split."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _seconds(value: Json, default: float) -> float:
    # JSON as Python reads it has infinities and integers beyond any float.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(min(value, 1e15))
    return default
