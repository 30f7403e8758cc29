"""Web search over real sockets: alone and beside other tools, in all modes, with Anthropic's SDK and Claude Code's own
request as judges."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import anthropic
import pytest
import trio
from anthropic import Anthropic

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.app import CHAT, MCP
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.e2e.acceptance import MODES, converse, current_of
from tests.e2e.test_sdk import with_sdk
from tests.proxy import HELD, STREAM, Proxy, events_of, raw_request, running_proxy, text_of, wait_for

RECORDED = Path(__file__).parent.parent / "clients/claude-code"
CLAUDE_CODE = RECORDED / "claude-code-2.1.330-sonnet-4-5-websearch-server-tool.json"

SEARCH: JsonObject = {"type": "web_search_20250305", "name": "web_search"}
READ: JsonObject = {
    "name": "read",
    "description": "Reads a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}
LOOK = '<<SAY Let me look.>> <<CALL web_search {"query": "trio"}>> <<SAY Found it.>>'


def kinds(answer: Any) -> list[str]:
    return [block["type"] for block in answer["content"]]


def searched(proxy: Proxy) -> list[Any]:
    """What was searched for."""
    bodies: list[Any] = [request.json for request in proxy.simulator.requests_to(MCP)]
    return [body["params"]["arguments"]["query"] for body in bodies]


# --- alone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "stream"), MODES)
async def test_a_lone_search(path: str, stream: bool, proxy: Proxy) -> None:
    answer = await converse(
        proxy, path, prompt="Perform a web search for the query: trio", tools=[SEARCH], stream=stream
    )
    call, found, text = answer["content"]
    assert (call["type"], call["name"], call["input"]) == ("server_tool_use", "web_search", {"query": "trio"})
    assert (found["type"], found["tool_use_id"]) == ("web_search_tool_result", call["id"])
    assert found["content"][0] == {
        "type": "web_search_result",
        "title": "Result 1 for trio",
        "url": "https://example.com/1",
        "encrypted_content": "Page 1 of the simulated web says something about trio.",
        "page_age": "January 15, 2026",
    }
    assert found["content"][2]["page_age"] is None
    assert "https://example.org/3" in text["text"]
    assert answer["stop_reason"] == "end_turn"
    assert answer["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert searched(proxy) == ["trio"]
    assert not proxy.simulator.counts[CHAT]


async def test_claude_codes_own_request(proxy: Proxy) -> None:
    recorded = json.loads(CLAUDE_CODE.read_text(encoding="utf-8"))
    response = await proxy.client.post("/v1/messages?beta=true", json=recorded["body"])
    events = events_of(response.text)
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in starts] == ["server_tool_use", "web_search_tool_result", "text"]
    assert searched(proxy) == [recorded["body"]["messages"][0]["content"][0]["text"]]
    assert starts[1]["content"]
    assert text_of(events)


async def test_the_last_user_message_asks(proxy: Proxy) -> None:
    messages: Json = [
        {"role": "user", "content": "old"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": [{"type": "text", "text": "new"}]},
    ]
    await converse(proxy, STREAM, messages=messages, tools=[SEARCH])
    assert searched(proxy) == ["new"]


async def test_domains(proxy: Proxy) -> None:
    allowed: JsonObject = {**SEARCH, "allowed_domains": ["example.org"]}
    answer = await converse(proxy, STREAM, prompt="trio", tools=[allowed])
    assert [hit["url"] for hit in answer["content"][1]["content"]] == ["https://example.org/3"]
    blocked: JsonObject = {**SEARCH, "blocked_domains": ["example.com", "example.org"]}
    answer = await converse(proxy, STREAM, prompt="trio", tools=[blocked])
    assert answer["content"][1]["content"] == []
    assert "No results found." in answer["content"][2]["text"]
    both: JsonObject = {**allowed, "blocked_domains": ["x.example"]}
    response = await proxy.ask("trio", tools=[both])
    assert response.status_code == 400


@pytest.mark.parametrize(("path", "stream"), MODES)
async def test_nothing_found(path: str, stream: bool, proxy: Proxy) -> None:
    proxy.simulator.management.search_results = []
    answer = await converse(proxy, path, prompt="trio", tools=[SEARCH], stream=stream)
    assert answer["content"][1]["content"] == []
    assert "No results found." in answer["content"][2]["text"]


def rpc_error(code: int, text: str) -> JsonObject:
    return {"id": "1", "jsonrpc": "2.0", "result": None, "error": {"code": code, "message": text}}


FAILURES: list[tuple[str, int, JsonObject]] = [
    ("invalid_tool_input", 200, rpc_error(-32602, "query is not valid")),
    ("query_too_long", 200, rpc_error(-32602, "query is too long")),
    ("too_many_requests", 429, {"message": "Too many requests"}),
    ("unavailable", 200, rpc_error(-32603, "Internal error")),
    ("unavailable", 400, {"message": "Improperly formed request."}),
    ("unavailable", 200, {"id": "1", "jsonrpc": "2.0", "result": {"content": [], "isError": True}}),
]


@pytest.mark.parametrize(("code", "status", "body"), FAILURES)
@pytest.mark.parametrize("tools", [[SEARCH], [READ, SEARCH]], ids=["alone", "mixed"])
async def test_failures_are_told_in_the_block(
    code: str, status: int, body: JsonObject, tools: list[Json], proxy: Proxy
) -> None:
    proxy.simulator.fail_next(MCP, status, body)
    if len(tools) > 1:
        proxy.simulator.scenario = Scenario.then_script([{"tool": {"name": "web_search", "input": {"query": "q"}}}])
        response = await proxy.ask("<<SAY Sorry.>>", tools=tools)
    else:
        response = await proxy.ask("trio", tools=tools)
    answer = response.json()
    call, found, text = answer["content"]
    assert found["content"] == {"type": "web_search_tool_result_error", "error_code": code}
    assert found["tool_use_id"] == call["id"]
    assert text["text"]
    assert answer["usage"]["server_tool_use"]["web_search_requests"] == 0


@pytest.mark.parametrize(
    ("status", "body", "answered", "type_"),
    [
        (402, {"reason": "MONTHLY_REQUEST_COUNT", "message": "You have reached the limit."}, 429, "rate_limit_error"),
        (403, {"message": "User is not authorized to make this call."}, 401, "authentication_error"),
        (403, {"reason": "TEMPORARILY_SUSPENDED", "message": "suspended"}, 403, "permission_error"),
    ],
)
@pytest.mark.parametrize(("path", "stream"), MODES)
async def test_without_an_account_there_is_a_status(
    status: int, body: JsonObject, answered: int, type_: str, path: str, stream: bool, proxy: Proxy
) -> None:
    proxy.simulator.fail_next(MCP, status, body)
    response = await proxy.ask("trio", tools=[SEARCH], path=path, stream=stream)
    assert (response.status_code, response.json()["error"]["type"]) == (answered, type_)


async def test_another_account_searches(simulator: RunningSimulator, tmp_path: Path) -> None:
    kiro = simulator.simulator
    credentials = [kiro.credential_json(name) for name in list(kiro.accounts)[:2]]
    async with running_proxy(simulator, tmp_path, credentials=credentials) as proxy:
        kiro.fail_next(MCP, 402, {"reason": "MONTHLY_REQUEST_COUNT", "message": "You have reached the limit."})
        answer = await converse(proxy, STREAM, prompt="trio", tools=[SEARCH])
    assert answer["content"][1]["content"]
    assert kiro.counts[MCP] == 2


@pytest.mark.parametrize("tools", [[SEARCH], [READ, SEARCH]], ids=["alone", "mixed"])
@pytest.mark.parametrize("path", [STREAM, HELD])
async def test_a_hang_up_ends_the_search(
    path: str, tools: list[Json], proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kiro_rs_py.serve")
    hold = proxy.simulator.hold_next(MCP)
    async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as raw:
        await raw.send_all(raw_request(path, LOOK, tools=tools, stream=True))
        with trio.fail_after(20):
            await hold.arrived.wait()
    await wait_for(lambda: "(client left)" in caplog.text)
    hold.release.set()
    assert proxy.simulator.counts[CHAT] == len(tools) - 1


# --- beside other tools -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "stream"), MODES)
async def test_a_search_beside_other_tools(path: str, stream: bool, proxy: Proxy) -> None:
    answer = await converse(proxy, path, prompt=LOOK, tools=[READ, SEARCH], stream=stream)
    assert kinds(answer) == ["text", "server_tool_use", "web_search_tool_result", "text"]
    first, call, found, last = answer["content"]
    assert (first["text"], last["text"]) == ("Let me look.", "Found it.")
    assert call["id"].startswith("srvtoolu_")
    assert found["tool_use_id"] == call["id"]
    assert found["content"][0]["title"] == "Result 1 for trio"
    assert answer["stop_reason"] == "end_turn"
    assert answer["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert searched(proxy) == ["trio"]


async def test_the_model_reads_what_was_found(proxy: Proxy) -> None:
    answer = await converse(proxy, STREAM, prompt='<<CALL web_search {"query": "trio"}>>', tools=[READ, SEARCH])
    assert "https://example.com/1" in answer["content"][-1]["text"]
    assert "Page 1 of the simulated web" in answer["content"][-1]["text"]
    assert "January 15, 2026" in answer["content"][-1]["text"]


async def test_several_searches(proxy: Proxy) -> None:
    prompt = " ".join(f'<<CALL web_search {{"query": "{word}"}}>>' for word in ("a", "b", "c")) + " <<SAY Done.>>"
    answer = await converse(proxy, STREAM, prompt=prompt, tools=[READ, SEARCH])
    assert kinds(answer) == ["server_tool_use", "web_search_tool_result"] * 3 + ["text"]
    assert searched(proxy) == ["a", "b", "c"]
    assert answer["usage"]["server_tool_use"]["web_search_requests"] == 3


async def test_max_uses(proxy: Proxy) -> None:
    limited: JsonObject = {**SEARCH, "max_uses": 1}
    prompt = " ".join(f'<<CALL web_search {{"query": "{word}"}}>>' for word in ("a", "b")) + " <<SAY Done.>>"
    answer = await converse(proxy, STREAM, prompt=prompt, tools=[READ, limited])
    found = [block["content"] for block in answer["content"] if block["type"] == "web_search_tool_result"]
    assert found[1] == {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    assert answer["content"][-1]["text"] == "Done."
    assert searched(proxy) == ["a"]
    stubborn = " ".join(f'<<CALL web_search {{"query": "{word}"}}>>' for word in "abcdefgh")
    answer = await converse(proxy, STREAM, prompt=stubborn, tools=[READ, limited])
    assert answer["stop_reason"] == "pause_turn"


async def test_a_forced_search(proxy: Proxy) -> None:
    choice: Json = {"type": "tool", "name": "web_search"}
    answer = await converse(proxy, STREAM, prompt="Anything.", tools=[READ, SEARCH], tool_choice=choice)
    assert kinds(answer)[:2] == ["server_tool_use", "web_search_tool_result"]


@pytest.mark.parametrize("model", ["claude-sonnet-4-5-thinking", "claude-opus-5-5"])
async def test_with_thinking(model: str, proxy: Proxy) -> None:
    thinking: Json = {"type": "adaptive"}
    answer = await converse(
        proxy, STREAM, prompt=LOOK, model=model, thinking=thinking, tools=[READ, SEARCH], stream=True
    )
    assert [kind for kind in kinds(answer) if kind != "thinking"] == [
        *("text", "server_tool_use", "web_search_tool_result", "text")
    ]
    assert "thinking" in kinds(answer)


async def test_a_paused_message_goes_on(proxy: Proxy) -> None:
    prompt: JsonObject = {"role": "user", "content": LOOK}
    paused = (await converse(proxy, STREAM, messages=[prompt], tools=[READ, SEARCH]))["content"][:3]
    answer = await converse(
        proxy, STREAM, messages=[prompt, {"role": "assistant", "content": paused}], tools=[READ, SEARCH]
    )
    assert [block["text"] for block in answer["content"]] == ["Found it."]


# --- later turns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [[READ, SEARCH], [READ], []], ids=["offered", "no longer", "no tools"])
async def test_later_turns_know_the_search(later: list[Json], proxy: Proxy) -> None:
    """The simulator checks pairing, names and definitions as the service does."""
    prompt: JsonObject = {"role": "user", "content": LOOK}
    first = await converse(proxy, STREAM, messages=[prompt], tools=[READ, SEARCH])
    messages: Json = [
        prompt,
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": "<<SAY Glad to help.>>"},
    ]
    answer = await converse(proxy, STREAM, messages=messages, tools=later)
    assert [block["text"] for block in answer["content"]] == ["Glad to help."]
    history = json.dumps(proxy.simulator.requests_to(CHAT)[-1].json)
    assert "Page 1 of the simulated web says something about trio." in history


async def test_a_search_and_a_clients_tool_in_one_turn(proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.then_script(
        [
            {"tool": {"name": "web_search", "input": {"query": "trio"}}},
            {"tool": {"name": "read", "input": {"path": "/etc/motd"}}},
        ]
    )
    prompt: JsonObject = {"role": "user", "content": "<<SAY Both are here.>>"}
    first = await converse(proxy, STREAM, messages=[prompt], tools=[READ, SEARCH])
    assert kinds(first) == ["server_tool_use", "tool_use", "web_search_tool_result"]
    assert first["stop_reason"] == "tool_use"
    result: Json = {"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "welcome"}
    messages: Json = [prompt, {"role": "assistant", "content": first["content"]}, {"role": "user", "content": [result]}]
    second = await converse(proxy, STREAM, messages=messages, tools=[READ, SEARCH])
    assert second["content"][0]["text"] == "Both are here."
    assert len(current_of(proxy)["userInputMessageContext"]["toolResults"]) == 2


@pytest.mark.real_client
@pytest.mark.parametrize("base", ["", "/cc"])
async def test_the_sdks_conversation(base: str, proxy: Proxy) -> None:
    """What the SDK makes of our blocks it sends back, and everything is typed and checked on the way."""

    def work(client: Anthropic) -> list[anthropic.types.Message]:
        messages: list[Any] = [{"role": "user", "content": LOOK}]
        answers = []
        for prompt in ("<<SAY And more.>>", '<<CALL web_search {"query": "more"}>>'):
            tools: Any = [READ, SEARCH]
            with client.messages.stream(
                model="claude-opus-5-5", max_tokens=100, messages=messages, tools=tools
            ) as stream:
                answer: Any = stream.get_final_message()
            answers.append(answer)
            messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": prompt}]
        answers.append(client.messages.create(model="claude-opus-5-5", max_tokens=100, messages=messages, tools=tools))
        return answers

    first, second, third = await with_sdk(proxy, work, base)
    call, found = first.content[1], first.content[2]
    assert isinstance(call, anthropic.types.ServerToolUseBlock)
    assert isinstance(found, anthropic.types.WebSearchToolResultBlock)
    assert isinstance(found.content, list)
    assert found.content[0].page_age == "January 15, 2026"
    assert first.usage.server_tool_use is not None
    assert first.usage.server_tool_use.web_search_requests == 1
    assert [block.type for block in second.content] == ["text"]
    assert "more" in third.content[-1].text  # type: ignore[union-attr]


# --- failures on the way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "stream"), MODES)
async def test_a_later_round_that_fails(path: str, stream: bool, proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.then_script(
        [{"tool": {"name": "web_search", "input": {"query": "trio"}}}], [{"exception": {"name": "ThrottlingException"}}]
    )
    response = await proxy.ask("hi", path=path, tools=[READ, SEARCH], stream=stream)
    if (path, stream) == (STREAM, True):
        events = events_of(response.text)
        assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", "rate_limit_error")
        starts = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
        assert starts == ["server_tool_use", "web_search_tool_result"]
        assert not [event for event in events if event["type"] in ("message_delta", "message_stop")]
    else:
        assert (response.status_code, response.json()["error"]["type"]) == (429, "rate_limit_error")
