"""Signing accounts in from a page: device logins as jobs that outlive the request that began them (operations §7.9)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import CredentialFileError, KiroError, LoginFailed
from kiro_rs_py.serve.admin.enrolling import Enrolling
from kiro_rs_py.serve.admin.events import Hub
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import BUG, Refusal, refusal_of, too_many
from kiro_rs_py.serve.admin.views import time_text
from kiro_rs_py.upstream.credential import format_time, parse_credential
from kiro_rs_py.upstream.enrolment import keep_tokens, known_registration
from kiro_rs_py.upstream.login import BUILDER_ID_REGION, DeviceCode, DeviceLogin
from kiro_rs_py.upstream.sources import BUILDER_ID_START_URL

logger = logging.getLogger(__name__)

Method: TypeAlias = Literal["builder-id", "idc"]
Status: TypeAlias = Literal["pending", "completed", "failed", "cancelled", "expired"]

MOST_PENDING = 5
MOST_LOGINS = 50
KEPT_SECONDS = 600.0
"""How long a login that has ended can still be asked about."""


@dataclass(slots=True, eq=False)
class Login:
    """One login; ``device`` and with it the codes and secrets are forgotten when it has ended."""

    id: str
    wish: tuple[str, Method, str, str]
    """Whose it is, and where they sign in: owner, method, start URL, region."""
    label: str | None
    expires_at: datetime
    device: DeviceCode | None = field(repr=False)
    status: Status = "pending"
    completed_at: datetime | None = None
    credential_id: int | None = None
    email: str | None = field(default=None, repr=False)
    subscription: str | None = None
    token_expires_at: str | None = None
    warnings: tuple[str, ...] = ()
    code: str | None = None
    message: str | None = None
    ended: float | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def to_json(self) -> JsonObject:
        """As ``GET /logins/{id}`` and the events show it."""
        body: JsonObject = {"id": self.id, "status": self.status, "expiresAt": format_time(self.expires_at)}
        if self.status == "completed":
            body |= {"credentialId": self.credential_id, "email": self.email, "subscription": self.subscription}
            body["warnings"] = list(self.warnings)
        elif self.status != "pending":
            body |= {"code": self.code, "message": self.message}
        return body

    def invitation(self) -> JsonObject:
        """What a person needs to confirm it, as ``POST /logins`` answers it."""
        assert self.device is not None, "a login that has just begun"
        interval = self.device.interval
        return {
            "id": self.id,
            "userCode": self.device.user_code,
            "verificationUri": self.device.verification_uri,
            "verificationUriComplete": self.device.verification_uri_complete,
            "expiresAt": format_time(self.expires_at),
            "interval": int(interval) if interval.is_integer() else interval,
            "qr": qr_code(self.device.verification_uri_complete),
        }


class Logins:
    """All of them. ``spawn`` starts a task that lives as long as the server."""

    def __init__(self, house: House, enrolling: Enrolling, hub: Hub, spawn: Callable[..., None]) -> None:
        self._house = house
        self._enrolling = enrolling
        self._hub = hub
        self._spawn = spawn
        self._logins: dict[str, Login] = {}
        self._starting = 0

    async def start(
        self, method: Method, *, start_url: str | None, region: str | None, label: str | None, owner: str
    ) -> Login:
        """Ask the service for a code and begin to wait for the person.

        ``owner`` is who may be given it again by :meth:`pending_of`. Raises LoginFailed, UpstreamError, ConfigError,
        and Refusal (429) when too many are waiting.
        """
        self.purge()
        pending = sum(login.status == "pending" for login in self._logins.values())
        if pending + self._starting >= MOST_PENDING:
            raise too_many("too_many_logins", f"{MOST_PENDING} logins are waiting already. Cancel one.", 60.0)
        start_url, region = _place(method, start_url, region)
        device_login = DeviceLogin(
            self._house.http,
            self._house.endpoints,
            start_url=start_url,
            region=region,
            upstream_url=self._house.config.upstream_url,
            now=self._house.now,
        )
        self._starting += 1
        try:
            device = await self._begin(device_login)
        finally:
            self._starting -= 1
        login = Login(
            id=secrets.token_urlsafe(32),
            wish=(owner, method, device_login.start_url, device_login.region),
            label=label,
            expires_at=self._house.now() + timedelta(seconds=device.expires_in),
            device=device,
        )
        self._logins[login.id] = login
        self._spawn(self._run, login, device_login, device)
        return login

    def get(self, login_id: str) -> Login:
        """Raises Refusal (404) for one that is unknown, or over for too long."""
        self.purge()
        login = self._logins.get(login_id)
        if login is None:
            raise Refusal(404, "not_found", "login_not_found", "There is no such login, or it ended long ago.")
        return login

    def pending_of(self, owner: str, method: Method, start_url: str | None, region: str | None) -> Login | None:
        """A login of the same kind that somebody has begun already: reloading a page must not begin another."""
        wish = (owner, method, *_place(method, start_url, region))
        waiting = (login for login in self._logins.values() if login.status == "pending")
        return next((login for login in waiting if login.wish == wish), None)

    def cancel(self, login_id: str) -> None:
        """Give a login up; one that has ended, or whose tokens are here already, is not touched."""
        self.get(login_id).scope.cancel()

    def purge(self) -> None:
        """Forget logins that ended long ago."""
        now = self._house.clock()
        over = [login for login in self._logins.values() if login.ended is not None]
        spare = len(self._logins) - MOST_LOGINS
        for number, login in enumerate(over):
            if number < spare or now - (login.ended or now) > KEPT_SECONDS:
                del self._logins[login.id]

    # --- one login ---

    async def _begin(self, device_login: DeviceLogin) -> DeviceCode:
        """A new client registration only if no earlier one is still good: each lives for ninety days (§4.5)."""
        registration = None
        try:
            registration = await known_registration(
                self._house.store, start_url=device_login.start_url, region=device_login.region, now=self._house.now()
            )
        except CredentialFileError as error:
            logger.warning("earlier registrations cannot be looked up: %s", error)
        return await device_login.start(registration)

    async def _run(self, login: Login, device_login: DeviceLogin, device: DeviceCode) -> None:
        self._hub.publish("login", login.to_json())
        entry: JsonObject | None = None
        try:
            with login.scope:
                entry = await device_login.wait(device)
            if entry is None:
                self._end(login, "cancelled", "cancelled", "The login was cancelled.")
            else:
                await self._finish(login, entry)
        except LoginFailed as error:
            self._end(login, "expired" if error.code == "expired_token" else "failed", error.code, str(error))
        except (KiroError, Refusal) as error:
            refusal = refusal_of(error) or BUG
            self._end(login, "failed", refusal.code, refusal.message)
        except Exception:
            # A bug here must not take the server down with it.
            logger.exception("a login failed in an unforeseen way")
            self._end(login, "failed", "internal_error", "The login failed in an unforeseen way; see the log.")

    async def _finish(self, login: Login, entry: JsonObject) -> None:
        """Keep the tokens as issued, then find out whose they are; success only when they are on disk."""
        house = self._house
        if login.label:
            entry["label"] = login.label
        with trio.CancelScope(shield=True):
            kept = await keep_tokens(house.store, parse_credential(entry))
            await house.pool.reload()
        added = await self._enrolling.learn(kept.id)
        login.credential_id = added.credential.id
        login.email = added.credential.email
        login.subscription = added.credential.subscription_title
        login.warnings = added.doubts
        login.token_expires_at = time_text(added.credential.expires_at)
        self._end(login, "completed")

    def _end(self, login: Login, status: Status, code: str | None = None, message: str | None = None) -> None:
        login.status = status
        login.code, login.message = code, message
        login.device = None
        login.completed_at = self._house.now()
        login.ended = self._house.clock()
        logger.info("login: %s%s", status, "" if code is None else f" ({code})")
        self._hub.publish("login", login.to_json())


def _place(method: Method, start_url: str | None, region: str | None) -> tuple[str, str]:
    """Start URL and region; Builder ID has one of each."""
    if method == "builder-id":
        return BUILDER_ID_START_URL, BUILDER_ID_REGION
    return start_url or "", region or BUILDER_ID_REGION


def qr_code(address: str) -> str:
    """A QR code as the text of an SVG element, dark on white whatever the page's colours."""
    import segno  # 10 ms that only a login needs

    return str(segno.make(address, micro=False).svg_inline(scale=4, border=2, light="#fff"))
