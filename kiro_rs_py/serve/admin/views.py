"""Accounts as JSON: kiro-rs's members under their names, ``null`` included, and after them ours (operations §5.5).

Nothing secret is in them. ``refreshTokenHash`` is kiro-rs's: its page finds duplicates by it before it asks us.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.upstream.credential import Credential, format_time
from kiro_rs_py.upstream.document import EntryProblem
from kiro_rs_py.upstream.pool import CredentialStatus

SHOWN_KEY_CHARACTERS = 4


def current_id(statuses: Iterable[CredentialStatus]) -> int:
    """The account that the next request would most likely get; 0 if there is none (operations §5.5)."""
    active = [status for status in statuses if status.state == "active"]
    return min(active, key=lambda status: status.priority).id if active else 0


@dataclass(frozen=True, slots=True)
class Account:
    """What is shown of one: ``balance`` the last one known, ``today`` its answers and failures of the last day."""

    status: CredentialStatus
    credential: Credential
    balance: JsonObject | None
    today: tuple[int, int] = (0, 0)


def account_list(accounts: Sequence[Account], problems: Sequence[EntryProblem]) -> JsonObject:
    """CredentialsStatus, sorted by priority."""
    statuses = [account.status for account in accounts]
    current = current_id(statuses)
    ordered = sorted(accounts, key=lambda account: account.status.priority)
    entries: list[Json] = [account_entry(account, is_current=account.status.id == current) for account in ordered]
    return {
        "total": len(statuses),
        "available": sum(status.state != "disabled" for status in statuses),
        "currentId": current,
        "credentials": entries,
        "problems": [{"index": problem.index, "sentence": str(problem)} for problem in problems],
    }


def account_entry(account: Account, *, is_current: bool) -> JsonObject:
    """One account."""
    status, credential = account.status, account.credential
    of_kiro_rs: JsonObject = {
        "id": status.id,
        "priority": status.priority,
        "disabled": status.state == "disabled",
        "failureCount": status.failures_in_a_row,
        "isCurrent": is_current,
        "expiresAt": time_text(status.expires_at),
        "authMethod": status.auth_method,
        "hasProfileArn": bool(credential.profile_arn),
        "refreshTokenHash": credential.fingerprint if credential.refresh_token else None,
        "email": status.email,
        "successCount": status.success_count,
        "lastUsedAt": time_text(status.last_used_at),
    }
    ours: JsonObject = {
        "state": status.state,
        "stateCause": status.cause or None,
        "stateSince": time_text(status.since),
        "stateUntil": time_text(status.until),
        "label": status.label,
        "subscriptionTitle": status.subscription_title,
        "provider": credential.provider,
        "authRegion": credential.auth_region or credential.region,
        "apiRegion": credential.api_region,
        "inFlight": status.in_flight,
        "failureTotal": status.failure_count,
        "lastError": status.last_error,
        "clientSecretExpiresAt": time_text(credential.client_secret_expires_at),
        "hasProxy": bool(credential.proxy_url),
        "endpoint": status.endpoint,
        "maskedApiKey": masked_key(credential.kiro_api_key),
        "balance": account.balance,
        "successToday": account.today[0],
        "failureToday": account.today[1],
        "readOnly": status.in_memory_only,
        "unsaved": status.unsaved and not status.in_memory_only,
    }
    return of_kiro_rs | ours


def masked_key(key: str | None) -> str | None:
    """An API key as a person may recognise it: its last four characters."""
    if key is None:
        return None
    shown = key[-SHOWN_KEY_CHARACTERS:] if len(key) >= 4 * SHOWN_KEY_CHARACTERS else ""
    return f"ksk_…{shown}"


def name_of(status: CredentialStatus) -> str:
    """How to speak of an account in a sentence."""
    return status.label or f"Account #{status.id}"


def time_text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if moment is None else format_time(moment)
