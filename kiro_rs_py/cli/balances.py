"""Asking for balances: with a fresh token, once more after a refused one, and remembering what was learnt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import trio

from kiro_rs_py.cli.account_names import with_login_remedy
from kiro_rs_py.cli.session import Session, chosen, for_each
from kiro_rs_py.errors import KiroError, NotFound, RefreshRejected, UpstreamRejected, UpstreamUnauthorized
from kiro_rs_py.upstream.control import find_profile_arn, is_token_refused
from kiro_rs_py.upstream.credential import REFRESH_MARGIN, Credential
from kiro_rs_py.upstream.enrolment import remember_balance
from kiro_rs_py.upstream.usage import Usage, fetch_usage

if TYPE_CHECKING:
    from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus


@dataclass(frozen=True, slots=True)
class Balance:
    """One account: its usage, or the sentence why there is none."""

    credential: Credential
    usage: Usage | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Balances:
    """All that were asked, in the order of the file, and how many disabled ones were not."""

    items: tuple[Balance, ...]
    asked_at: datetime
    disabled: int = 0

    @property
    def failed(self) -> bool:
        return any(item.usage is None for item in self.items)


async def ask_balances(session: Session, pool: CredentialPool, ids: tuple[int, ...]) -> Balances:
    """Ask for the accounts of ``ids``, or for all that are neither disabled nor known to be locked by the provider.

    Raises NotFound for an unknown id, CredentialFileError when there is no account.
    """
    statuses = chosen(pool, ids)
    wanted = [status for status in statuses if ids or status.state != "disabled"]
    found: dict[int, Balance] = {}

    async def one(status: CredentialStatus) -> None:
        if status.state == "suspended" and not ids:
            found[status.id] = Balance(pool.credential(status.id), failure=status.cause)
        else:
            found[status.id] = await _ask(session, pool, status.id)

    await for_each(wanted, one)
    items = tuple(found[status.id] for status in wanted)
    return Balances(items, datetime.now(UTC), len(statuses) - len(wanted))


async def _ask(session: Session, pool: CredentialPool, credential_id: int) -> Balance:
    before = pool.credential(credential_id)
    try:
        await pool.refresh_if_expiring(credential_id, REFRESH_MARGIN)
        usage = await _usage(session, pool, credential_id)
        await pool.learn(
            credential_id, email=usage.email, subscription_title=usage.subscription_title, user_id=usage.user_id
        )
        pool.note_usage(credential_id, remaining=usage.headroom, resets_at=usage.resets_at)
        await remember_balance(session.state, credential_id, usage, datetime.now(UTC))
        return Balance(pool.credential(credential_id), usage)
    except RefreshRejected as error:
        return Balance(before, failure=with_login_remedy(str(error)))
    except KiroError as error:
        with suppress(NotFound):  # removed meanwhile
            pool.note_refusal(credential_id, error)
        return Balance(before, failure=str(error))


async def _usage(session: Session, pool: CredentialPool, credential_id: int) -> Usage:
    """One call; another after a forced refresh if the token was refused, or with the profile if that was missing."""

    async def ask() -> Usage:
        return await fetch_usage(session.http, session.config, session.endpoints, pool.credential(credential_id))

    try:
        return await ask()
    except (UpstreamRejected, UpstreamUnauthorized) as error:
        if is_token_refused(error):
            await pool.force_refresh(credential_id)
        elif not await _learn_profile(session, pool, credential_id):
            raise
    return await ask()


async def _learn_profile(session: Session, pool: CredentialPool, credential_id: int) -> bool:
    credential = pool.credential(credential_id)
    if credential.profile_arn is not None:
        return False
    arn = await find_profile_arn(session.http, session.config, session.endpoints, credential)
    await pool.learn(credential_id, profile_arn=arn)
    return arn is not None


async def repeat(look: Callable[[], Awaitable[Balances]], show: Callable[[Balances], None], seconds: float) -> NoReturn:
    """Look and show, ``seconds`` apart, until cancelled."""
    while True:
        show(await look())
        await trio.sleep(seconds)
