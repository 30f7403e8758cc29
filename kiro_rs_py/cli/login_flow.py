"""The two ways to sign in, from the first address to the stored account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal, TypeVar

from kiro_rs_py.cli.login_screen import Screen
from kiro_rs_py.cli.session import Session
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.upstream.beside import tasks_beside
from kiro_rs_py.upstream.browser_login import LOGIN_SECONDS, BrowserLogin, open_browser_login
from kiro_rs_py.upstream.credential import parse_credential
from kiro_rs_py.upstream.enrolment import Enrolled, enrol, keep_tokens, known_registration
from kiro_rs_py.upstream.login import BUILDER_ID_REGION, DeviceLogin
from kiro_rs_py.upstream.sources import BUILDER_ID_START_URL

T = TypeVar("T")


async def log_in(
    session: Session,
    screen: Screen,
    provider: Literal["builder-id", "idc", "google", "github"],
    *,
    start_url: str | None = None,
    region: str | None = None,
) -> Enrolled:
    """Sign in, keep the tokens, ask about the account.

    Until the tokens are there nothing is stored. Raises LoginFailed, UpstreamError, CredentialFileError.
    """
    # First of all: nobody shall confirm a login whose tokens then cannot be kept.
    await session.store.probe()
    try:
        if provider in ("google", "github"):
            entry = await _with_browser(session, screen, "google" if provider == "google" else "github")
        else:
            entry = await _with_code(session, screen, start_url, region)
    except BaseException as end:
        if not isinstance(end, Exception):  # cancelled, alone or in a group
            screen.say("Cancelled; nothing was stored.")
        raise
    kept = await keep_tokens(session.store, parse_credential(entry))
    screen.say("Signed in; the tokens are stored. Asking for plan and e-mail …")
    return await enrol(session.http, session.config, session.endpoints, session.store, session.state, kept.id)


async def _with_code(session: Session, screen: Screen, start_url: str | None, region: str | None) -> JsonObject:
    """Builder ID and Identity Center: a code, confirmed in any browser."""
    config = session.config
    login = DeviceLogin(
        session.http,
        session.endpoints,
        start_url=start_url or BUILDER_ID_START_URL,
        region=region or (config.auth_region or config.region if start_url else BUILDER_ID_REGION),
        upstream_url=config.upstream_url,
    )
    registration = await known_registration(
        session.store, start_url=login.start_url, region=login.region, now=datetime.now(UTC)
    )
    device = await login.start(registration)
    screen.show_code(device.verification_uri_complete, device.user_code)
    return await _beside(
        lambda: login.wait(device),
        lambda: screen.open_browser(device.verification_uri_complete),
        lambda: screen.count_down(device.expires_in),
    )


async def _with_browser(session: Session, screen: Screen, provider: Literal["google", "github"]) -> JsonObject:
    """Google and GitHub: the browser comes back to this machine, or its last address is pasted."""
    upstream_url = session.config.upstream_url
    async with open_browser_login(
        session.http, session.endpoints, provider=provider, upstream_url=upstream_url
    ) as login:
        screen.show_address(login.url)
        return await _beside(
            login.wait,
            lambda: screen.open_browser(login.url),
            lambda: _take_pasted(login, screen) if screen.can_paste else screen.count_down(LOGIN_SECONDS),
        )


async def _take_pasted(login: BrowserLogin, screen: Screen) -> None:
    while (line := await screen.read_line()) is not None:
        if line.strip() and (failure := login.receive_callback(line)) is not None:
            screen.say(str(failure))


async def _beside(wait: Callable[[], Awaitable[T]], *others: Callable[[], Awaitable[None]]) -> T:
    """``wait``, with ``others`` running as long as it does."""
    async with tasks_beside() as nursery:
        for other in others:
            nursery.start_soon(other)
        return await wait()
