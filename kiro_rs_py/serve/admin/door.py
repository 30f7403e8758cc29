"""Who may come in: the admin key in a header, or a session that was opened with it (operations §5.1, PRODUCT §6)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from kiro_rs_py.config.access_keys import digest_of
from kiro_rs_py.config.serving import is_loopback
from kiro_rs_py.serve.admin.guard import Guard
from kiro_rs_py.serve.admin.refusals import Refusal, forbidden, too_many, unauthorised
from kiro_rs_py.serve.admin.session import Session, Sessions, cookie_header, cookie_in
from kiro_rs_py.serve.admin.throttle import Throttle
from kiro_rs_py.serve.app import Call, presented_keys
from kiro_rs_py.serve.reply import Header

# A request with one of these came through a proxy, whatever the socket says.
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was let in. ``session`` is there if they came with a cookie, and not with the key."""

    session: Session | None = field(default=None, repr=False)

    @property
    def who(self) -> str:
        """How they are called in the audit."""
        return "session" if self.session else "key"


class Door:
    """``key`` opens it. With ``loopback_only`` nobody else on the network gets in, not even with the key. ``by_file``:
    they come through a socket file, so from this machine, and have no address."""

    def __init__(
        self,
        key: str,
        guard: Guard,
        sessions: Sessions,
        throttle: Throttle,
        *,
        loopback_only: bool,
        by_file: bool = False,
    ) -> None:
        self.sessions = sessions
        self._guard = guard
        self._throttle = throttle
        self._loopback_only = loopback_only
        self._by_file = by_file
        self._digest = b""
        self.change_key(key)

    def change_key(self, key: str) -> None:
        """Take another key from now on; who came in with the old one has to come again. An empty key opens nothing."""
        digest = digest_of(key)
        if digest != self._digest:
            self.sessions.close_all()
        self._digest = digest

    def check_place(self, call: Call) -> None:
        """Raises Refusal (403) for a foreign host or origin, or a peer that may not be here at all."""
        self._guard.check(call)
        if self._loopback_only:
            forwarded = any(call.header(name) is not None for name in _FORWARDED)
            if forwarded or not (self._by_file or is_loopback(call.client)):
                raise forbidden("not_local", "Without adminApiKey this is for programs on the same machine only.")

    def admit(self, call: Call) -> Visitor:
        """Let a request in. Raises Refusal: 403 for its place, 401 for its key, 429 after too many wrong ones."""
        self.check_place(call)
        cookie = cookie_in(call.header(b"cookie"))
        session = self.sessions.find(cookie) if cookie else None
        keys = list(presented_keys(call.headers))
        if keys:
            try:
                self._check_key(call.client, keys)
            except Refusal:
                if session is None:
                    raise
            else:
                return Visitor()
        if session is not None:
            return Visitor(session)
        if cookie:
            raise unauthorised("session_expired", "The session is over. Sign in again.")
        raise unauthorised("missing_key", "Invalid or missing admin API key")

    def check_csrf(self, call: Call, visitor: Visitor, token: str | None = None) -> None:
        """Raises Refusal (403) unless a write with a cookie proves that it comes from our own page.

        ``token`` is what a form brought; without it the header is read. Who sends the key needs no proof: no page can.
        """
        given = call.header(b"x-csrf-token") if token is None else token
        if visitor.session is not None and not (given and visitor.session.owns(given)):
            raise forbidden("csrf", "The CSRF token is missing or wrong. Reload the page and try again.")

    def open_session(self, call: Call, key: str, *, remember: bool = False) -> tuple[Session, Header]:
        """A session for who knows the key, and its ``set-cookie`` header. Raises Refusal (401, 429).

        :meth:`check_place` comes before. An older session of the same browser is closed. ``remember``: the cookie
        outlives the browser's window, though not the session.
        """
        self._check_key(call.client, [key.strip().encode("utf-8", "replace")])
        cookie = cookie_in(call.header(b"cookie"))
        older = self.sessions.find(cookie) if cookie else None
        if older is not None:
            self.sessions.close(older)
        token, session = self.sessions.open()
        return session, cookie_header(token, secure=came_by_https(call), remember=remember)

    def _check_key(self, peer: str, keys: list[bytes]) -> None:
        wait = self._throttle.wait_of(peer)
        if wait > 0:
            raise too_many(
                "too_many_attempts",
                f"Too many wrong keys. Try again in {wait:.0f} seconds.",
                wait,
                kind="authentication_error",
            )
        valid = False
        for key in keys:
            valid |= hmac.compare_digest(sha256(key).digest(), self._digest)
        if valid:
            self._throttle.succeeded(peer)
            return
        if any(keys):
            self._throttle.failed(peer)
        raise unauthorised("wrong_key", "Invalid or missing admin API key")


def came_by_https(call: Call) -> bool:
    """Whether the browser spoke TLS, to a reverse proxy: we never do. Who lies about it only loses their cookie."""
    origin, proto = call.header(b"origin") or "", call.header(b"x-forwarded-proto") or ""
    return origin.lower().startswith("https://") or proto.partition(",")[0].strip().lower() == "https"
