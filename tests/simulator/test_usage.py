from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.usage import next_month, profiles, usage_limits
from tests.simulator.talk import as_object

NOW = datetime(2026, 8, 15, 12, tzinfo=UTC).timestamp()


def first(values: Json) -> JsonObject:
    assert isinstance(values, list)
    return as_object(values[0])


def test_plan_and_credits() -> None:
    answer = usage_limits(Account(name="x", plan="KIRO PRO+", used=12.5), now=NOW, with_email=True)
    breakdown = first(answer["usageBreakdownList"])
    assert (breakdown["resourceType"], breakdown["currentUsageWithPrecision"]) == ("CREDIT", 12.5)
    assert (breakdown["usageLimit"], breakdown["usageLimitWithPrecision"]) == (2000, 2000.0)
    assert "freeTrialInfo" not in breakdown
    assert as_object(answer["subscriptionInfo"])["subscriptionTitle"] == "KIRO PRO+"
    assert answer["userInfo"] == {"email": "x@example.com", "userId": "d-simulated.x"}
    assert answer["daysUntilReset"] == 16


def test_trial_limit_and_overage() -> None:
    account = Account(name="x", plan="KIRO FREE", used=130, limit=100, trial=(20, 25), overage=True)
    answer = usage_limits(account, now=NOW, with_email=False)
    breakdown = first(answer["usageBreakdownList"])
    assert breakdown["usageLimitWithPrecision"] == 100.0
    trial = breakdown["freeTrialInfo"]
    assert isinstance(trial, dict)
    assert (trial["freeTrialStatus"], trial["usageLimitWithPrecision"]) == ("ACTIVE", 25)
    assert breakdown["currentOveragesWithPrecision"] == 25
    assert answer["overageConfiguration"] == {"overageStatus": "ENABLED"}
    assert answer["userInfo"] == {"email": "", "userId": "d-simulated.x"}


@pytest.mark.parametrize(
    "now, reset", [((2026, 8, 15), (2026, 9, 1)), ((2026, 12, 31), (2027, 1, 1)), ((2026, 1, 1), (2026, 2, 1))]
)
def test_credits_return_on_the_first(now: tuple[int, int, int], reset: tuple[int, int, int]) -> None:
    moment = datetime(*now, tzinfo=UTC).timestamp()
    assert next_month(moment) == datetime(*reset, tzinfo=UTC).timestamp()


def test_profiles() -> None:
    assert profiles(Account(name="x")) == {"profiles": [], "nextToken": None}
    assert first(profiles(Account(name="x", profile_arn="arn:x"))["profiles"])["arn"] == "arn:x"
