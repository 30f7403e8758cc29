"""Adding an account by its tokens: checked, never twice, kept before it is tried, taken back if it is no good.

Behind ``POST /credentials``, imports and the import field of the sign-in page. A login, whose tokens are known to be
good, goes through :mod:`kiro_rs_py.serve.admin.logins`.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import (
    AccountSuspended,
    ConfigError,
    CredentialFileError,
    KiroError,
    NotFound,
    RefreshFailed,
    RefreshRejected,
    UpstreamUnauthorized,
)
from kiro_rs_py.serve.admin.balances import Balances
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import BUG, Refusal, invalid, no_such_account, refusal_of
from kiro_rs_py.upstream.credential import BadField, Credential, parse_credential, refresh_token_problem
from kiro_rs_py.upstream.document import CredentialDocument, UnknownCredential
from kiro_rs_py.upstream.enrolment import Enrolled, enrol
from kiro_rs_py.upstream.proxy import parse_proxy
from kiro_rs_py.upstream.usage import fetch_usage

logger = logging.getLogger(__name__)


class Enrolling:
    """Adds accounts. ``balances`` is told what the usage call says on the way."""

    def __init__(self, house: House, balances: Balances) -> None:
        self._house = house
        self._balances = balances

    async def add(self, entry: JsonObject) -> Enrolled:
        """:meth:`keep` and :meth:`verify`: in the end the account is there and good, or nothing has been added."""
        return await self.verify(await self.keep(entry))

    async def keep(self, entry: JsonObject) -> int:
        """Put an entry of the credentials file's kind into it; the new account's id.

        Raises Refusal (400) when it cannot be used or is there already, CredentialFileError.
        """
        credential = read_entry(entry)
        created = replace(credential, created_at=self._house.now(), source_fingerprint=credential.fingerprint)

        def put(document: CredentialDocument) -> int:
            for known in document.stored().credentials:
                # Also by the tokens it came with: they may have been renewed since (operations §3.10).
                if credential.fingerprint in (known.fingerprint, known.source_fingerprint):
                    secret = "kiroApiKey" if known.auth_method == "api_key" else "refreshToken"
                    text = f"Credential already exists (duplicate {secret}). It is #{known.id}."
                    raise invalid("duplicate_account", f"Invalid credential: {text}")
            return document.add(created).id

        return await self._house.pool.edit(put)

    async def verify(self, credential_id: int) -> Enrolled:
        """Find out whether an account that was just added is any good, and take it out again if it is not.

        Raises Refusal: 400 if its tokens are refused, 502 if nobody could tell. Cancelled in the middle, the account
        stays: its tokens may have been renewed already.
        """
        try:
            await self._try_out(credential_id)
        except (KiroError, Refusal) as error:
            refusal = _verdict(error)
            await self._take_back(credential_id)
            raise refusal from None
        return await self.learn(credential_id)

    async def learn(self, credential_id: int) -> Enrolled:
        """Ask the service whose account it is, and put it together with an older entry of the same account.

        Whatever goes wrong here is a doubt, not a failure: the account is in the file.
        """
        house = self._house
        try:
            enrolled = await enrol(
                house.http, house.config, house.endpoints, house.store, house.state, credential_id, now=house.now
            )
            await house.pool.reload()
        except UnknownCredential:
            raise no_such_account(credential_id) from None
        except (CredentialFileError, UpstreamUnauthorized) as error:
            return Enrolled(house.pool.credential(credential_id), False, None, (str(error),))
        self._note(enrolled, credential_id)
        return enrolled

    def _note(self, enrolled: Enrolled, credential_id: int) -> None:
        if enrolled.replaced:
            self._balances.forget(credential_id)
        if enrolled.usage is not None:
            found = enrolled.credential.id
            self._balances.keep(found, enrolled.usage)
            with suppress(NotFound):
                usage = enrolled.usage
                self._house.pool.note_usage(found, remaining=usage.headroom, resets_at=usage.resets_at)

    async def _try_out(self, credential_id: int) -> None:
        house = self._house
        credential = house.pool.credential(credential_id)
        if credential.auth_method != "api_key":
            await house.pool.force_refresh(credential_id)
            return
        try:
            await fetch_usage(house.http, house.config, house.endpoints, credential)
        except (UpstreamUnauthorized, AccountSuspended) as error:
            raise invalid("invalid_credential", f"Invalid credential: {error}", field="kiroApiKey") from None

    async def _take_back(self, credential_id: int) -> None:
        with trio.CancelScope(shield=True):
            try:
                await self._house.pool.edit(lambda document: document.remove(credential_id))
            except UnknownCredential:
                pass
            except CredentialFileError as error:
                logger.error("credential #%d is no good, but cannot be taken out again: %s", credential_id, error)


def read_entry(entry: JsonObject) -> Credential:
    """The credential in an entry that somebody brought; its id, if it has one, is not ours. Raises Refusal (400)."""
    try:
        credential = replace(parse_credential(entry), id=0)
    except BadField as problem:
        raise invalid("invalid_field", f"Invalid credential: {problem}.", field=problem.name or None) from None
    if credential.auth_method != "api_key" and (problem_text := refresh_token_problem(credential.refresh_token)):
        raise invalid("invalid_refresh_token", f"Invalid credential: {problem_text}", field="refreshToken")
    if (problem_text := credential.problem()) is not None:
        raise invalid("invalid_credential", f"Invalid credential: {problem_text}")
    return credential


def check_proxy(url: str) -> None:
    """Raises Refusal (400) for a proxy URL that cannot be used."""
    if url.lower() == "direct":
        return
    try:
        parse_proxy(url)
    except ConfigError as error:
        raise invalid("invalid_field", f"Invalid credential: {error}", field="proxyUrl") from None


def _verdict(error: Exception) -> Refusal:
    """What a failed trial says of the tokens (operations §5.3)."""
    status = error.status if isinstance(error, RefreshFailed) else None
    # A 4xx is about the tokens, unless the service was busy.
    refused = status is not None and 400 <= status < 500 and status not in (408, 429)
    if isinstance(error, RefreshRejected) or refused:
        return invalid("invalid_refresh_token", f"Invalid credential: {error}", field="refreshToken")
    if isinstance(error, RefreshFailed):
        return Refusal(502, "api_error", "upstream_unavailable", f"Upstream service error: {error}")
    return refusal_of(error) or BUG
