"""The OIDC service of Builder ID and IAM Identity Center: register, device flow, token (upstream-protocol §4.3, §5)."""

from __future__ import annotations

import html
import secrets
from dataclasses import dataclass, field
from typing import Literal

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.accounts import BUILDER_ID_START_URL, Account
from kiro_rs_py.simulator.asgi import Answer, Request, json_answer, page
from kiro_rs_py.simulator.grants import Grants, remember
from kiro_rs_py.simulator.refusal import OAuthRefusal, required_text

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
REGISTRATION_LIFETIME = 90 * 86_400
SLOW_DOWN_STEP = 5.0
# Answers a poll that comes a moment early, as clients with coarse timers do.
POLL_TOLERANCE = 0.05
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered client; ``expires_at`` is epoch seconds."""

    client_id: str
    client_secret: str = field(repr=False)
    issued_at: int
    expires_at: int


@dataclass(slots=True)
class Device:
    """One device authorization, from its start to its one grant."""

    device_code: str = field(repr=False)
    user_code: str
    client_id: str
    start_url: str
    expires_at: float
    interval: float
    state: Literal["pending", "approved", "denied"] = "pending"
    account: Account | None = None
    polled_at: float | None = None


class Oidc:
    """Registered clients and pending device codes.

    ``interval`` (seconds between polls) and ``lifetime`` (of device codes) apply to authorizations started later.
    With ``approve_as`` set to an account's name, device codes are approved at once, with no person at the page.
    """

    def __init__(self, grants: Grants) -> None:
        self.clock = grants.clock
        self.accounts = grants.accounts
        self.grants = grants
        self.interval = 5.0
        self.lifetime = 600.0
        self.approve_as: str | None = None
        self.base_url = ""
        self.registrations: dict[str, Registration] = {}
        self.devices: dict[str, Device] = {}

    # --- the calls ----------------------------------------------------------------------------------------------

    def register(self, request: Request) -> Answer:
        """``POST /client/register``."""
        body = request.json_object
        if not isinstance(body.get("clientName"), str) or body.get("clientType") != "public":
            raise OAuthRefusal("invalid_client_metadata", "clientName and clientType public are required")
        registration = self.new_registration()
        return json_answer(
            {
                "clientId": registration.client_id,
                "clientSecret": registration.client_secret,
                "clientIdIssuedAt": registration.issued_at,
                "clientSecretExpiresAt": registration.expires_at,
                "authorizationEndpoint": None,
                "tokenEndpoint": None,
            }
        )

    def start_device(self, request: Request) -> Answer:
        """``POST /device_authorization``."""
        body = request.json_object
        registration = self._client(body)
        start_url = body.get("startUrl")
        known = {BUILDER_ID_START_URL, *(account.start_url for account in self.accounts.values())}
        if not isinstance(start_url, str) or start_url not in known:
            raise OAuthRefusal("invalid_request", "startUrl is not one of ours")
        letters = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(8))
        device = Device(
            device_code=secrets.token_urlsafe(48),
            user_code=f"{letters[:4]}-{letters[4:]}",
            client_id=registration.client_id,
            start_url=start_url,
            expires_at=self.clock.now() + self.lifetime,
            interval=self.interval,
        )
        remember(self.devices, device.device_code, device)
        if self.approve_as is not None:
            self.approve(device.user_code, self.approve_as)
        uri = f"{self.base_url}/device"
        return json_answer(
            {
                "deviceCode": device.device_code,
                "userCode": device.user_code,
                "verificationUri": uri,
                "verificationUriComplete": f"{uri}?user_code={device.user_code}",
                "expiresIn": int(self.lifetime),
                "interval": int(device.interval) if device.interval.is_integer() else device.interval,
            }
        )

    def token(self, request: Request) -> Answer:
        """``POST /token``: both grants. The body is camelCase JSON, a form is wrong (§4.3)."""
        body = request.json_object
        registration = self._client(body)
        match body.get("grantType"):
            case "refresh_token":
                grant = self.grants.refresh(required_text(body, "refreshToken"), client_id=registration.client_id)
            case kind if kind == DEVICE_CODE:
                account = self._poll(required_text(body, "deviceCode"), registration)
                grant = self.grants.login(account, client_id=registration.client_id)
            case _:
                raise OAuthRefusal("unsupported_grant_type", "grantType is not supported")
        return json_answer(grant.to_json() | {"tokenType": "Bearer", "idToken": None})

    # --- the person at the page ---------------------------------------------------------------------------------

    def approve(self, user_code: str, account: str | None = None) -> None:
        """The person agrees, as the named account (default: the first one of that start URL).

        Raises KeyError for an unknown code or account.
        """
        device = self._device(user_code)
        if account is not None:
            device.account = self.accounts[account]
        else:
            fitting = [entry for entry in self.accounts.values() if entry.start_url == device.start_url]
            device.account = next((entry for entry in fitting if entry.method == "idc"), fitting[0])
        device.state = "approved"

    def deny(self, user_code: str) -> None:
        """The person refuses. Raises KeyError for an unknown code."""
        self._device(user_code).state = "denied"

    def device_page(self, request: Request) -> Answer:
        """``GET`` and ``POST /device``: the form, and what was decided with it."""
        values = request.form if request.method == "POST" else request.query
        code = values.get("user_code", "")
        try:
            device = self._device(code)
        except KeyError:
            form = "<form><input name=user_code autofocus> <button>Next</button></form>"
            return page("Enter the code", form, 404 if code else 200)
        match values.get("action"):
            case "approve" if request.method == "POST":
                self.approve(code, values.get("account") or None)
                return page("Approved", "<p>You may close this page.</p>")
            case "deny" if request.method == "POST":
                self.deny(code)
                return page("Denied", "<p>You may close this page.</p>")
            case _:
                return page("Authorize the request", self._form(device))

    # --- pieces -------------------------------------------------------------------------------------------------

    def new_registration(self) -> Registration:
        """A client as :meth:`register` makes it, for credentials that were never logged in through a flow."""
        now = int(self.clock.now())
        client_id, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(64)
        registration = Registration(client_id, secret, now, now + REGISTRATION_LIFETIME)
        remember(self.registrations, client_id, registration)
        return registration

    def _client(self, body: JsonObject) -> Registration:
        client_id = body.get("clientId")
        registration = self.registrations.get(client_id) if isinstance(client_id, str) else None
        if registration is None or body.get("clientSecret") != registration.client_secret:
            raise OAuthRefusal("invalid_client", "clientId or clientSecret is wrong")
        if registration.expires_at <= self.clock.now():
            raise OAuthRefusal("invalid_client", "the client registration has expired")
        return registration

    def _poll(self, device_code: str, registration: Registration) -> Account:
        """The account that approved; raises what RFC 8628 §3.5 says otherwise. A code is good for one grant."""
        device = self.devices.get(device_code)
        if device is None or device.client_id != registration.client_id:
            raise OAuthRefusal("invalid_grant", "Invalid device code provided")
        now = self.clock.now()
        if now >= device.expires_at:
            raise OAuthRefusal("expired_token", "The device code has expired")
        early = device.polled_at is not None and now - device.polled_at < device.interval - POLL_TOLERANCE
        device.polled_at = now
        if early:
            device.interval += SLOW_DOWN_STEP
            raise OAuthRefusal("slow_down", "Polling too fast")
        if device.state == "denied":
            raise OAuthRefusal("access_denied", "The request was denied")
        if device.account is None:
            raise OAuthRefusal("authorization_pending", "Authorization is still pending")
        del self.devices[device_code]
        return device.account

    def _device(self, user_code: str) -> Device:
        wanted = user_code.strip().upper()
        for device in self.devices.values():
            if device.user_code == wanted and device.expires_at > self.clock.now():
                return device
        raise KeyError(user_code)

    def _form(self, device: Device) -> str:
        code = html.escape(device.user_code)
        options = "".join(
            f"<option value='{html.escape(account.name)}'>{html.escape(account.name)}</option>"
            for account in self.accounts.values()
            if account.method != "api_key" and account.start_url == device.start_url
        )
        return (
            f"<p>Code: <b>{code}</b></p><form method=post action=/device>"
            f"<input type=hidden name=user_code value='{code}'><select name=account>{options}</select> "
            "<button name=action value=approve>Approve</button> <button name=action value=deny>Deny</button></form>"
        )
