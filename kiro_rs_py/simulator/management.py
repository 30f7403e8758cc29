"""The calls around the chat: usage, models, profiles, web search (upstream-protocol §6 to §8)."""

from __future__ import annotations

from datetime import UTC, datetime

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator import refusal
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.asgi import Answer, Request, compact, json_answer
from kiro_rs_py.simulator.directives import fault_text
from kiro_rs_py.simulator.faults import EARLY, early_answer, parse_fault
from kiro_rs_py.simulator.grants import Grants
from kiro_rs_py.simulator.models import Catalogue
from kiro_rs_py.simulator.refusal import Refusal, improperly_formed
from kiro_rs_py.simulator.rules import ORIGINS


class Management:
    """``search_results`` replaces what web search finds (an empty list: nothing)."""

    def __init__(self, grants: Grants, catalogue: Catalogue) -> None:
        self.grants = grants
        self.catalogue = catalogue
        self.search_results: list[JsonObject] | None = None

    def usage(self, request: Request) -> Answer:
        account, values = self._caller(request)
        account.check_profile(_arn(request, values), request, rule=account.usage_arn)
        with_email = str(values.get("isEmailRequired", "")).lower() == "true"
        return json_answer(usage_limits(account, now=self.grants.clock.now(), with_email=with_email))

    def models(self, request: Request) -> Answer:
        account, values = self._caller(request)
        account.check_profile(_arn(request, values), request)
        limit, token = str(values.get("maxResults")), values.get("nextToken")
        page = self.catalogue.page(
            paid_plan=account.subscription.paid,
            limit=int(limit) if limit.isdigit() else None,
            token=token if isinstance(token, str) else None,
        )
        return json_answer(page)

    def profiles(self, request: Request) -> Answer:
        account, _ = self._caller(request)
        return json_answer(profiles(account))

    def mcp(self, request: Request) -> Answer:
        """A query may hold a ``<<FAULT …>>`` of the kind that answers before anything else."""
        account = self.grants.account_of(request)
        account.refuse_if_barred()
        account.check_profile(_arn(request, request.json_object), request)
        wanted = fault_text(query_of(request.json))
        if wanted is not None and wanted.split()[0] in EARLY:
            failure = early_answer(parse_fault(wanted), account)
            if isinstance(failure, Refusal):
                raise failure
            if failure is not None:
                return failure
        return json_answer(answer_rpc(request.json, self.search_results))

    def _caller(self, request: Request) -> tuple[Account, JsonObject]:
        """Who asks, and the call's parameters, which come in the query or in the body."""
        account = self.grants.account_of(request)
        values: JsonObject = {**request.query, **request.json_object}
        if values.get("origin", "AI_EDITOR") not in ORIGINS:
            raise improperly_formed()
        if account.suspended:
            account.refuse_if_barred()
        return account, values


def _arn(request: Request, values: JsonObject) -> Json:
    """In the body or query, else in the header that newer clients use."""
    arn = values.get("profileArn")
    return request.header("x-amzn-kiro-profile-arn") if arn is None else arn


# --- what is left of a plan, and the profile -----------------------------------------------------------------------

OVERAGE_RATE = 0.04


def usage_limits(account: Account, *, now: float, with_email: bool) -> JsonObject:
    """The answer of GetUsageLimits; ``now`` is epoch seconds, credits reset on the first of next month (UTC)."""
    reset = next_month(now)
    plan = account.subscription
    breakdown: JsonObject = {
        "resourceType": "CREDIT",
        "displayName": "Credit",
        "displayNamePlural": "Credits",
        "unit": "INVOCATIONS",
        "currentUsage": int(account.used),
        "currentUsageWithPrecision": round(account.used, 6),
        "usageLimit": int(plan.credits),
        "usageLimitWithPrecision": float(plan.credits),
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
        "overageConfiguration": {"overageStatus": "DISABLED"},
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


# --- the MCP endpoint and its one tool, web search (§7) ------------------------------------------------------------

INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
NO_RESULTS = "Tool returned no results"
# 2026-01-15T00:00:00Z in milliseconds, the unit of publishedDate.
PUBLISHED = 1_768_435_200_000


def answer_rpc(body: Json, results: list[JsonObject] | None) -> JsonObject:
    """The JSON-RPC answer; ``results`` replaces the built-in search results (an empty list: nothing found).

    Raises the service's refusal when the body is no JSON-RPC call at all.
    """
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
        raise refusal.improperly_formed()
    call_id = body.get("id")
    if body["method"] != "tools/call":
        return _error(call_id, METHOD_NOT_FOUND, f"Method not found: {body['method']}")
    params = body.get("params")
    if not isinstance(params, dict) or params.get("name") != "web_search":
        return _error(call_id, INVALID_PARAMS, "Unknown tool")
    query = query_of(body)
    if not query:
        return _error(call_id, INVALID_PARAMS, "query is required")
    found = search_results(query) if results is None else results
    if not found or "no results" in query.lower():
        return _error(call_id, INVALID_PARAMS, NO_RESULTS)
    text: JsonObject = {"results": list[Json](found), "totalResults": len(found), "query": query, "error": None}
    result: JsonObject = {"content": [{"type": "text", "text": compact(text)}], "isError": False}
    return {"id": call_id, "jsonrpc": "2.0", "result": result, "error": None}


def query_of(body: Json) -> str:
    """What is searched for; empty when the call is something else."""
    params = body.get("params") if isinstance(body, dict) else None
    arguments = params.get("arguments") if isinstance(params, dict) else None
    query = arguments.get("query") if isinstance(arguments, dict) else None
    return query if isinstance(query, str) else ""


def search_results(query: str) -> list[JsonObject]:
    """Three results that repeat the query; the last one has neither snippet nor date."""
    first: list[JsonObject] = [
        {
            "title": f"Result {number} for {query}",
            "url": f"https://example.com/{number}",
            "snippet": f"Page {number} of the simulated web says something about {query}.",
            "publishedDate": PUBLISHED,
            "id": f"result-{number}",
            "domain": "example.com",
            "maxVerbatimWordLimit": 30,
            "publicDomain": False,
        }
        for number in (1, 2)
    ]
    return [*first, {"title": f"Result 3 for {query}", "url": "https://example.org/3", "publishedDate": None}]


def _error(call_id: Json, code: int, message: str) -> JsonObject:
    return {"id": call_id, "jsonrpc": "2.0", "result": None, "error": {"code": code, "message": message}}
