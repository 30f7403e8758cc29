"""Sessions of the administration: a cookie in place of the key, and a token against forged writes (PRODUCT §6)."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

COOKIE = "kiro_admin"
IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
MOST_SESSIONS = 100


@dataclass(slots=True, eq=False)
class Session:
    """One browser that has shown the key. ``csrf_token`` must come back in a header with every write."""

    digest: bytes = field(repr=False)
    csrf_token: str = field(repr=False)
    opened_at: datetime
    seen_at: datetime

    @property
    def expires_at(self) -> datetime:
        """When it ends if nothing more happens."""
        return min(self.seen_at + IDLE, self.opened_at + ABSOLUTE)

    def owns(self, csrf_token: str) -> bool:
        return hmac.compare_digest(csrf_token.encode("utf-8", "replace"), self.csrf_token.encode())


class Sessions:
    """All of them, in memory only, the cookies' values as digests. ``now`` is the wall clock in UTC."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def open(self) -> tuple[str, Session]:
        """A new session and its cookie's value. The one unused for longest gives way when there are too many."""
        token, now = secrets.token_urlsafe(32), self._now()
        session = Session(_digest(token), secrets.token_urlsafe(32), now, now)
        self._sessions[session.digest] = session
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of a cookie, kept alive by being asked for; None if it is unknown or over."""
        session = self._sessions.get(_digest(token))
        if session is None or not self.is_alive(session):
            return None
        session.seen_at = self._now()
        self._sessions.move_to_end(session.digest)
        return session

    def is_alive(self, session: Session) -> bool:
        """Whether it may still be used; looking does not keep it alive."""
        if session.digest not in self._sessions:
            return False
        if self._now() < session.expires_at:
            return True
        del self._sessions[session.digest]
        return False

    def close(self, session: Session) -> None:
        self._sessions.pop(session.digest, None)

    def close_all(self) -> None:
        self._sessions.clear()


def _digest(token: str) -> bytes:
    # Looked up by digest, so that neither a memory dump nor the time of a comparison gives a cookie away.
    return sha256(token.encode("utf-8", "replace")).digest()


def cookie_header(token: str, *, secure: bool, remember: bool = False) -> tuple[bytes, bytes]:
    """``set-cookie`` for a session; it ends with the browser, with ``remember`` when the session must at the latest."""
    return _cookie(token, secure, (f"Max-Age={int(ABSOLUTE.total_seconds())}",) if remember else ())


def expired_cookie_header(*, secure: bool) -> tuple[bytes, bytes]:
    """``set-cookie`` that takes it away."""
    return _cookie("", secure, ("Max-Age=0",))


def _cookie(value: str, secure: bool, more: tuple[str, ...]) -> tuple[bytes, bytes]:
    parts = [f"{COOKIE}={value}", "Path=/", "HttpOnly", "SameSite=Strict", *(("Secure",) if secure else ()), *more]
    return b"set-cookie", "; ".join(parts).encode()


def cookie_in(header: str | None) -> str | None:
    """The value of our cookie in a ``cookie`` header."""
    for pair in (header or "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None
