"""Accounts as JSON: kiro-rs's members under their names, ``null`` included, and after them ours (operations §5.5).

Nothing secret is in them. ``refreshTokenHash`` is kiro-rs's: its page finds duplicates by it before it asks us.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.upstream.credential import Credential, format_time
from kiro_rs_py.upstream.pool import CredentialStatus

SHOWN_KEY_CHARACTERS = 4


def current_id(statuses: Iterable[CredentialStatus]) -> int:
    """The account that the next request would most likely get; 0 if there is none (operations §5.5)."""
    active = [status for status in statuses if status.state == "active"]
    return min(active, key=lambda status: status.priority).id if active else 0


def account_entry(
    status: CredentialStatus,
    credential: Credential,
    balance: JsonObject | None,
    today: tuple[int, int],
    *,
    is_current: bool,
) -> JsonObject:
    """One account: ``balance`` is the last one known, ``today`` its answers and failures of the last day."""
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
        "balance": balance,
        "successToday": today[0],
        "failureToday": today[1],
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
