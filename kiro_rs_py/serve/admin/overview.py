"""The overview: how the proxy is doing, and what wants attention (operations §6.11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from kiro_rs_py import __version__
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.admin.activity import Activity
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.views import name_of, time_text
from kiro_rs_py.upstream.credential import format_time
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus
from kiro_rs_py.upstream.rotation import LOUD_CLOCK_SKEW
from kiro_rs_py.upstream.selection import StateName

Level: TypeAlias = Literal["warning", "error"]

REGISTRATION_WARNING = timedelta(days=7)
"""How long before the end of a client registration its account should log in again (operations §7.9)."""

MOST_NAMES = 5
"""In one sentence."""

_COUNTED: dict[StateName, str] = {
    "active": "active",
    "cooling": "cooling",
    "exhausted": "exhausted",
    "reauth_required": "reauthRequired",
    "suspended": "suspended",
    "disabled": "disabled",
    "invalid_config": "invalid",
}


@dataclass(frozen=True, slots=True)
class Overview:
    """Makes the answer of ``GET /overview``. ``in_flight`` tells how many requests are running."""

    house: House
    activity: Activity
    base_url: str
    started_at: datetime
    in_flight: Callable[[], int]

    @property
    def uptime_seconds(self) -> int:
        return int((self.house.now() - self.started_at).total_seconds())

    def to_json(self) -> JsonObject:
        statuses = self.house.pool.snapshot()
        accounts: JsonObject = {"total": len(statuses)}
        for state, name in _COUNTED.items():
            accounts[name] = sum(status.state == state for status in statuses)
        return {
            "version": __version__,
            "uptimeSeconds": self.uptime_seconds,
            "baseUrl": self.base_url,
            **self.activity.rates(),
            "inFlight": self.in_flight(),
            **self.activity.today(),
            "accounts": accounts,
            "alerts": alerts(self.house.pool, statuses, self.house.now()),
            "storeDegraded": self.house.pool.unsaved_because is not None,
        }


def alerts(pool: CredentialPool, statuses: Sequence[CredentialStatus], now: datetime) -> list[Json]:
    """What a person should see to, the gravest first."""
    found: list[JsonObject] = []
    if pool.unsaved_because is not None:
        found.append(_alert("error", "store_degraded", f"New tokens cannot be saved: {pool.unsaved_because}"))
    if not statuses:
        found.append(_alert("error", "no_accounts", "There is no account yet. Add one."))
    elif not any(status.state in ("active", "cooling") for status in statuses):
        found.append(_alert("error", "no_usable_account", "No account can be used now; requests are refused."))
    found += _logins([status for status in statuses if status.state == "reauth_required"])
    for status in statuses:
        found += _of_account(status, pool, now)
    for problem in pool.problems:
        found.append(_alert("warning", "entry_left_out", f"The credentials file, {problem}; this account is left out."))
    skew = pool.clock_skew
    if skew is not None and abs(skew) >= LOUD_CLOCK_SKEW:
        where = "ahead" if skew > 0 else "behind"
        found.append(_alert("warning", "clock_skew", f"This computer's clock is {abs(skew) / 60:.0f} minutes {where}."))
    return [*(alert for alert in found if alert["level"] == "error"), *(a for a in found if a["level"] != "error")]


def _logins(waiting: Sequence[CredentialStatus]) -> list[JsonObject]:
    """One sentence, however many they are: a provider's bad day must not bury everything else."""
    if not waiting:
        return []
    if len(waiting) == 1:
        [status] = waiting
        sentence = f"{name_of(status)} needs a new login. {status.cause}".strip()
        return [_alert("error", "reauth_required", sentence, status.id)]
    names = ", ".join(name_of(status) for status in waiting[:MOST_NAMES])
    more = f" and {len(waiting) - MOST_NAMES} more" if len(waiting) > MOST_NAMES else ""
    alert = _alert("error", "reauth_required", f"{len(waiting)} accounts need a new login: {names}{more}.")
    return [alert | {"credentialIds": [status.id for status in waiting]}]


def _of_account(status: CredentialStatus, pool: CredentialPool, now: datetime) -> list[JsonObject]:
    name = name_of(status)
    match status.state:
        case "suspended":
            return [_alert("error", "suspended", f"{name}: {status.cause}", status.id)]
        case "invalid_config":
            return [_alert("error", "invalid_config", f"{name} cannot be used: {status.cause}", status.id)]
        case "exhausted":
            until = f" It is asked again at {format_time(status.until)}." if status.until else ""
            sentence = f"The quota of {name} was reached at {format_time(status.since)}.{until}"
            times: JsonObject = {"since": time_text(status.since), "until": time_text(status.until)}
            return [_alert("warning", "quota_exhausted", sentence, status.id) | times]
        case "active" | "cooling":
            ends = pool.credential(status.id).client_secret_expires_at
            if ends is not None and ends - now <= REGISTRATION_WARNING:
                sentence = f"{name} must log in again by {format_time(ends)}: its client registration ends then."
                return [_alert("warning", "registration_expiring", sentence, status.id)]
    return []


def _alert(level: Level, code: str, message: str, credential_id: int | None = None) -> JsonObject:
    alert: JsonObject = {"level": level, "code": code, "message": message}
    if credential_id is not None:
        alert["credentialId"] = credential_id
    return alert
