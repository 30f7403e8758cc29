"""From what a source held to stored and checked accounts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from kiro_rs_py.cli.session import Session
from kiro_rs_py.cli.terminal import tell
from kiro_rs_py.cli.wording import describe_expiry, login_of, name_of, with_login_remedy
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import KiroError, RefreshRejected, UpstreamUnauthorized
from kiro_rs_py.upstream.credential import BadField, Credential, parse_credential
from kiro_rs_py.upstream.document import CredentialDocument, UnknownCredential
from kiro_rs_py.upstream.enrolment import enrol, find_spent, keep_tokens, merge_account
from kiro_rs_py.upstream.sources import Found

Outcome = Literal["imported", "replaced", "known", "spent", "unchecked", "failed"]

_SHARED = {"kiro-ide": "Kiro IDE", "kiro-cli": "kiro-cli"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one entry; ``cause`` is a sentence for those that failed, ``doubts`` for the others."""

    outcome: Outcome
    credential: Credential | None = None
    cause: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return self.outcome in ("failed", "unchecked")

    def to_json(self) -> JsonObject:
        """For ``--json``."""
        known = self.credential if self.credential is not None and self.credential.id else None
        return {
            "id": known.id if known else None,
            "email": self.credential.email if self.credential else None,
            "result": self.outcome,
            "cause": self.cause or None,
        }

    def print(self, *, as_json: bool) -> None:
        """One line, and one for each doubt."""
        if self.failed or self.credential is None:
            name = f"{name_of(self.credential)}: " if self.credential is not None and self.credential.id else ""
            print(f"error: {name}{self.cause}", file=sys.stderr)
            return
        words: Mapping[Outcome, str] = {
            "imported": f"imported, {login_of(self.credential)}",
            "replaced": "the account was there already, its tokens are replaced",
            "known": "these tokens are there already",
            "spent": "these tokens were imported before and have been replaced by newer ones since; nothing to do",
        }
        if not as_json:
            plan = f" {self.credential.subscription_title}" if self.credential.subscription_title else ""
            print(f"{name_of(self.credential)}{plan}: {words[self.outcome]}")
        for doubt in self.doubts:
            print(f"warning: {name_of(self.credential)}: {doubt}", file=sys.stderr)
        if self.credential.disabled:
            print(f"warning: {name_of(self.credential)} is disabled.", file=sys.stderr)


async def import_accounts(session: Session, found: Found, *, verify: bool) -> list[Imported]:
    """Store every entry, and with ``verify`` ask the service about each. Raises CredentialFileError."""
    for sentence in found.skipped:
        tell(f"left out: {sentence}")
    results = [await _import(session, entry, found, verify=verify) for entry in found.entries]
    if found.source in _SHARED and any(result.outcome in ("imported", "replaced") for result in results):
        program = _SHARED[found.source]
        tell(
            f"note: {program} uses the same login, and each refresh replaces its token: the one that comes second may "
            f"have to log in again. `kiro-rs-py login` makes a login of its own."
        )
    return results


async def _import(session: Session, entry: JsonObject, found: Found, *, verify: bool) -> Imported:
    try:
        credential = parse_credential(entry)
    except BadField as problem:
        return Imported("failed", cause=f"An entry cannot be used: {problem}. Correct it and import it again.")
    if problem_text := credential.problem():
        return Imported("failed", cause=problem_text)
    tell(f"Found in {found.source}: {_describe(credential)}")
    if spent := await find_spent(session.store, credential):
        return Imported("spent", spent)
    credential = replace(credential, id=0, source_fingerprint=credential.fingerprint)
    kept = await keep_tokens(session.store, credential)
    outcome: Outcome = "known" if kept.known else "imported"
    if verify and credential.auth_method != "api_key":
        failure = await _refresh_once(session, kept.id, credential, new=not kept.known)
        if failure is not None:
            return failure
    if not verify:
        merged_id = await merge_account(session.store, kept.id)
        stored = (await session.store.read()).get(merged_id)
        return Imported("replaced" if merged_id != kept.id else outcome, stored)
    try:
        enrolled = await enrol(session.http, session.config, session.endpoints, session.store, session.state, kept.id)
    except UpstreamUnauthorized:
        cause = "The service does not accept this API key. Check it, or create a new one."
        return await _refused(session, kept.id, credential, cause, new=not kept.known)
    return Imported("replaced" if enrolled.replaced else outcome, enrolled.credential, doubts=enrolled.doubts)


async def _refresh_once(session: Session, credential_id: int, offered: Credential, *, new: bool) -> Imported | None:
    """Check the tokens by using them, in the way the pool does, so that what comes back is saved; None if good."""
    try:
        async with session.pool() as pool:
            await pool.force_refresh(credential_id)
    except RefreshRejected as error:
        return await _refused(session, credential_id, offered, with_login_remedy(str(error)), new=new)
    except KiroError as error:
        cause = f"It is stored, but could not be checked: {error} Run `kiro-rs-py refresh --id {credential_id}` later."
        return Imported("unchecked", replace(offered, id=credential_id), cause)
    return None


async def _refused(session: Session, credential_id: int, offered: Credential, cause: str, *, new: bool) -> Imported:
    if not new:
        return Imported("failed", replace(offered, id=credential_id), cause)
    await session.store.update(lambda document: _take_back(document, credential_id, offered))
    return Imported("failed", cause=f"It was not imported. {cause}")


def _take_back(document: CredentialDocument, credential_id: int, offered: Credential) -> None:
    """Remove what was just added, unless somebody has put other tokens there meanwhile."""
    try:
        if document.get(credential_id).fingerprint == offered.fingerprint:
            document.remove(credential_id)
    except UnknownCredential:
        return


def _describe(credential: Credential) -> str:
    """What is known of an entry, without secrets."""
    facts = [login_of(credential)]
    if credential.email or credential.label:
        facts.append(name_of(credential).removeprefix("#0 "))
    if credential.auth_method != "api_key":
        expiry = describe_expiry(credential.expires_at, datetime.now(UTC))
        facts.append("no access token yet" if expiry == "-" else f"access token: {expiry.replace('in ', 'good for ')}")
    return ", ".join(facts)
