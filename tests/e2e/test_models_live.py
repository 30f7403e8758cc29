"""Models as the accounts really have them: the list, the choice of the account, native thinking and its signatures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest
import trio
from anthropic import Anthropic

from kiro_rs_py.convert.native_thinking import unseal
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import CHAT, MODELS, Simulator
from kiro_rs_py.simulator.models import DEFAULT_MODELS, SimulatedModel
from kiro_rs_py.simulator.server import RunningSimulator, open_simulator
from tests.e2e.acceptance import converse, folded, message_of
from tests.proxy import HELD, KEY, STREAM, Proxy, events_of, running_proxy

OPUS, SONNET, GPT, PLAIN = "claude-opus-4-8", "claude-sonnet-5", "claude-gpt-5.6-sol", "claude-sonnet-4-5"
READ: Any = {
    "name": "read",
    "description": "Reads a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}
CALL = '<<CALL read {"path": "/tmp/a"}>>'


async def listed(proxy: Proxy, path: str = "/v1/models?limit=1000") -> dict[str, Any]:
    return {entry["id"]: entry for entry in (await proxy.client.get(path)).json()["data"]}


async def discovered(proxy: Proxy, holds: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
    """The list, once the accounts have told their models, or else once it ``holds``."""
    holds = holds or (lambda models: "claude-glm-5" in models)
    with trio.fail_after(20):
        while not holds(models := await listed(proxy)):  # noqa: ASYNC110
            await trio.sleep(0.01)
    return models


def bodies(proxy: Proxy) -> list[Any]:
    """The chat requests that the service has got."""
    return [json.loads(request.body) for request in proxy.simulator.requests_to(CHAT)]


# --- the list -----------------------------------------------------------------------------------------------------


async def test_the_list_is_what_the_account_has(proxy: Proxy) -> None:
    models = await discovered(proxy)
    for model in DEFAULT_MODELS:
        (entry,) = [
            entry
            for name, entry in models.items()
            if entry["display_name"] == model.name and not name.endswith(("-thinking", "-agentic", "[1m]", "-1m"))
        ]
        assert entry["id"].startswith("claude-")
        assert (entry["max_input_tokens"], entry["max_tokens"]) == (model.window, model.output)
        assert entry["rate_multiplier"] == model.rate
        assert (f"{entry['id']}[1m]" in models) == (model.window == 1_000_000)
    ref = ["claude-sonnet-4-5-20250929", "claude-opus-4-6-1m-thinking", "claude-haiku-4-5-20251001-agentic"]
    assert set(ref) <= models.keys()
    assert models[GPT]["upstream_id"] == "gpt-5.6-sol"
    assert (await proxy.ask("<<SAY hi>>", model=GPT)).status_code == 200
    assert bodies(proxy)[0]["conversationState"]["currentMessage"]["userInputMessage"]["modelId"] == "gpt-5.6-sol"


async def test_every_listed_name_can_be_used(proxy: Proxy) -> None:
    models = await discovered(proxy)
    for name in models:
        assert (await proxy.client.get(f"/v1/models/{name}")).json() == models[name]
        assert (await proxy.ask("<<SAY hi>>", model=name)).status_code == 200, name


@pytest.mark.real_client
async def test_the_list_in_the_strict_eyes_of_the_sdk(proxy: Proxy) -> None:
    models = await discovered(proxy)

    def work() -> None:
        with Anthropic(base_url=proxy.url, api_key=KEY, max_retries=0, _strict_response_validation=True) as client:
            every = list(client.models.list(limit=1000))
            assert {model.id for model in every} == models.keys()
            for model in every:
                one = client.models.retrieve(model.id)
                assert isinstance(one, anthropic.types.ModelInfo)
                assert one == model
                assert one.created_at.year >= 2025
            with pytest.raises(anthropic.NotFoundError):
                client.models.retrieve("llama-3")

    await trio.to_thread.run_sync(work)


async def test_a_free_plan_lists_no_opus(tmp_path: Path) -> None:
    aliases = {"aliases": {"best": "claude-opus-5"}}
    async with (
        open_simulator(Simulator(accounts=[Account(name="free", plan="KIRO FREE")])) as running,
        running_proxy(running, tmp_path, models=aliases) as proxy,
    ):
        models = await discovered(proxy)
        assert {name for name in models if "opus" in name} == set()
        assert {"best", SONNET} <= models.keys()
        assert (await proxy.client.get("/v1/models/claude-opus-5")).status_code == 200


async def test_a_model_of_tomorrow(tmp_path: Path) -> None:
    new = SimulatedModel("claude-saga-7.1", "Claude Saga 7.1", window=2_000_000, efforts=("low", "high"))
    async with (
        open_simulator(Simulator(models=[*DEFAULT_MODELS, new])) as running,
        running_proxy(running, tmp_path) as proxy,
    ):
        models = await discovered(proxy)
        assert models["claude-saga-7-1"]["max_input_tokens"] == 2_000_000
        answer = await proxy.ask("<<SAY hi>>", model="claude-saga-7-1-thinking")
        assert [block["type"] for block in answer.json()["content"]] == ["thinking", "text"]


async def test_nobody_waits_for_the_list(tmp_path: Path) -> None:
    async with open_simulator(Simulator()) as running:
        hold = running.simulator.hold_next(MODELS)
        async with running_proxy(running, tmp_path) as proxy:
            await hold.arrived.wait()
            assert "claude-opus-4-8" in await listed(proxy)
            assert (await proxy.ask()).status_code == 200
            hold.release.set()
            assert await discovered(proxy)


async def test_the_last_good_list_survives_a_restart(simulator: RunningSimulator, tmp_path: Path) -> None:
    account = [simulator.simulator.credential_json(id=1)]
    async with running_proxy(simulator, tmp_path, credentials=account) as proxy:
        before = await discovered(proxy)
    simulator.simulator.fail_next(MODELS, 500, times=100)
    async with running_proxy(simulator, tmp_path, credentials=account) as proxy:
        assert await listed(proxy) == before
        answer = await proxy.ask("<<SAY hi>>", model=OPUS, thinking={"type": "adaptive"})
        assert answer.json()["content"][0]["type"] == "thinking"
    assert simulator.simulator.counts[MODELS] == 1


async def test_without_any_list_the_table_serves(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.fail_next(MODELS, 403, {"message": "not authorized"}, times=100)
    async with running_proxy(simulator, tmp_path) as proxy:
        assert OPUS in await listed(proxy)
        answer = await proxy.ask("<<SAY hi>>", model=OPUS, thinking={"type": "adaptive"})
        assert answer.json()["content"][0]["type"] == "thinking"
        assert "additionalModelRequestFields" not in bodies(proxy)[0]


async def test_accounts_that_lack_the_model_are_skipped(tmp_path: Path) -> None:
    accounts = [Account(name="free", plan="KIRO FREE"), Account(name="paid")]
    async with open_simulator(Simulator(accounts=accounts)) as running:
        entries = [
            running.simulator.credential_json(account.name, id=number, priority=number)
            for number, account in enumerate(accounts)
        ]
        async with running_proxy(running, tmp_path, credentials=entries) as proxy:
            await discovered(proxy, lambda models: proxy.simulator.counts[MODELS] == 2 and "claude-glm-5" in models)
            for _ in range(2):
                assert (await proxy.ask("<<SAY hi>>", model=OPUS)).status_code == 200
            assert proxy.simulator.counts[CHAT] == 2
            assert (await proxy.ask("<<SAY hi>>", model=SONNET)).status_code == 200
            assert [running.simulator.accounts[name].requests for name in ("free", "paid")] == [1, 2]


# --- native thinking ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fields", "sent", "blocks"),
    [
        (OPUS, {"thinking": {"type": "adaptive"}}, {"output_config": {"effort": "high"}}, ["thinking", "text"]),
        (
            OPUS,
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            {"output_config": {"effort": "low"}},
            ["thinking", "text"],
        ),
        (
            "claude-opus-4-8-agentic-thinking",
            {"output_config": {"effort": "low"}},
            {"output_config": {"effort": "high"}},
            ["thinking", "text"],
        ),
        (
            "claude-sonnet-4-8",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
            {"output_config": {"effort": "high"}},
            ["thinking", "text"],
        ),
        (OPUS, {"output_config": {"effort": "low"}}, {"output_config": {"effort": "low"}}, ["text"]),
        (OPUS, {"thinking": {"type": "disabled"}}, None, ["text"]),
        (OPUS, {}, None, ["text"]),
        (GPT, {"thinking": {"type": "adaptive"}}, {"reasoning": {"effort": "high"}}, ["text", "redacted_thinking"]),
        (PLAIN, {"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, ["thinking", "text"]),
        ("claude-opus-4-6", {"thinking": {"type": "adaptive"}}, None, ["thinking", "text"]),
    ],
)
async def test_thinking_is_asked_for_as_the_model_takes_it(
    model: str, fields: dict[str, Any], sent: Any, blocks: list[str], proxy: Proxy
) -> None:
    await discovered(proxy)
    plain = (await proxy.ask("<<SAY hi>>", model=model, **fields)).json()
    assert [block["type"] for block in plain["content"]] == blocks
    live = events_of((await proxy.ask("<<SAY hi>>", model=model, stream=True, **fields)).text)
    starts = [event["content_block"]["type"] for event in live if event["type"] == "content_block_start"]
    assert starts == blocks
    for body in bodies(proxy):
        assert body.get("additionalModelRequestFields") == sent
        marked = "<thinking_mode>" in json.dumps(body["conversationState"])
        assert marked == ("thinking" in blocks and sent is None)


@pytest.mark.parametrize("model", [f"{OPUS}-thinking", f"{PLAIN}-thinking"])
@pytest.mark.parametrize("shown", ["blocks", "thinking", "think", "reasoning_content"])
async def test_every_format_shows_native_and_prompted_thinking_alike(
    shown: str, model: str, simulator: RunningSimulator, tmp_path: Path
) -> None:
    async with running_proxy(simulator, tmp_path, thinking_format=shown) as proxy:
        await discovered(proxy)
        plain = (await proxy.ask("<<SAY hi>>", model=model)).json()
        live = events_of((await proxy.ask("<<SAY hi>>", model=model, stream=True)).text)
    content = plain["content"]
    reasoned = "".join(event.get("delta", {}).get("reasoning_content", "") for event in live)
    assert plain.get("reasoning_content", "") == reasoned
    assert [block["type"] for block in folded(live)["content"]] == [block["type"] for block in content]
    match shown:
        case "blocks":
            assert [block["type"] for block in content] == ["thinking", "text"]
            assert content[1]["text"] == "hi"
        case "reasoning_content":
            assert [block["text"] for block in content] == ["hi"]
            assert "Let me answer." in reasoned
        case tag:
            (block,) = content
            assert block["text"].startswith(f"<{tag}>")
            assert block["text"].endswith(f"Let me answer.</{tag}>\n\nhi")


async def test_the_effort_of_a_message_wins(proxy: Proxy) -> None:
    await discovered(proxy)
    messages: Any = [
        {"role": "system", "content": "Be quick.", "output_config": {"effort": "low"}},
        {"role": "user", "content": "<<SAY hi>>"},
    ]
    fields: Any = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}
    await proxy.ask(model=OPUS, messages=messages, **fields)
    assert bodies(proxy)[0]["additionalModelRequestFields"] == {"output_config": {"effort": "low"}}


async def test_omitted_thinking_has_a_signature_and_is_not_replayed(proxy: Proxy) -> None:
    await discovered(proxy)
    thinking: Any = {"type": "adaptive", "display": "omitted"}
    first = (await proxy.ask("<<SAY hi>>", model=OPUS, thinking=thinking)).json()["content"]
    assert (first[0]["thinking"], bool(first[0]["signature"])) == ("", True)
    again: Any = [{"role": "user", "content": "a"}, {"role": "assistant", "content": first}]
    again.append({"role": "user", "content": "<<SAY more>>"})
    assert (await proxy.ask(model=OPUS, thinking=thinking, messages=again)).status_code == 200
    assert proxy.simulator.counts[CHAT] == 2
    assert "reasoningContent" not in json.dumps(bodies(proxy)[1])


async def tool_round(proxy: Proxy, model: str, next_model: str, *, tamper: bool = False) -> Any:
    """A tool call with thinking, its result, the answer; the last of the service's requests."""
    thinking: Any = {"type": "adaptive"}
    asked: Any = [{"role": "user", "content": CALL}]
    first = await proxy.ask(model=model, thinking=thinking, tools=[READ], messages=asked, stream=True)
    content = message_of(first)["content"]
    if tamper:
        content[0]["thinking"] += "!"
    [call] = [block for block in content if block["type"] == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "4711"}
    asked += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    second = await proxy.ask(model=next_model, thinking=thinking, tools=[READ], messages=asked)
    assert second.status_code == 200
    assert "4711" in next(block["text"] for block in second.json()["content"] if block["type"] == "text")
    return bodies(proxy)[-1]


def reasoning_in(body: Any) -> list[Any]:
    messages = [entry.get("assistantResponseMessage", {}) for entry in body["conversationState"]["history"]]
    return [message["reasoningContent"] for message in messages if "reasoningContent" in message]


async def test_signed_thinking_goes_back_as_it_came(proxy: Proxy) -> None:
    await discovered(proxy)
    body = await tool_round(proxy, OPUS, OPUS)
    (reasoning,) = reasoning_in(body)
    assert set(reasoning) == {"reasoningText"}
    assert "<thinking>" not in json.dumps(body)
    assert proxy.simulator.counts[CHAT] == 2


async def test_sealed_thinking_goes_back_too(proxy: Proxy) -> None:
    await discovered(proxy)
    (reasoning,) = reasoning_in(await tool_round(proxy, GPT, GPT))
    assert set(reasoning) == {"redactedContent"}
    assert proxy.simulator.counts[CHAT] == 2


@pytest.mark.parametrize(
    ("model", "next_model"), [(OPUS, SONNET), (GPT, OPUS), (PLAIN, OPUS), ("claude-opus-4-6", OPUS)]
)
async def test_thinking_of_another_model_is_left_out(model: str, next_model: str, proxy: Proxy) -> None:
    await discovered(proxy)
    body = await tool_round(proxy, model, next_model)
    assert reasoning_in(body) == []
    assert "<thinking>" not in json.dumps(body)
    assert proxy.simulator.counts[CHAT] == 2


async def test_a_model_that_is_asked_by_the_prompt_reads_thinking_as_text(proxy: Proxy) -> None:
    await discovered(proxy)
    body = await tool_round(proxy, OPUS, PLAIN)
    assert reasoning_in(body) == []
    assert "<thinking>" in json.dumps(body["conversationState"]["history"])


async def test_a_refused_signature_is_sent_once_more_without(proxy: Proxy) -> None:
    await discovered(proxy)
    assert reasoning_in(await tool_round(proxy, OPUS, OPUS, tamper=True)) == []
    assert [len(reasoning_in(body)) for body in bodies(proxy)[1:]] == [1, 0]


async def test_the_client_gets_the_model_s_own_signature(proxy: Proxy) -> None:
    await discovered(proxy)
    answer = (await proxy.ask("<<SAY hi>>", model=OPUS, thinking={"type": "adaptive"})).json()
    assert unseal(answer["content"][0]["signature"], "claude-opus-4.8")


async def test_a_search_of_our_own_goes_on_with_signed_thinking(proxy: Proxy) -> None:
    await discovered(proxy)
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}, READ]
    prompt = '<<CALL web_search {"query": "trio"}>>'
    answer = await proxy.ask(prompt, model=OPUS, thinking={"type": "adaptive"}, tools=tools)
    assert answer.status_code == 200, answer.text
    kinds = [block["type"] for block in answer.json()["content"]]
    assert kinds == ["thinking", "server_tool_use", "web_search_tool_result", "thinking", "text"]
    assert len(reasoning_in(bodies(proxy)[1])) == 1
    assert proxy.simulator.counts[CHAT] == 2


@pytest.mark.real_client
async def test_a_tool_loop_with_thinking_through_the_sdk(proxy: Proxy) -> None:
    await discovered(proxy)

    def work() -> str:
        with Anthropic(base_url=proxy.url, api_key=KEY, max_retries=0, _strict_response_validation=True) as client:
            messages: list[Any] = [{"role": "user", "content": CALL}]
            for _ in range(3):
                with client.messages.stream(
                    model=OPUS, max_tokens=4000, messages=messages, tools=[READ], thinking={"type": "adaptive"}
                ) as stream:
                    answer = stream.get_final_message()
                messages.append({"role": "assistant", "content": answer.content})
                calls = [block for block in answer.content if block.type == "tool_use"]
                if not calls:
                    return "".join(block.text for block in answer.content if block.type == "text")
                results = [{"type": "tool_result", "tool_use_id": call.id, "content": "nonce 4711"} for call in calls]
                messages.append({"role": "user", "content": results})
        raise AssertionError("the loop does not end")

    assert "4711" in await trio.to_thread.run_sync(work)
    assert len(reasoning_in(bodies(proxy)[-1])) == 1
    assert proxy.simulator.counts[CHAT] == 2


async def test_the_demo_account_thinks_natively_in_every_mode(proxy: Proxy) -> None:
    await discovered(proxy)
    plain, *streamed = [
        (await converse(proxy, path, prompt="<<SAY hi>>", model=OPUS, thinking={"type": "adaptive"}, stream=stream))
        for path, stream in ((STREAM, False), (STREAM, True), (HELD, True))
    ]
    assert [message["content"] for message in streamed] == [plain["content"]] * 2
