from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from tests.simulator.talk import talking

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
        for path, headers in [("/", target("GetUsageLimits")), ("/GetUsageLimits", {}), ("/Get-Usage-Limits", {})]:
            answer = await talk.call("POST", path, {"isEmailRequired": True}, headers=headers)
            assert answer.json == by_get.json
        assert (await talk.call("GET", "/getUsageLimits")).json["userInfo"]["email"] == ""
        assert talk.simulator.counts["/getUsageLimits"] == 5


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
        page = await talk.call("POST", "/", {"maxResults": 3}, headers=target("ListAvailableModels"))
        assert len(page.json["models"]) == 3
        following = await talk.call("GET", f"/List-Available-Models?maxResults=3&nextToken={page.json['nextToken']}")
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
        target_ = {"x-amz-target": "AmazonCodeWhispererStreamingService.InvokeMCP"}
        assert (await talk.call("POST", "/", search("trio"), headers=target_)).json["error"] is None
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
