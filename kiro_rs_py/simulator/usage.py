"""GetUsageLimits: plan, credits and what is left of them (upstream-protocol §6)."""

from __future__ import annotations

from datetime import UTC, datetime

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.accounts import Account

OVERAGE_RATE = 0.04


def usage_limits(account: Account, *, now: float, with_email: bool) -> JsonObject:
    """The answer of GetUsageLimits; ``now`` is epoch seconds, credits reset on the first of next month (UTC)."""
    reset = next_month(now)
    plan = account.subscription
    base_limit = plan.credits if account.limit is None else account.limit
    breakdown: JsonObject = {
        "resourceType": "CREDIT",
        "displayName": "Credit",
        "displayNamePlural": "Credits",
        "unit": "INVOCATIONS",
        "currentUsage": int(account.used),
        "currentUsageWithPrecision": round(account.used, 6),
        "usageLimit": int(base_limit),
        "usageLimitWithPrecision": float(base_limit),
        "currentOverages": 0,
        "currentOveragesWithPrecision": max(0.0, account.credits_used - account.credit_limit),
        "overageCap": 10_000,
        "overageCapWithPrecision": 10_000.0,
        "overageCharges": 0.0,
        "overageRate": OVERAGE_RATE,
        "currency": "USD",
        "nextDateReset": reset,
        "bonuses": [],
    }
    if account.trial is not None:
        used, limit = account.trial
        breakdown["freeTrialInfo"] = {
            "freeTrialStatus": "ACTIVE",
            "freeTrialExpiry": reset,
            "currentUsage": int(used),
            "currentUsageWithPrecision": used,
            "usageLimit": int(limit),
            "usageLimitWithPrecision": limit,
        }
    return {
        "nextDateReset": reset,
        "daysUntilReset": int((reset - now) // 86_400),
        "limits": [],
        "usageBreakdown": None,
        "usageBreakdownList": [breakdown],
        "subscriptionInfo": {
            "type": plan.type,
            "subscriptionTitle": plan.title,
            "upgradeCapability": "UPGRADE_CAPABLE",
            "overageCapability": "OVERAGE_CAPABLE" if plan.paid else "OVERAGE_INCAPABLE",
            "subscriptionManagementTarget": "MANAGE" if plan.paid else "PURCHASE",
        },
        "overageConfiguration": {"overageStatus": "ENABLED" if account.overage else "DISABLED"},
        "userInfo": {"email": account.email if with_email else "", "userId": account.user_id},
    }


def next_month(now: float) -> float:
    """Epoch seconds of the first moment of the next month, UTC."""
    today = datetime.fromtimestamp(now, UTC)
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return datetime(year, month, 1, tzinfo=UTC).timestamp()


def profiles(account: Account) -> JsonObject:
    """ListAvailableProfiles: one profile, or an empty list for accounts without any (§8.2)."""
    if account.profile_arn is None:
        return {"profiles": [], "nextToken": None}
    profile: JsonObject = {
        "arn": account.profile_arn,
        "profileName": f"KiroProfile-{account.region}",
        "status": "ACTIVE",
        "profileType": "Q_DEVELOPER",
        "permissionUpdateRequired": False,
    }
    return {"profiles": [profile], "nextToken": None}
