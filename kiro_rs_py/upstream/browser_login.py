"""Signing in with Google or GitHub through Kiro's portal and a loopback callback (PKCE; upstream-protocol §5.3)."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import LoginFailed
from kiro_rs_py.upstream.beside import tasks_beside
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.login import login_failed, oauth_code, post_json, split_address, token_entry
from kiro_rs_py.upstream.refresh import Caller

Provider: TypeAlias = Literal["google", "github"]

PORTAL = "https://app.kiro.dev"
# The only ports the portal sends a browser back to (§5.3).
CALLBACK_PORTS = (3128, 4649, 6588, 8008, 9091, 49153, 50153, 51153, 52153, 53153)
CALLBACK_PATHS = ("/oauth/callback", "/signin/callback")
SOCIAL_REGION = "us-east-1"
LOGIN_SECONDS = 600.0
READ_SECONDS = 10.0
MAX_HEAD_BYTES = 16_384
_OTHER_KINDS = {
    "builderid": "Run 'kiro-rs-py login --provider builder-id'.",
    "awsidc": "Run 'kiro-rs-py login --provider idc --start-url URL --region REGION'.",
    "external_idp": "Its company's own sign-in is not supported; create an API key (ksk_…) and import that.",
}


@dataclass(frozen=True, slots=True)
class Callback:
    """What the browser brought back: a code for ``redirect_uri``, checked against our state."""

    code: str = field(repr=False)
    redirect_uri: str
    provider: str


class BrowserLogin:
    """One login under way: open ``url`` in a browser, then ``wait()``. Made by :func:`open_browser_login`."""

    def __init__(self, http: Caller, endpoints: Endpoints, base: str, portal: str, provider: Provider) -> None:
        self._http = http
        self._endpoints = endpoints
        self._base = base
        self._provider = provider
        self._state = secrets.token_urlsafe(32)
        self._verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "state": self._state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "redirect_uri": base,
            "redirect_from": "KiroIDE",
            "login_option": provider,
        }
        self.url = f"{portal}/signin?{urlencode(query)}"
        self._answer: Callback | LoginFailed | None = None
        self._answered = trio.Event()

    async def wait(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> JsonObject:
        """Wait for the browser to come back and exchange the code; the answer is an entry for the credentials file.

        Raises LoginFailed (refused, too late, other kind of account) and UpstreamError.
        """
        with trio.move_on_after(LOGIN_SECONDS):
            await self._answered.wait()
        match self._answer:
            case None:
                raise LoginFailed("Nobody signed in within ten minutes. Run the login again.", code="expired_token")
            case LoginFailed():
                raise self._answer
            case Callback():
                return await self._exchange(self._answer, now)

    def receive_callback(self, url: str) -> LoginFailed | None:
        """Take the address the browser was sent to, from the loopback listener or pasted by a person.

        Returns why it is unusable, None if it is fine. One with a foreign state changes nothing: any page may make a
        browser visit the loopback address. The first answer counts; browsers like to load an address twice.
        """
        parts = split_address(url.strip())
        query = dict(parse_qsl(parts.query)) if parts else {}
        ours = secrets.compare_digest(query.get("state", "").encode("utf-8", "replace"), self._state.encode())
        if parts is None or parts.path not in CALLBACK_PATHS or not ours:
            return LoginFailed("This address does not belong to this login. Use the newest one.", code="foreign_state")
        if self._answer is None:
            self._answer = self._read(parts.path, query)
            self._answered.set()
        return self._answer if isinstance(self._answer, LoginFailed) else None

    def _read(self, path: str, query: dict[str, str]) -> Callback | LoginFailed:
        option = query.get("login_option", "")
        if "error" in query:
            return login_failed(oauth_code({"error": query["error"]}))
        if remedy := _OTHER_KINDS.get(option):
            return LoginFailed(f"This account signs in another way. {remedy}", code="other_provider")
        if "code" not in query:
            return LoginFailed("The sign-in came back without a code. Run the login again.", code="no_code")
        # The exchange repeats the address exactly, with the option if one came back (§5.3).
        suffix = f"?{urlencode({'login_option': option})}" if option else ""
        return Callback(query["code"], f"{self._base}{path}{suffix}", option or self._provider)

    async def _exchange(self, callback: Callback, now: Callable[[], datetime]) -> JsonObject:
        status, answer = await post_json(
            self._http,
            self._endpoints.social(SOCIAL_REGION, "/oauth/token"),
            {"code": callback.code, "code_verifier": self._verifier, "redirect_uri": callback.redirect_uri},
            agent="KiroIDE",
        )
        if status != 200:
            raise login_failed(oauth_code(answer))
        provider = {"google": "Google", "github": "Github"}.get(callback.provider.lower(), callback.provider)
        return token_entry(answer, now()) | {"authMethod": "social", "provider": provider}


@asynccontextmanager
async def open_browser_login(
    http: Caller, endpoints: Endpoints, *, provider: Provider, upstream_url: str | None = None
) -> AsyncIterator[BrowserLogin]:
    """Listen on a loopback port and yield the login; the listener ends with the block.

    Raises LoginFailed when none of the portal's ports is free.
    """
    listener = await _listen()
    base = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    login = BrowserLogin(http, endpoints, base, (upstream_url or PORTAL).rstrip("/"), provider)
    async with listener, tasks_beside() as nursery:
        nursery.start_soon(_serve_callbacks, listener, login)
        yield login


async def _listen() -> trio.SocketListener:
    for port in CALLBACK_PORTS:
        try:
            return (await trio.open_tcp_listeners(port, host="127.0.0.1"))[0]
        except OSError:
            continue
    ports = ", ".join(str(port) for port in CALLBACK_PORTS)
    raise LoginFailed(f"None of the ports the sign-in may return to is free ({ports}). Free one.", code="no_port")


async def _serve_callbacks(listener: trio.SocketListener, login: BrowserLogin) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        # A browser may leave at any time; whatever goes wrong on one connection must not end the login.
        with trio.move_on_after(READ_SECONDS):
            try:
                async with stream:
                    await stream.send_all(_page(login, await _request_target(stream)))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    await trio.serve_listeners(handle, [listener])


async def _request_target(stream: trio.SocketStream) -> str:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MAX_HEAD_BYTES:
        chunk = await stream.receive_some(4096)
        if not chunk:
            break
        head += chunk
    words = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ")
    return words[1] if len(words) == 3 and words[0] == "GET" else ""


def _page(login: BrowserLogin, target: str) -> bytes:
    if target.partition("?")[0] not in CALLBACK_PATHS:
        return _html("404 Not Found", "Nothing here.")
    failure = login.receive_callback(target)
    if failure is None:
        return _html("200 OK", "Thank you. Close this window; the sign-in is finished where you began it.")
    return _html("400 Bad Request", str(failure))


def _html(status: str, text: str) -> bytes:
    body = f"<!doctype html><meta charset=utf-8><title>kiro-rs-py</title><p>{html.escape(text)}</p>".encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
        "content-security-policy: default-src 'none'\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
