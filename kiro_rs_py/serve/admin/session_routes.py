"""Signing in to the administration and out of it (PRODUCT §6)."""

from __future__ import annotations

from dataclasses import dataclass

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.admin.api import Answer, Asked, Endpoint
from kiro_rs_py.serve.admin.bodies import read_members
from kiro_rs_py.serve.admin.door import Door, came_by_https
from kiro_rs_py.serve.admin.refusals import unauthorised
from kiro_rs_py.serve.admin.session import Session, expired_cookie_header
from kiro_rs_py.upstream.credential import format_time


@dataclass(frozen=True, slots=True)
class SessionRoutes:
    door: Door

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", "session", self.open, "session.open", is_open=True),
            Endpoint("GET", "session", self.show),
            Endpoint("DELETE", "session", self.close, "session.close"),
        ]

    async def open(self, asked: Asked) -> Answer:
        """The key for a cookie; later requests of the page need neither. ``remember``: the browser keeps the cookie
        when it is closed; the session ends when it would have."""
        members = await read_members(asked.call)
        key, remember = members.required_text("key"), members.boolean("remember", default=False)
        session, cookie = self.door.open_session(asked.call, key, remember=remember)
        return Answer(200, _shown(session), (cookie,))

    async def show(self, asked: Asked) -> Answer:
        """For a page that was reloaded: its CSRF token."""
        if asked.visitor.session is None:
            raise unauthorised("no_session", "There is no session; the key was sent instead.")
        return Answer(200, _shown(asked.visitor.session))

    async def close(self, asked: Asked) -> Answer:
        if asked.visitor.session is not None:
            self.door.sessions.close(asked.visitor.session)
        return Answer(204, None, (expired_cookie_header(secure=came_by_https(asked.call)),))


def _shown(session: Session) -> JsonObject:
    return {"csrfToken": session.csrf_token, "expiresAt": format_time(session.expires_at)}
