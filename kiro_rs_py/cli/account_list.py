"""``accounts list``: one line for each account, and what is wrong with it below."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kiro_rs_py.cli.account_names import name_of, printable
from kiro_rs_py.cli.durations import describe_expiry, describe_span
from kiro_rs_py.cli.terminal import print_json, print_table
from kiro_rs_py.upstream.credential import format_time

if TYPE_CHECKING:
    from kiro_rs_py.convert.anthropic import JsonObject
    from kiro_rs_py.upstream.credential import Credential
    from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus

COLUMNS = ("id", "account", "login", "plan", "state", "expires", "priority")


def show(pool: CredentialPool, *, as_json: bool) -> None:
    """Print the list; unusable entries of the file are told in the log."""
    now = datetime.now(UTC)
    accounts = [(status, pool.credential(status.id)) for status in pool.snapshot()]
    if as_json:
        print_json([to_json(status, credential) for status, credential in accounts])
        return
    if not accounts:
        print("There is no account yet. `kiro-rs-py login` adds one, `kiro-rs-py import-token` too.", file=sys.stderr)
        return
    print_table(COLUMNS, [row(status, credential, now) for status, credential in accounts])
    for status, _ in accounts:
        if status.cause and status.state != "active":
            print(f"{name_of(status)}: {status.cause}", file=sys.stderr)


def row(status: CredentialStatus, credential: Credential, now: datetime) -> tuple[str, ...]:
    """The cells of one account."""
    names = [status.label, status.email]
    state: str = status.state
    if status.until is not None and status.state != "active":
        state += f" for {describe_span(status.until - now)}"
    return (
        "-" if status.in_memory_only else str(status.id),
        " ".join(printable(name) for name in names if name) or "-",
        login_of(credential),
        printable(status.subscription_title or "-"),
        state,
        describe_expiry(status.expires_at, now) if status.auth_method != "api_key" else "-",
        str(status.priority),
    )


def login_of(credential: Credential) -> str:
    """The way it logs in, in one word."""
    if credential.auth_method == "api_key":
        return "api-key"
    word = printable(credential.provider or credential.auth_method).lower()
    return "builder-id" if word == "builderid" else word


def to_json(status: CredentialStatus, credential: Credential) -> JsonObject:
    """All but the secrets, in the words of the credentials file."""

    def time(moment: datetime | None) -> str | None:
        return format_time(moment) if moment else None

    return {
        "id": status.id,
        "label": status.label,
        "email": status.email,
        "authMethod": status.auth_method,
        "provider": credential.provider,
        "startUrl": credential.start_url,
        "region": credential.auth_region or credential.region,
        "subscriptionTitle": status.subscription_title,
        "priority": status.priority,
        "state": status.state,
        "cause": status.cause or None,
        "since": time(status.since),
        "until": time(status.until),
        "expiresAt": time(status.expires_at),
        "clientSecretExpiresAt": time(credential.client_secret_expires_at),
        "successCount": status.success_count,
        "failureCount": status.failure_count,
        "lastUsedAt": time(status.last_used_at),
    }
