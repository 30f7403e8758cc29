"""Access and refresh tokens: issued, rotated, expired, and revoked as a family when an old one comes back."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator import refusal
from kiro_rs_py.simulator.accounts import Account, Clock
from kiro_rs_py.simulator.asgi import Request

ACCESS_PREFIX = "aoaAAAAAG"
REFRESH_PREFIX = "aorAAAAAG"

# Old refresh tokens are remembered so that their reuse is noticed; a test never gets near this.
REMEMBERED = 5000

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Family:
    """All tokens that descend from one login. ``client_id`` is the OIDC client that must refresh it."""

    account: Account
    client_id: str | None
    refresh_token: str = field(repr=False)
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login or a refresh hands out; ``expires_at`` is epoch seconds by the service's clock."""

    account: Account
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float

    def to_json(self) -> JsonObject:
        """The members all token services share. They send whole seconds; shorter lifetimes exist only in tests."""
        lifetime = self.account.access_lifetime
        lifetime = int(lifetime) if lifetime >= 1 else lifetime
        return {"accessToken": self.access_token, "refreshToken": self.refresh_token, "expiresIn": lifetime}

    def to_social_json(self) -> JsonObject:
        """As Kiro's own service has it: with the profile, if there is one."""
        arn = self.account.profile_arn
        return self.to_json() | ({"profileArn": arn} if arn is not None else {})


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh call, for tests to look at; ``outcome`` is ``rotated``, ``reuse``, ``unknown``, …"""

    account: str | None
    outcome: str
    issued: str | None = field(default=None, repr=False)


class Grants:
    """The token table. ``reuses`` counts spent refresh tokens that were presented again."""

    def __init__(self, clock: Clock, accounts: Mapping[str, Account]) -> None:
        self.clock = clock
        self.accounts = accounts
        self.reuses = 0
        self.refreshes: deque[Refresh] = deque(maxlen=REMEMBERED)
        self._families: dict[str, Family] = {}
        self._access: dict[str, tuple[Family, float]] = {}

    def login(self, account: Account, *, client_id: str | None = None) -> Grant:
        """A new family."""
        family = Family(account, client_id, new_token(REFRESH_PREFIX))
        remember(self._families, family.refresh_token, family)
        return self._issue(family)

    def refresh(self, token: str, *, client_id: str | None = None) -> Grant:
        """Rotates, and raises ``OAuthRefusal`` (``invalid_grant``) for unknown, revoked, foreign and spent tokens.

        A spent token that comes back revokes its whole family: that is how the service sees a stolen token, and what
        two programs do to each other that refresh the same credential (field-notes 11).
        """
        family = self._families.get(token)
        outcome = self._refuse(family, token, client_id)
        if family is None or outcome is not None:
            self.refreshes.append(Refresh(family.account.name if family else None, outcome or "unknown"))
            raise refusal.OAuthRefusal("invalid_grant", "Invalid refresh token provided")
        family.refresh_token = new_token(REFRESH_PREFIX)
        remember(self._families, family.refresh_token, family)
        grant = self._issue(family)
        self.refreshes.append(Refresh(family.account.name, "rotated", grant.refresh_token))
        return grant

    def account_of(self, request: Request) -> Account:
        """Whose call this is, by its bearer token and token type; raises the service's refusal."""
        authorization = request.header("authorization") or ""
        scheme, _, token = authorization.partition(" ")
        kind = request.header("tokentype")
        if scheme.lower() != "bearer" or not token:
            raise refusal.bearer_invalid()
        for account in self.accounts.values():
            if account.api_key and secrets.compare_digest(account.api_key.encode(), token.encode()):
                # Without the header the key is taken for a token that lacks its profile (upstream-protocol §1.5).
                if kind != "API_KEY":
                    raise refusal.arn_required()
                return account
        family, expires_at = self._access.get(token, (None, 0.0))
        if family is None or family.revoked or expires_at <= self.clock.now():
            raise refusal.bearer_invalid()
        if kind not in (None, "SSO_OIDC"):
            raise refusal.token_type_wrong()
        return family.account

    def expire(self, account: Account) -> None:
        """All its access tokens are over; refreshing helps."""
        self._access = {token: entry for token, entry in self._access.items() if entry[0].account is not account}

    def revoke(self, account: Account) -> None:
        """As if its owner had signed out everywhere: neither access nor refresh tokens are taken any more."""
        for family in self._families.values():
            if family.account is account:
                family.revoked = True

    def _refuse(self, family: Family | None, token: str, client_id: str | None) -> str | None:
        """Why this refresh is refused, None if it is not."""
        if family is None:
            return "unknown"
        if family.revoked:
            return "revoked"
        if family.client_id != client_id:
            return "foreign"
        if token != family.refresh_token:
            self.reuses += 1
            family.revoked = True
            return "reuse"
        return None

    def _issue(self, family: Family) -> Grant:
        account = family.account
        expires_at = self.clock.now() + account.access_lifetime
        grant = Grant(account, new_token(ACCESS_PREFIX), family.refresh_token, expires_at)
        remember(self._access, grant.access_token, (family, grant.expires_at))
        return grant


def new_token(prefix: str) -> str:
    """Opaque, and longer than the 100 characters below which a refresh token is taken for cut (§4.1)."""
    return f"{prefix}:{secrets.token_urlsafe(96)}"


def remember(table: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Puts it in, and the oldest entry out when the table gets too long."""
    table[key] = value
    if len(table) > REMEMBERED:
        del table[next(iter(table))]
