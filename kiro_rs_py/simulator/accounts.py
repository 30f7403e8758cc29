"""Who uses the simulated service: accounts with a plan, a way to sign in and what is wrong with them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Literal

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator import refusal
from kiro_rs_py.simulator.asgi import Request

Method = Literal["social", "idc", "api_key"]
ArnRule = Literal["optional", "forbidden", "required"]

BUILDER_ID_START_URL = "https://view.awsapps.com/start"

# With this version of the IDE in the user agent the service starts to demand an ARN (upstream-protocol §1.8).
ARN_MANDATORY_FROM = (0, 12, 184)

_ARN = re.compile(r"arn:aws[a-z-]*:codewhisperer:([a-z0-9-]+):\d{12}:profile/[A-Za-z0-9]+")
_IDE_VERSION = re.compile(r"KiroIDE-(\d+)\.(\d+)\.(\d+)")


class Clock:
    """The service's wall clock, in seconds since the epoch; tests may set it forward or wrong."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Lets tokens, device codes and registrations age without waiting."""
        self.offset += seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """``type`` is the suffix-bearing subscription type, ``credits`` the monthly limit; free plans have no Opus."""

    title: str
    type: str
    credits: float
    paid: bool = True


PLANS = {
    plan.title: plan
    for plan in (
        Plan("KIRO FREE", "Q_DEVELOPER_STANDALONE_FREE", 50, paid=False),
        Plan("KIRO PRO", "Q_DEVELOPER_STANDALONE_PRO", 1000),
        Plan("KIRO PRO+", "Q_DEVELOPER_STANDALONE_PRO_PLUS", 2000),
        Plan("KIRO POWER", "Q_DEVELOPER_STANDALONE_POWER", 10_000),
    )
}


@dataclass(slots=True, kw_only=True)
class Account:
    """One account; every field may be changed while the simulator runs.

    ``used`` is credits of the plan, ``trial`` (used, limit) of a running trial, ``access_lifetime`` seconds. ``fault``
    is a fault as in a directive (``"throttle 3"``) that hits each chat of this account. ``recovery``: ``quota`` and
    ``credit-rate`` name so many seconds to wait (None: no time, and 5 minutes). ``usage_arn`` says how GetUsageLimits
    takes an ARN, which differs between service versions (upstream-protocol §6.1).
    """

    name: str
    method: Method = "social"
    provider: str = "Google"
    email: str = ""
    plan: str = "KIRO PRO"
    used: float = 0.0
    trial: tuple[float, float] | None = None
    suspended: bool = False
    throttled: bool = False
    fault: str | None = None
    recovery: float | None = None
    access_lifetime: float = 3600.0
    profile_arn: str | None = None
    usage_arn: ArnRule = "optional"
    region: str = "us-east-1"
    start_url: str = BUILDER_ID_START_URL
    api_key: str = field(default="", repr=False)
    requests: int = 0

    def __post_init__(self) -> None:
        if self.plan not in PLANS:
            raise ValueError(f"no such plan: {self.plan}")
        if self.method == "api_key" and not self.api_key:
            self.api_key = f"ksk_{self.name}"
        if not self.email:
            self.email = f"{self.name}@example.com"

    @property
    def subscription(self) -> Plan:
        return PLANS[self.plan]

    @property
    def credit_limit(self) -> float:
        """What the plan gives, a running trial included."""
        return self.subscription.credits + (self.trial[1] if self.trial else 0.0)

    @property
    def credits_used(self) -> float:
        return self.used + (self.trial[0] if self.trial else 0.0)

    @property
    def user_id(self) -> str:
        return f"d-simulated.{self.name}"

    def refuse_if_barred(self) -> None:
        """Raises the refusal of an account that is locked, throttled or out of credits."""
        if self.suspended:
            raise refusal.suspended(self.user_id)
        if self.throttled:
            raise refusal.throttled()
        if self.credits_used >= self.credit_limit:
            raise refusal.quota()

    def check_profile(self, arn: Json, request: Request, *, rule: ArnRule | None = None) -> None:
        """The ARN rules of upstream-protocol §1.8; ``rule`` replaces the account's own for one operation."""
        if arn is None:
            if self.method == "api_key":
                return
            version = _IDE_VERSION.search(request.header("user-agent") or "")
            demanded = version is not None and tuple(map(int, version.groups())) >= ARN_MANDATORY_FROM
            if rule == "required" or (rule is None and demanded):
                raise refusal.arn_required()
            return
        match = _ARN.fullmatch(arn) if isinstance(arn, str) else None
        if match is None or rule == "forbidden":
            raise refusal.improperly_formed()
        if arn != self.profile_arn:
            raise refusal.improperly_formed() if match[1] != self.region else refusal.not_authorized()


def demo_accounts() -> tuple[Account, ...]:
    """One account of each kind."""
    return (
        Account(
            name="demo",
            plan="KIRO PRO+",
            profile_arn="arn:aws:codewhisperer:us-east-1:000000000001:profile/SIMULATEDDEMO",
        ),
        Account(name="builder", method="idc", provider="BuilderId", plan="KIRO FREE"),
        Account(name="key", method="api_key", provider="ApiKey", plan="KIRO PRO", api_key="ksk_simulated_demo_key"),
    )
