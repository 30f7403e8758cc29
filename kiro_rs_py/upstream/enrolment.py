"""From fresh tokens to an account in the file: kept first, asked about then, and never twice (operations §7.9).

Used by every way to come by tokens: the terminal's login and import, and the admin pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import AccountSuspended, KiroError, UpstreamError, UpstreamRejected, UpstreamUnauthorized
from kiro_rs_py.upstream.control import find_profile_arn, is_token_refused
from kiro_rs_py.upstream.credential import REFRESH_MARGIN, Credential, changed_members
from kiro_rs_py.upstream.document import CredentialDocument, UnknownCredential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.leases import LOCKED
from kiro_rs_py.upstream.login import Registration
from kiro_rs_py.upstream.refresh import Caller
from kiro_rs_py.upstream.sources import BUILDER_ID_START_URL
from kiro_rs_py.upstream.state import CachedBalance, SavedStanding, State, StateStore
from kiro_rs_py.upstream.store import CredentialStore
from kiro_rs_py.upstream.usage import Usage, fetch_usage

if TYPE_CHECKING:
    from kiro_rs_py.upstream.pool import CredentialPool

logger = logging.getLogger(__name__)

TURN_SECONDS = 20.0

# What belongs to a login, and goes over as a whole when an account logs in again: a client registration of one login
# with the refresh token of another is refused (upstream-protocol §4.5).
_LOGIN = (
    "auth_method", "access_token", "refresh_token", "expires_at", "client_id", "client_secret",
    "client_secret_expires_at", "kiro_api_key", "region", "auth_region", "start_url", "provider", "source_fingerprint",
)  # fmt: skip
_FACTS = ("profile_arn", "email", "subscription_title", "user_id")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where tokens are in the file. ``known`` says that an account had these very tokens already."""

    id: int
    known: bool


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An account as it now stands in the file.

    ``replaced``: the account was there already, and its tokens are the new ones now. ``usage`` is None if the service
    did not say; ``doubts`` are sentences about what could not be found out.
    """

    credential: Credential
    replaced: bool
    usage: Usage | None
    doubts: tuple[str, ...] = ()


# --- first: nothing is lost -------------------------------------------------------------------------------------


async def keep_tokens(store: CredentialStore, credential: Credential) -> Kept:
    """Put tokens into the file before anything else is done with them; the same tokens are not put in twice.

    Raises CredentialFileError.
    """

    def keep(document: CredentialDocument) -> Kept:
        for known in document.stored().credentials:
            if known.fingerprint == credential.fingerprint:
                document.patch(known.id, changed_members(known, _completed(known, credential)))
                return Kept(known.id, known=True)
        return Kept(document.add(credential).id, known=False)

    with trio.CancelScope(shield=True):
        updated = await store.update(keep)
    return updated.value


async def find_spent(store: CredentialStore, credential: Credential) -> Credential | None:
    """The account that was imported with these tokens and has rotated them since; None if there is none.

    Presenting a spent refresh token can revoke the whole login (upstream-protocol §4.5), so this is asked before.
    Raises CredentialFileError.
    """
    for known in (await store.read()).credentials:
        imported_so = known.source_fingerprint is not None and known.source_fingerprint == credential.fingerprint
        if imported_so and known.fingerprint != credential.fingerprint:
            return known
    return None


def _completed(known: Credential, other: Credential) -> Credential:
    """``known``, with what only ``other`` knows. Its own tokens are the same or newer."""
    missing = {name: getattr(other, name) for name in (*_LOGIN, *_FACTS, "label") if getattr(known, name) is None}
    return replace(known, **missing)


# --- then: whose are they ---------------------------------------------------------------------------------------


async def enrol(
    http: Caller,
    config: Config,
    endpoints: Endpoints,
    store: CredentialStore,
    state: StateStore,
    credential_id: int,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Enrolled:
    """Ask about an account whose tokens are kept, keep what is learnt, and put it together with an older entry of it.

    Whatever the service says, the tokens stay. Raises UpstreamUnauthorized for an API key that is refused, before
    anything else is changed, CredentialFileError, and UnknownCredential when somebody has removed the account
    meanwhile.
    """
    credential = await _get(store, credential_id)
    doubts: list[str] = []
    learnt, usage = credential, None
    try:
        if credential.auth_method == "idc" and credential.profile_arn is None:
            learnt = replace(learnt, profile_arn=await find_profile_arn(http, config, endpoints, credential))
    except UpstreamError as error:
        doubts.append(f"Its profile could not be looked up: {error}")
    try:
        usage = await fetch_usage(http, config, endpoints, learnt)
    except UpstreamError as error:
        if isinstance(error, UpstreamUnauthorized) and credential.auth_method == "api_key":
            raise
        if isinstance(error, AccountSuspended):
            await _remember_lock(state, credential, now())
        doubts.append(f"Its plan and e-mail could not be asked for: {error}")
    else:
        learnt = with_facts(learnt, usage)
    await store.update(lambda document: document.patch(credential_id, changed_members(credential, learnt)))
    merged_id = await merge_account(store, credential_id)
    if usage is not None:
        await _remember_balance(state, merged_id, usage, now())
    return Enrolled(await _get(store, merged_id), merged_id != credential_id, usage, tuple(doubts))


def with_facts(credential: Credential, usage: Usage) -> Credential:
    """The credential with what the usage call has told about its owner."""
    return replace(
        credential,
        email=usage.email or credential.email,
        subscription_title=usage.subscription_title or credential.subscription_title,
        user_id=usage.user_id or credential.user_id,
    )


async def _remember_balance(state: StateStore, credential_id: int, usage: Usage, now: datetime) -> None:
    """Keep a balance in the state file. Trouble with that file is logged: the balance is only a copy."""

    def change(saved: State) -> None:
        saved.balances[credential_id] = CachedBalance(now, usage.to_json(credential_id))

    try:
        await state.update(change)
    except KiroError as error:
        logger.warning("the balance is not remembered: %s", error)


async def _remember_lock(state: StateStore, credential: Credential, now: datetime) -> None:
    """Leave word for those who use the accounts: a locked one is not asked again."""

    def change(saved: State) -> None:
        standing = SavedStanding("suspended", LOCKED, now, fingerprint=credential.fingerprint)
        saved.accounts[credential.id] = replace(saved.record(credential.id), standing=standing)

    try:
        await state.update(change)
    except KiroError as error:
        logger.warning("that credential #%d is locked is not remembered: %s", credential.id, error)


async def merge_account(store: CredentialStore, credential_id: int) -> int:
    """If another entry is the same account, give it this one's tokens and remove this one; the id that is left.

    A single refresh under way for the new entry is waited for, since its answer would come too late. Raises
    CredentialFileError, UnknownCredential.
    """

    def merge(document: CredentialDocument) -> int:
        new = document.get(credential_id)
        for old in document.stored().credentials:
            if old.id != new.id and is_same_account(old, new):
                document.patch(old.id, changed_members(old, with_login(old, new)))
                document.remove(new.id)
                return old.id
        return new.id

    async with store.refresh_turn(credential_id, TURN_SECONDS) as turn:
        if not turn.held:
            logger.warning("credential #%d is being refreshed; it is not put together with others", credential_id)
            return credential_id
        return (await store.update(merge)).value


def is_same_account(one: Credential, other: Credential) -> bool:
    """Whether two logins belong to one person at one provider.

    By user id where both are known, else by e-mail at the same place. Never by profile: everybody of a company has the
    same, and so has everybody who signs in with Google or GitHub.
    """
    if one.auth_method != other.auth_method:
        return False
    if one.user_id and other.user_id:
        return one.user_id == other.user_id
    same_place = _place(one) is not None and _place(one) == _place(other)
    return same_place and bool(one.email and other.email) and (one.email or "").lower() == (other.email or "").lower()


def _place(credential: Credential) -> str | None:
    """Where it signs in, None if that cannot be told; one e-mail at Google and at GitHub is two accounts."""
    if credential.auth_method == "idc" and (credential.provider or "").lower() != "builderid":
        return credential.start_url
    if credential.auth_method == "idc":
        return BUILDER_ID_START_URL
    return (credential.provider or "").lower() or None


def with_login(old: Credential, new: Credential) -> Credential:
    """The older entry with the newer one's login; what the owner has set on it (label, priority, …) stays."""
    login = {name: getattr(new, name) for name in _LOGIN}
    facts = {name: getattr(new, name) or getattr(old, name) for name in _FACTS}
    return replace(old, **login, **facts)


async def _get(store: CredentialStore, credential_id: int) -> Credential:
    credential = (await store.read()).get(credential_id)
    if credential is None:
        raise UnknownCredential(credential_id)
    return credential


# --- later: what is left of its plan ------------------------------------------------------------------------------


async def ask_usage(
    http: Caller,
    config: Config,
    endpoints: Endpoints,
    pool: CredentialPool,
    state: StateStore,
    credential_id: int,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Usage:
    """Ask for an account's balance with a good token, and keep what is told: in the file, the pool, the state file.

    Asked once more after a forced refresh if the token was refused, or with the profile if that was missing. Raises
    NotFound, RefreshRejected, RefreshFailed, UpstreamError.
    """
    await pool.refresh_if_expiring(credential_id, REFRESH_MARGIN)
    try:
        usage = await fetch_usage(http, config, endpoints, pool.credential(credential_id))
    except (UpstreamRejected, UpstreamUnauthorized) as error:
        credential = pool.credential(credential_id)
        if is_token_refused(error):
            await pool.force_refresh(credential_id)
        elif credential.profile_arn is None and (arn := await find_profile_arn(http, config, endpoints, credential)):
            await pool.learn(credential_id, lambda known: replace(known, profile_arn=arn))
        else:
            raise
        usage = await fetch_usage(http, config, endpoints, pool.credential(credential_id))
    await pool.learn(credential_id, lambda known: with_facts(known, usage))
    pool.note_usage(credential_id, remaining=usage.headroom, resets_at=usage.resets_at)
    await _remember_balance(state, credential_id, usage, now())
    return usage


# --- registrations ----------------------------------------------------------------------------------------------


async def known_registration(
    store: CredentialStore, *, start_url: str, region: str, now: datetime
) -> Registration | None:
    """The client registration of an earlier login at the same place, if it is still good.

    Only those with a known end and a known login: a registration that came with imported tokens may not be for the
    device flow, which the service would say only after the person has confirmed. Raises CredentialFileError.
    """
    usable: list[Registration] = []
    for known in (await store.read()).credentials:
        here = known.start_url == start_url and (known.auth_region or known.region) == region
        if not (here and known.client_id and known.client_secret and known.created_at):
            continue
        registration = Registration(known.client_id, known.client_secret, known.client_secret_expires_at)
        if registration.expires_at is not None and registration.usable(now):
            usable.append(registration)
    return max(usable, key=lambda found: found.expires_at or now, default=None)
