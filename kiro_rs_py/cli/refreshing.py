"""Which accounts ``refresh`` refreshes, and what became of each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from kiro_rs_py.cli.session import chosen, for_each
from kiro_rs_py.cli.wording import describe_day, describe_expiry, name_of, with_login_remedy
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import NotFound, RefreshFailed, RefreshRejected
from kiro_rs_py.upstream.credential import Credential, format_time
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus

Outcome = Literal["refreshed", "fresh", "no_refresh_needed", "disabled", "failed", "reauth_required"]

# States in which only the owner can help; asking the service again and again would only annoy it.
_HOPELESS = ("reauth_required", "suspended", "invalid_config")
REGISTRATION_NOTICE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to refresh: the accounts of ``ids``, or ``everything``, or what expires ``within`` a time."""

    ids: tuple[int, ...]
    everything: bool
    within: timedelta


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one account. ``cause`` is a sentence with a remedy for those that failed."""

    credential: Credential
    outcome: Outcome
    now: datetime
    cause: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome in ("failed", "reauth_required")

    def to_json(self) -> JsonObject:
        """For ``--json``."""
        expires_at = self.credential.expires_at
        return {
            "id": self.credential.id,
            "email": self.credential.email,
            "result": self.outcome,
            "expiresAt": format_time(expires_at) if expires_at else None,
            "cause": self.cause or None,
        }

    def print(self, *, quiet: bool, as_json: bool) -> None:
        """One line: failures on stderr, the rest on stdout."""
        if self.failed:
            print(f"error: {name_of(self.credential)}: {self.cause}", file=sys.stderr)
        elif not quiet and not as_json:
            print(f"{name_of(self.credential)}: {self._words()}")
        ends_at = self.credential.client_secret_expires_at
        if ends_at is not None and ends_at - self.now < REGISTRATION_NOTICE:
            print(
                f"warning: {name_of(self.credential)}: its client registration ends on {describe_day(ends_at)}, and "
                "refreshing with it. Log in again with `kiro-rs-py login`.",
                file=sys.stderr,
            )

    def _words(self) -> str:
        left = describe_expiry(self.credential.expires_at, self.now)
        words: Mapping[Outcome, str] = {
            "refreshed": f"refreshed, expires {left}",
            "fresh": f"nothing to do, expires {left}",
            "no_refresh_needed": "nothing to do, an API key does not expire",
            "disabled": "left out, it is disabled",
        }
        return words[self.outcome]


async def refresh_accounts(pool: CredentialPool, wanted: Wanted) -> tuple[list[Result], bool]:
    """Refresh what is wanted; the results in the order of the file, and whether the file has unusable entries; when
    accounts are named, those are nobody's concern.

    Raises NotFound for an unknown id, CredentialFileError when there is no account.
    """
    results = await for_each(chosen(pool, wanted.ids), lambda status: _refresh(pool, status, wanted))
    return results, bool(pool.problems) and not wanted.ids


async def _refresh(pool: CredentialPool, status: CredentialStatus, wanted: Wanted) -> Result:
    credential = pool.credential(status.id)
    named = status.id in wanted.ids
    now = datetime.now(UTC)

    def result(outcome: Outcome, cause: str = "") -> Result:
        present = pool.credential(status.id) if outcome == "refreshed" else credential
        return Result(present, outcome, datetime.now(UTC), cause)

    if credential.auth_method == "api_key":
        return result("no_refresh_needed")
    if status.state == "disabled" and not named:
        return result("disabled")
    if status.state in _HOPELESS and not (named or wanted.everything):
        return result("reauth_required", with_login_remedy(status.cause))
    if not (named or wanted.everything or credential.needs_refresh(now, wanted.within)):
        return result("fresh")
    try:
        # By force, because a failure with a token that is still good for a while would be kept quiet.
        await pool.force_refresh(status.id)
        return result("refreshed")
    except RefreshRejected as error:
        return result("reauth_required", with_login_remedy(str(error)))
    except RefreshFailed as error:
        return result("failed", f"{error} Try again later.")
    except NotFound as error:
        return result("failed", f"{error} Somebody has removed it meanwhile.")
