"""What a browser does during a login: sign-in pages that send it on with a code (upstream-protocol §5.3).

There is no page to fill in: whoever opens the address is signed in at once and sent back, unless ``denies`` is set.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.asgi import Answer, Request, json_answer, page, redirect
from kiro_rs_py.simulator.grants import Grants, remember
from kiro_rs_py.simulator.refusal import OAuthRefusal

CODE_LIFETIME = 600.0
# The portal sends a browser back to these ports only (upstream-protocol §5.3).
PORTAL_PORTS = frozenset((3128, 4649, 6588, 8008, 9091, 49153, 50153, 51153, 52153, 53153))
PORTAL_CALLBACK = "/oauth/callback"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code on its way back; ``redirect_uri`` must be repeated exactly when it is redeemed."""

    account: Account
    challenge: str = field(repr=False)
    redirect_uri: str
    expires_at: float


class Browser:
    """Sign-in addresses and the codes they handed out; with ``denies`` whoever sits at the browser refuses."""

    def __init__(self, grants: Grants) -> None:
        self.grants = grants
        self.denies = False
        self._codes: dict[str, Code] = {}

    def signin(self, request: Request) -> Answer:
        """``GET /signin``, the portal: it calls back at ``{redirect_uri}/oauth/callback`` with a ``login_option``."""
        base = request.query.get("redirect_uri", "")
        if not _is_loopback(base) or urlsplit(base).port not in PORTAL_PORTS:
            return page("Sign-in failed", "<p>redirect_uri is not allowed.</p>", 400)
        account = self._who(request.query.get("login_option", "").title())
        option = account.provider.lower()
        target = f"{base.rstrip('/')}{PORTAL_CALLBACK}?{urlencode({'login_option': option})}"
        return self._send_back(request, target, account)

    def exchange(self, request: Request) -> Answer:
        """``POST /oauth/token`` of the social service: snake_case in, camelCase out."""
        body = request.json_object
        values = [body.get(key) for key in ("code", "code_verifier", "redirect_uri")]
        code, verifier, target = (value if isinstance(value, str) else "" for value in values)
        account = self.redeem(code, verifier=verifier, redirect_uri=target)
        return json_answer(self.grants.login(account).to_social_json())

    def redeem(self, code: str, *, verifier: str, redirect_uri: str) -> Account:
        """Whose code it is. Raises ``invalid_grant`` unless code, PKCE verifier and redirect URI all fit; a
        code is spent by the attempt, right or wrong."""
        known = self._codes.pop(code, None)
        if (
            known is None
            or known.expires_at <= self.grants.clock.now()
            or known.redirect_uri != redirect_uri
            or known.challenge != pkce_challenge(verifier)
        ):
            raise OAuthRefusal("invalid_grant", "The authorization code is invalid")
        return known.account

    def _who(self, provider: str) -> Account:
        """The first account that fits best."""
        accounts = list(self.grants.accounts.values())
        social = [entry for entry in accounts if entry.method == "social"]
        fitting = [entry for entry in social if entry.provider == provider]
        return [*fitting, *social, *accounts][0]

    def _send_back(self, request: Request, target: str, account: Account) -> Answer:
        state = request.query.get("state", "")
        challenge = request.query.get("code_challenge", "")
        if not challenge or request.query.get("code_challenge_method") != "S256" or not state:
            return page("Sign-in failed", "<p>state and an S256 code_challenge are required.</p>", 400)
        if self.denies:
            answer = {"error": "access_denied", "error_description": "The person refused.", "state": state}
        else:
            code = secrets.token_urlsafe(24)
            expires_at = self.grants.clock.now() + CODE_LIFETIME
            remember(self._codes, code, Code(account, challenge, target, expires_at))
            answer = {"code": code, "state": state}
        return redirect(f"{target}{'&' if '?' in target else '?'}{urlencode(answer)}")


def pkce_challenge(verifier: str) -> str:
    """RFC 7636, method S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in LOOPBACK
