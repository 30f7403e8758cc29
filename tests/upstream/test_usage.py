"""GetUsageLimits: the numbers of upstream-protocol §6.2 and §6.3, and who is asked how."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import AccountSuspended, UpstreamRejected, UpstreamUnauthorized
from kiro_rs_py.simulator.accounts import Account, ArnRule
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.control import is_token_refused
from kiro_rs_py.upstream.credential import Credential, parse_credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.usage import Overage, Usage, UsagePart, fetch_usage, parse_usage
from tests.upstream.test_control import FORBIDDEN, Regions

ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEF"
RESET = 1_785_542_400.0

FULL: JsonObject = {
    "nextDateReset": RESET,
    "usageBreakdownList": [
        {"resourceType": "SPEC", "currentUsage": 1, "usageLimit": 2},
        {
            "resourceType": "CREDIT",
            "currentUsage": 5998,
            "currentUsageWithPrecision": 5998.32,
            "usageLimit": 10000,
            "usageLimitWithPrecision": 10000.0,
            "currentOveragesWithPrecision": 1.5,
            "overageCap": 100,
            "overageCharges": 0.06,
            "currency": "USD",
            "freeTrialInfo": {
                "freeTrialStatus": "ACTIVE",
                "freeTrialExpiry": 1_774_483_200.0,
                "currentUsage": 3,
                "usageLimitWithPrecision": 500.0,
            },
            "bonuses": [
                {"displayName": "Welcome", "status": "ACTIVE", "currentUsage": 12.5, "usageLimit": 100.0,
                 "expiresAt": RESET},
                {"bonusCode": "SPRING", "status": "EXHAUSTED", "currentUsage": 40, "usageLimit": 50},
                {"displayName": "Old", "status": "EXPIRED", "usageLimit": 1000},
                "odd",
            ],
        },
    ],
    "subscriptionInfo": {"subscriptionTitle": "KIRO POWER", "subscriptionName": "KIRO_POWER"},
    "overageConfiguration": {"overageStatus": "ENABLED"},
    "userInfo": {"email": " me@example.com ", "userId": "d-1.abc"},
}  # fmt: skip


def test_everything() -> None:
    usage = parse_usage(FULL)
    assert usage == Usage(
        parts=(
            UsagePart("plan", "plan", 5998.32, 10_000),
            UsagePart("trial", "trial", 3, 500, datetime(2026, 3, 26, tzinfo=UTC)),
            UsagePart("bonus", "Welcome", 12.5, 100, datetime(2026, 8, 1, tzinfo=UTC)),
            UsagePart("bonus", "SPRING", 50, 50),
        ),
        resets_at=datetime(2026, 8, 1, tzinfo=UTC),
        subscription_title="KIRO POWER",
        email="me@example.com",
        user_id="d-1.abc",
        overage=Overage(1.5, 100, 0.06, "USD"),
    )
    assert usage.used == pytest.approx(6063.82)
    assert usage.limit == 10_650
    assert usage.remaining == pytest.approx(4586.18)
    assert usage.headroom == pytest.approx(4684.68)
    assert usage.percentage == pytest.approx(56.937, abs=0.001)


def test_kiro_rs_balance_and_more() -> None:
    shown = parse_usage(FULL).to_json(7)
    assert (shown["id"], shown["email"], shown["subscriptionTitle"]) == (7, "me@example.com", "KIRO POWER")
    assert (shown["usageLimit"], shown["nextResetAt"]) == (10_650, RESET)
    parts = cast("list[JsonObject]", shown["parts"])
    assert parts[2] == {
        "kind": "bonus", "name": "Welcome", "used": 12.5, "limit": 100, "expiresAt": "2026-08-01T00:00:00+00:00",
    }  # fmt: skip
    assert shown["overage"] == {"used": 1.5, "cap": 100, "charges": 0.06, "currency": "USD"}
    nothing = parse_usage({}).to_json(1, email="known@example.com")
    assert (nothing["email"], nothing["overage"], nothing["usagePercentage"]) == ("known@example.com", None, 0)


def list_of(*elements: Json) -> JsonObject:
    return {"usageBreakdownList": list(elements)}


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        (list_of({"usageLimit": 1}, {"resourceType": "AGENTIC_REQUEST", "usageLimit": 2}), 2),
        (list_of({"resourceType": "VIBE", "usageLimit": 3}, {"resourceType": "SPEC", "usageLimit": 4}), 3),
        ({"usageBreakdownList": [], "usageBreakdown": {"usageLimit": 5}}, 5),
        ({"usageBreakdownList": "odd", "usageBreakdown": None}, 0),
        (list_of("odd", {"usageLimit": float("inf")}), 0),
        (list_of({"usageLimit": True, "usageLimitWithPrecision": "6"}), 0),
        (list_of({"usageLimit": 10**400}), 1e15),
        (list_of({"usageLimit": 7, "freeTrialInfo": {"freeTrialStatus": "EXPIRED", "usageLimit": 9}, "bonuses": 1}), 7),
    ],
)
def test_which_element_and_which_numbers(answer: JsonObject, limit: float) -> None:
    assert parse_usage(answer).limit == limit


def test_more_used_than_there_is() -> None:
    usage = parse_usage(list_of({"currentUsage": 70, "usageLimit": 50}))
    assert (usage.remaining, usage.headroom, usage.percentage) == (0, 0, 100)


def test_odd_names_and_times() -> None:
    usage = parse_usage(
        {
            **list_of({"nextDateReset": "2026-09-01T00:00:00Z", "bonuses": [{"status": "ACTIVE", "expiresAt": 0}]}),
            "subscriptionInfo": {"subscriptionTitle": " ", "subscriptionName": "KIRO_FREE"},
            "userInfo": {"email": "", "userId": 7},
            "overageConfiguration": {"overageEnabled": True, "overageCap": 9},
        }
    )
    assert usage.resets_at == datetime(2026, 9, 1, tzinfo=UTC)
    assert usage.subscription_title == "KIRO_FREE"
    assert (usage.email, usage.user_id) == (None, None)
    assert usage.parts[1] == UsagePart("bonus", "bonus", 0, 0)
    assert usage.overage == Overage(0, 9, 0, "USD")


def test_nobody_is_named_in_a_repr() -> None:
    assert "example.com" not in repr(parse_usage(FULL))


# --- asking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "has_arn", "calls"),
    [("optional", True, 1), ("forbidden", True, 1), ("required", True, 2), ("optional", False, 1)],
)
async def test_with_and_without_the_arn(rule: ArnRule, has_arn: bool, calls: int) -> None:
    account = Account(name="a", used=1.5, profile_arn=ARN if has_arn else None, usage_arn=rule)
    simulator = Simulator(accounts=[account])
    async with open_simulator(simulator) as running:
        config = Config(upstream_url=running.url)
        http = HttpClients(config)
        usage = await fetch_usage(http, config, Endpoints(config), parse_credential(simulator.credential_json()))
    assert (usage.used, usage.email) == (1.5, "a@example.com")
    asked = simulator.requests_to("/getUsageLimits")
    assert len(asked) == calls
    assert asked[0].query == {"isEmailRequired": "true", "origin": "AI_EDITOR", "resourceType": "AGENTIC_REQUEST"}
    assert "KiroIDE-0.9.2-" in (asked[0].header("user-agent") or "")
    if calls == 2:
        assert asked[1].query["profileArn"] == ARN


async def test_a_locked_account_is_not_asked_again() -> None:
    simulator = Simulator(accounts=[Account(name="a", suspended=True, profile_arn=ARN)])
    async with open_simulator(simulator) as running:
        config = Config(upstream_url=running.url)
        http = HttpClients(config)
        with pytest.raises(AccountSuspended):
            await fetch_usage(http, config, Endpoints(config), parse_credential(simulator.credential_json()))
    assert simulator.counts["/getUsageLimits"] == 1


BEARER: tuple[int, Json] = (403, {"message": "The bearer token included in the request is invalid."})
WRONG: tuple[int, Json] = (400, {"message": "Improperly formed request."})


async def test_the_other_region_is_asked_after_a_403() -> None:
    service = Regions(us_east_1=FORBIDDEN, eu_central_1=(200, FULL))
    usage = await fetch_usage(service, Config(), Endpoints(Config()), Credential(access_token="t"))
    assert usage.subscription_title == "KIRO POWER"
    assert [request.url.host for request in service.asked] == [
        "q.us-east-1.amazonaws.com",
        "q.eu-central-1.amazonaws.com",
    ]


async def test_the_first_refusal_is_the_one_to_tell() -> None:
    service = Regions(us_east_1=BEARER, eu_central_1=WRONG)
    with pytest.raises(UpstreamUnauthorized) as caught:
        await fetch_usage(service, Config(), Endpoints(Config()), Credential(access_token="t", profile_arn=ARN))
    assert is_token_refused(caught.value)
    assert len(service.asked) == 3  # a refused token is no better with an ARN
    assert not is_token_refused(UpstreamRejected("no"))
