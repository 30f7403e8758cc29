from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.management import answer_rpc, next_month, profiles, query_of, usage_limits
from tests.simulator.talk import as_object, talking, verdict

ARN = "arn:aws:codewhisperer:us-east-1:000000000001:profile/OWN"
OTHER = "arn:aws:codewhisperer:us-east-1:000000000001:profile/OTHER"


def target(operation: str) -> dict[str, str]:
    service = "AmazonCodeWhispererService"
    return {"x-amz-target": f"{service}.{operation}", "content-type": "application/x-amz-json-1.0"}


def search(query: str) -> JsonObject:
    params: JsonObject = {"name": "web_search", "arguments": {"query": query}}
    return {"id": "1", "jsonrpc": "2.0", "method": "tools/call", "params": params}


async def test_usage_in_all_its_forms() -> None:
    async with talking() as talk:
        by_get = await talk.call("GET", "/getUsageLimits?isEmailRequired=true&origin=AI_EDITOR")
        assert by_get.json["userInfo"]["email"] == "demo@example.com"
        assert by_get.json["subscriptionInfo"]["subscriptionTitle"] == "KIRO PRO+"
        by_post = await talk.call("POST", "/getUsageLimits", {"isEmailRequired": True})
        assert by_post.json == by_get.json
        assert (await talk.call("GET", "/getUsageLimits")).json["userInfo"]["email"] == ""
        assert talk.simulator.counts["/getUsageLimits"] == 3


@pytest.mark.parametrize(
    "rule, plain, with_arn", [("optional", 200, 200), ("forbidden", 200, 400), ("required", 400, 200)]
)
async def test_usage_takes_the_arn_as_the_account_says(rule: str, plain: int, with_arn: int) -> None:
    account = Account(name="x", profile_arn=ARN, usage_arn=rule)  # type: ignore[arg-type]
    async with talking(Simulator(accounts=[account])) as talk:
        assert (await talk.call("GET", "/getUsageLimits")).status == plain
        assert (await talk.call("GET", "/getUsageLimits", params={"profileArn": ARN})).status == with_arn
        headers = {"x-amzn-kiro-profile-arn": ARN}
        assert (await talk.call("GET", "/getUsageLimits", headers=headers)).status == with_arn


async def test_models() -> None:
    async with talking() as talk:
        answer = await talk.call("GET", "/ListAvailableModels?origin=AI_EDITOR")
        assert answer.json["defaultModel"]["modelId"] == "auto"
        assert len(answer.json["models"]) > 10
        page = await talk.call("POST", "/ListAvailableModels", {"maxResults": 3})
        assert len(page.json["models"]) == 3
        following = await talk.call("GET", f"/ListAvailableModels?maxResults=3&nextToken={page.json['nextToken']}")
        assert following.json["models"] == answer.json["models"][3:6]


async def test_profiles() -> None:
    async with talking() as talk:
        answer = await talk.call("POST", "/", {"maxResults": 10}, headers=target("ListAvailableProfiles"))
        assert answer.json["profiles"][0]["arn"] == talk.simulator.accounts["demo"].profile_arn
        talk.token = str(talk.simulator.credential_json("builder")["accessToken"])
        assert (await talk.call("POST", "/ListAvailableProfiles")).json["profiles"] == []


async def test_search() -> None:
    async with talking() as talk:
        assert (await talk.call("POST", "/mcp", search("trio"))).json["error"] is None
        talk.simulator.management.search_results = []
        assert (await talk.call("POST", "/mcp", search("trio"))).json["error"]["code"] == -32602
        wrong = await talk.call("POST", "/mcp", search("trio"), headers={"x-amzn-kiro-profile-arn": OTHER})
        assert wrong.status == 403


@pytest.mark.parametrize("fault, status", [("throttle 2", 429), ("gateway", 502), ("stall", 200), ("nothing", 200)])
async def test_faults_of_search(fault: str, status: int) -> None:
    async with talking() as talk:
        assert (await talk.call("POST", "/mcp", search(f"<<FAULT {fault}>>"))).status == status


@pytest.mark.parametrize("path", ["/getUsageLimits", "/ListAvailableModels", "/ListAvailableProfiles"])
async def test_refusals(path: str) -> None:
    async with talking() as talk:
        assert (await talk.call("GET", f"{path}?origin=NOWHERE")).status == 400
        talk.simulator.accounts["demo"].suspended = True
        assert "locked your account" in (await talk.call("GET", path)).json["message"]
        talk.token = None
        assert (await talk.call("GET", path)).status == 403


async def test_used_up_accounts_may_still_ask_for_their_usage() -> None:
    async with talking() as talk:
        talk.simulator.accounts["demo"].used = 1e6
        assert (await talk.call("GET", "/getUsageLimits")).status == 200
        assert (await talk.call("POST", "/mcp", search("trio"))).status == 402


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


def test_trial_and_overage() -> None:
    account = Account(name="x", plan="KIRO FREE", used=80, trial=(20, 25))
    answer = usage_limits(account, now=NOW, with_email=False)
    breakdown = first(answer["usageBreakdownList"])
    assert breakdown["usageLimitWithPrecision"] == 50.0
    trial = breakdown["freeTrialInfo"]
    assert isinstance(trial, dict)
    assert (trial["freeTrialStatus"], trial["usageLimitWithPrecision"]) == ("ACTIVE", 25)
    assert breakdown["currentOveragesWithPrecision"] == 25
    assert answer["userInfo"] == {"email": "", "userId": "d-simulated.x"}


@pytest.mark.parametrize(
    "now, reset", [((2026, 8, 15), (2026, 9, 1)), ((2026, 12, 31), (2027, 1, 1)), ((2026, 1, 1), (2026, 2, 1))]
)
def test_credits_return_on_the_first(now: tuple[int, int, int], reset: tuple[int, int, int]) -> None:
    moment = datetime(*now, tzinfo=UTC).timestamp()
    assert next_month(moment) == datetime(*reset, tzinfo=UTC).timestamp()


def test_an_account_has_one_profile_or_none() -> None:
    assert profiles(Account(name="x")) == {"profiles": [], "nextToken": None}
    assert first(profiles(Account(name="x", profile_arn="arn:x"))["profiles"])["arn"] == "arn:x"


def call(method: str = "tools/call", params: Json = None) -> JsonObject:
    body: JsonObject = {"jsonrpc": "2.0", "id": "web_search_tooluse_x", "method": method}
    return body if params is None else {**body, "params": params}


def a_search(query: str) -> JsonObject:
    return call(params={"name": "web_search", "arguments": {"query": query}})


def answer_to(body: JsonObject, results: list[JsonObject] | None = None) -> Any:
    return answer_rpc(body, results)


def test_a_search_finds_json_in_text() -> None:
    found = answer_to(a_search("trio"))
    assert (found["id"], found["error"]) == ("web_search_tooluse_x", None)
    text = json.loads(found["result"]["content"][0]["text"])
    assert text["query"] == "trio"
    assert [entry["title"] for entry in text["results"]] == [f"Result {number} for trio" for number in (1, 2, 3)]
    assert text["results"][0]["publishedDate"] == 1_768_435_200_000
    assert "snippet" not in text["results"][2]


def test_other_results_can_be_ordered() -> None:
    found = answer_to(a_search("trio"), [{"title": "t", "url": "u"}])
    assert json.loads(found["result"]["content"][0]["text"])["results"] == [{"title": "t", "url": "u"}]


@pytest.mark.parametrize(
    "body, results", [(a_search("give me No Results"), None), (a_search("trio"), [])], ids=["by query", "by order"]
)
def test_nothing_found_is_an_error(body: JsonObject, results: list[JsonObject] | None) -> None:
    error = answer_to(body, results)["error"]
    assert error == {"code": -32602, "message": "Tool returned no results"}


@pytest.mark.parametrize(
    "body, code",
    [
        (call(params={"name": "web_fetch"}), -32602),
        (call(params={"name": "web_search", "arguments": {}}), -32602),
        (call(), -32602),
        (call("resources/list"), -32601),
    ],
)
def test_other_errors(body: JsonObject, code: int) -> None:
    assert answer_to(body)["error"]["code"] == code


@pytest.mark.parametrize("body", [None, [], {}, {"jsonrpc": "1.0", "method": "x"}, {"jsonrpc": "2.0"}])
def test_what_is_no_call(body: Json) -> None:
    assert verdict(lambda: answer_rpc(body, None)) == "Improperly formed request."


def test_the_query_is_read_leniently() -> None:
    assert query_of(a_search("a")) == "a"
    assert query_of(None) == query_of({"params": {"arguments": {"query": 5}}}) == ""
