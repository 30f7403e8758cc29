"""What an account's plan gives and what is left of it (GetUsageLimits; upstream-protocol §6)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from urllib.parse import urlencode

import httpx

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject, list_in, object_in, text_in
from kiro_rs_py.upstream.control import ask_everywhere, call_json, control_urls
from kiro_rs_py.upstream.credential import Credential, format_time, parse_time
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.headers import control_headers, profile_arn_of
from kiro_rs_py.upstream.refresh import Caller

PartKind: TypeAlias = Literal["plan", "trial", "bonus"]

# The element to read, best first: what plans sell today, then what they sold before (§6.3).
_RESOURCES = ("CREDIT", "AGENTIC_REQUEST")


@dataclass(frozen=True, slots=True)
class UsagePart:
    """Credits from one source: the plan itself, a trial, a bonus. ``used`` may exceed ``limit`` with overage."""

    kind: PartKind
    name: str
    used: float
    limit: float
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Overage:
    """Credits beyond the plan, paid extra; ``charges`` in ``currency``."""

    used: float
    cap: float
    charges: float
    currency: str


@dataclass(frozen=True, slots=True)
class Usage:
    """One account's balance in credits. ``parts`` begins with the plan; ``overage`` is None while switched off."""

    parts: tuple[UsagePart, ...] = ()
    resets_at: datetime | None = None
    subscription_title: str | None = None
    email: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    overage: Overage | None = None

    @property
    def used(self) -> float:
        return sum(part.used for part in self.parts)

    @property
    def limit(self) -> float:
        return sum(part.limit for part in self.parts)

    @property
    def remaining(self) -> float:
        """What is left without paying more."""
        return max(0.0, self.limit - self.used)

    @property
    def headroom(self) -> float:
        """What can still be used: :attr:`remaining`, and what overage allows beyond it."""
        return self.remaining + (max(0.0, self.overage.cap - self.overage.used) if self.overage else 0.0)

    @property
    def percentage(self) -> float:
        """0 to 100."""
        return min(100.0, self.used / self.limit * 100) if self.limit > 0 else 0.0

    def to_json(self, credential_id: int, *, email: str | None = None) -> JsonObject:
        """kiro-rs's balance (operations §5.7), and after it what kiro-rs leaves out."""
        parts: list[Json] = [
            {
                "kind": part.kind,
                "name": part.name,
                "used": part.used,
                "limit": part.limit,
                "expiresAt": format_time(part.expires_at) if part.expires_at else None,
            }
            for part in self.parts
        ]
        return {
            "id": credential_id,
            "email": self.email or email,
            "subscriptionTitle": self.subscription_title,
            "currentUsage": self.used,
            "usageLimit": self.limit,
            "remaining": self.remaining,
            "usagePercentage": self.percentage,
            "nextResetAt": self.resets_at.timestamp() if self.resets_at else None,
            "parts": parts,
            "overage": asdict(self.overage) if self.overage else None,
        }


async def fetch_usage(http: Caller, config: Config, endpoints: Endpoints, credential: Credential) -> Usage:
    """Ask the service. Raises UpstreamError; :func:`~kiro_rs_py.upstream.control.is_token_refused` tells whether a
    refresh may help.

    Versions of the service disagree about the ARN: some refuse the call with one, some without (§6.1). So it is asked
    without, then with it, and then in the other region, which is where a 403 may lead as well.
    """

    async def ask(url: str, arn: str | None) -> Usage:
        query = {"isEmailRequired": "true", "origin": "AI_EDITOR", "resourceType": "AGENTIC_REQUEST"}
        query |= {"profileArn": arn} if arn else {}
        headers = control_headers(config, credential, url)
        request = httpx.Request("GET", f"{url}?{urlencode(query)}", headers=headers)
        return parse_usage(await call_json(http, request, credential))

    urls = control_urls(config, endpoints, credential, "/getUsageLimits")
    return await ask_everywhere(urls, (None, profile_arn_of(credential)), ask)


# --- the answer -------------------------------------------------------------------------------------------------


def parse_usage(answer: JsonObject) -> Usage:
    """An answer → Usage. Takes every number as a float and everything odd as absent (§6.2); never raises."""
    element = _element(answer)
    plan, user = object_in(answer, "subscriptionInfo"), object_in(answer, "userInfo")
    return Usage(
        parts=_parts(element) if element else (),
        resets_at=_time(answer.get("nextDateReset")) or _time(element.get("nextDateReset")),
        subscription_title=text_in(plan, "subscriptionTitle", "subscriptionName"),
        email=text_in(user, "email"),
        user_id=text_in(user, "userId"),
        overage=_overage(answer, element),
    )


def _element(answer: JsonObject) -> JsonObject:
    elements = [item for item in list_in(answer, "usageBreakdownList") if isinstance(item, dict)]
    for resource in _RESOURCES:
        for element in elements:
            if element.get("resourceType") == resource:
                return element
    return elements[0] if elements else object_in(answer, "usageBreakdown")


def _parts(element: JsonObject) -> tuple[UsagePart, ...]:
    """A trial counts while it is active; an exhausted bonus counts as used up, an expired one not at all (§6.3)."""
    parts = [UsagePart("plan", "plan", _number(element, "currentUsage"), _number(element, "usageLimit"))]
    trial = object_in(element, "freeTrialInfo")
    if trial.get("freeTrialStatus") == "ACTIVE":
        used, limit = _number(trial, "currentUsage"), _number(trial, "usageLimit")
        parts.append(UsagePart("trial", "trial", used, limit, _time(trial.get("freeTrialExpiry"))))
    for bonus in list_in(element, "bonuses"):
        if not isinstance(bonus, dict) or bonus.get("status") not in ("ACTIVE", "EXHAUSTED"):
            continue
        limit = _number(bonus, "usageLimit")
        used = limit if bonus["status"] == "EXHAUSTED" else _number(bonus, "currentUsage")
        name = text_in(bonus, "displayName", "bonusCode") or "bonus"
        parts.append(UsagePart("bonus", name, used, limit, _time(bonus.get("expiresAt"))))
    return tuple(parts)


def _overage(answer: JsonObject, element: JsonObject) -> Overage | None:
    switch = object_in(answer, "overageConfiguration")
    if switch.get("overageStatus") != "ENABLED" and switch.get("overageEnabled") is not True:
        return None
    return Overage(
        used=_number(element, "currentOverages"),
        cap=_number(element, "overageCap") or _number(switch, "overageCap"),
        charges=_number(element, "overageCharges"),
        currency=text_in(element, "currency") or "USD",
    )


def _number(record: JsonObject, name: str) -> float:
    """The exact form of a counter if there is one, else the rounded one, else 0."""
    for spelling in (f"{name}WithPrecision", name):
        value = record.get(spelling)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
            return float(min(value, 1e15))
    return 0.0


def _time(value: Json) -> datetime | None:
    return parse_time(value) if value else None
