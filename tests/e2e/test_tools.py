"""Tools from the client to Kiro and back: what is repaired, hidden, demanded and restored, seen on both sides."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.e2e.acceptance import MODES, converse, current_of
from tests.proxy import STREAM, Proxy, events_of, running_proxy, text_of

LONG_NAME = "mcp__a_server_with_a_very_long_name__a_tool_with_a_name_that_is_even_longer_than_that"
ODD_NAME = "files/read.v2 ü"


def tool(name: str, schema: Json = None, **more: Json) -> dict[str, Json]:
    return {"name": name, "description": f"Does {name}.", "input_schema": schema or {"type": "object"}, **more}


def sent_tools(proxy: Proxy) -> dict[str, Any]:
    """Name → specification of the tools that Kiro got last."""
    listed = current_of(proxy).get("userInputMessageContext", {}).get("tools", [])
    return {entry["toolSpecification"]["name"]: entry["toolSpecification"] for entry in listed}


def schema_of(specification: dict[str, Any]) -> Any:
    return specification["inputSchema"]["json"]


async def ask(
    proxy: Proxy, messages: Json, tools: Json, way: tuple[str, bool] = (STREAM, False), **fields: Json
) -> Any:
    path, stream = way
    return await converse(proxy, path, stream=stream, messages=messages, tools=tools, **fields)


def user(content: Json) -> dict[str, Json]:
    return {"role": "user", "content": content}


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", MODES, ids=str)
@pytest.mark.parametrize(("name", "called"), [(LONG_NAME, LONG_NAME), (ODD_NAME, "files/read.v2"), ("Read", "Read")])
async def test_a_name_kiro_would_refuse_goes_there_and_back(
    name: str, called: str, way: tuple[str, bool], proxy: Proxy
) -> None:
    offered: Json = [tool(name), tool("Other")]
    prompt = user(f'Use it. <<CALL {called} {{"a": 1}}>>')
    first = await ask(proxy, [prompt], offered, way)
    [call] = [block for block in first["content"] if block["type"] == "tool_use"]
    assert (call["name"], call["input"], first["stop_reason"]) == (name, {"a": 1}, "tool_use")
    assert all(len(wire) < 64 and wire.isascii() and " " not in wire for wire in sent_tools(proxy))

    said: Json = {"role": "assistant", "content": [{key: call[key] for key in ("type", "id", "name", "input")}]}
    result: Json = [{"type": "tool_result", "tool_use_id": call["id"], "content": "nonce 4711"}]
    second = await ask(proxy, [prompt, said, user(result)], offered, way)
    assert "nonce 4711" in second["content"][0]["text"]


# --- schemas ------------------------------------------------------------------------------------------------------

REFUSED_SCHEMAS: dict[str, Json] = {
    "additionalProperties": {"type": "object", "properties": {}, "additionalProperties": False},
    "empty required": {"type": "object", "properties": {"a": {"type": "object", "required": []}}, "required": []},
    "nulls": {"type": None, "properties": None, "required": None},
    "no type": {"properties": {"a": {}}},
    "a choice at the top": {
        "oneOf": [
            {"properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]},
        ]
    },
    "parts at the top": {
        "type": "object",
        "allOf": [{"properties": {"a": {}}}, {"$ref": "#/$defs/b"}],
        "$defs": {"b": {}},
    },
    "a reference at the top": {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"type": "string"}}}}},
}


@pytest.mark.parametrize("schema", REFUSED_SCHEMAS.values(), ids=REFUSED_SCHEMAS)
async def test_a_schema_kiro_would_refuse_is_repaired(schema: Json, proxy: Proxy) -> None:
    offered: Json = [{"name": "Act", "description": "", "input_schema": schema}]
    answer = await ask(proxy, [user('<<CALL Act {"a": "x"}>>')], offered)
    assert answer["content"][0]["input"] == {"a": "x"}
    repaired = schema_of(sent_tools(proxy)["Act"])
    assert repaired["type"] == "object"
    assert not {"oneOf", "allOf", "anyOf", "$ref", "additionalProperties"} & set(repaired)
    assert "additionalProperties" not in json.dumps(repaired)


async def test_what_the_branches_of_a_choice_ask_for_is_kept(proxy: Proxy) -> None:
    await ask(proxy, [user("hi")], [tool("Act", REFUSED_SCHEMAS["a choice at the top"])])
    repaired = schema_of(sent_tools(proxy)["Act"])
    assert set(repaired["properties"]) == {"a", "b"}
    assert repaired["required"] == ["a"]


async def test_many_tools_are_compressed_when_that_is_on(simulator: RunningSimulator, tmp_path: Path) -> None:
    limit = 20_480
    schema: Json = {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/place"}, "mode": {"type": "string", "description": "m" * 500}},
        "required": ["place"],
        "$defs": {"place": {"type": "object", "properties": {"x": {"type": "number", "description": "d" * 300}}}},
    }
    offered: Json = [{**tool(f"tool_{number}", schema), "description": "Words. " * 200} for number in range(25)]
    async with running_proxy(simulator, tmp_path, tool_compression_bytes=limit) as proxy:
        answer = await ask(proxy, [user('<<CALL tool_24 {"place": {"x": 1}}>>')], offered)
        tools = sent_tools(proxy)
    assert answer["content"][0]["input"] == {"place": {"x": 1}}
    assert len(tools) == 25
    assert len(json.dumps(list(tools.values()), separators=(",", ":"))) < limit
    for specification in tools.values():
        assert schema_of(specification)["properties"]["place"] == {"$ref": "#/$defs/place"}
        assert schema_of(specification)["$defs"]["place"]["properties"]["x"] == {"type": "number"}
        assert schema_of(specification)["required"] == ["place"]
        assert len(specification["description"]) >= 47


async def test_without_that_they_are_sent_as_they_are(proxy: Proxy) -> None:
    offered: Json = [{**tool(f"tool_{number}"), "description": "Words. " * 500} for number in range(10)]
    await ask(proxy, [user("hi")], offered)
    assert {specification["description"] for specification in sent_tools(proxy).values()} == {"Words. " * 500}


# --- which are offered --------------------------------------------------------------------------------------------


async def test_deferred_tools_come_when_they_are_loaded(proxy: Proxy) -> None:
    search = tool("ToolSearch", {"type": "object", "properties": {"query": {"type": "string"}}})
    offered: Json = [search, tool("Deep", defer_loading=True), tool("Deeper", defer_loading=True)]
    prompt = user('<<CALL ToolSearch {"query": "Deep"}>> <<CALL Deep {"n": 1}>>')
    first = await ask(proxy, [prompt], offered)
    assert set(sent_tools(proxy)) == {"ToolSearch"}
    [call] = first["content"]
    loaded: Json = [{"type": "tool_reference", "tool_name": "Deep"}]
    messages: Json = [
        prompt,
        {"role": "assistant", "content": first["content"]},
        user(
            [
                {"type": "tool_result", "tool_use_id": call["id"], "content": loaded},
                {"type": "text", "text": "Tool loaded."},
            ]
        ),
    ]
    second = await ask(proxy, messages, offered)
    assert set(sent_tools(proxy)) == {"ToolSearch", "Deep"}
    assert second["content"][-1]["name"] == "Deep"
    assert "The tool Deep is loaded" in json.dumps(current_of(proxy))


async def test_what_cannot_be_run_here_is_left_out(proxy: Proxy) -> None:
    offered: Json = [
        tool("Read"),
        tool("Read", {"type": "object", "properties": {"other": {}}}),
        {"type": "code_execution_20250825", "name": "code_execution"},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
        {
            **tool("Eager"),
            "type": "custom",
            "eager_input_streaming": True,
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
    ]
    await ask(proxy, [user("hi")], offered)
    assert set(sent_tools(proxy)) == {"Read", "bash", "str_replace_based_edit_tool", "Eager"}
    assert "command" in schema_of(sent_tools(proxy)["bash"])["properties"]


# --- what is demanded ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", MODES, ids=str)
@pytest.mark.parametrize(
    ("fields", "called"),
    [
        ({"tool_choice": {"type": "any"}}, ["Read"]),
        ({"tool_choice": {"type": "tool", "name": LONG_NAME}}, [LONG_NAME]),
        ({"tool_choice": {"type": "none"}}, []),
        ({"tool_choice": {"type": "auto"}}, []),
        ({}, []),
    ],
    ids=["any", "tool", "none", "auto", "absent"],
)
async def test_tool_choice(fields: dict[str, Json], called: list[str], way: tuple[str, bool], proxy: Proxy) -> None:
    offered: Json = [tool("Read"), tool(LONG_NAME)]
    answer = await ask(proxy, [user("What now?")], offered, way, **fields)
    assert [block["name"] for block in answer["content"] if block["type"] == "tool_use"] == called
    assert answer["stop_reason"] == ("tool_use" if called else "end_turn")
    assert bool(sent_tools(proxy)) == (fields.get("tool_choice") != {"type": "none"})


@pytest.mark.parametrize("way", MODES, ids=str)
async def test_one_call_at_most(way: tuple[str, bool], proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.steps(
        {"tool": {"name": "Read", "input": {"n": 1}}}, {"tool": {"name": "Read", "input": {"n": 2}}}
    )
    choice: Json = {"type": "auto", "disable_parallel_tool_use": True}
    one = await ask(proxy, [user("hi")], [tool("Read")], way, tool_choice=choice)
    assert [block["input"] for block in one["content"]] == [{"n": 1}]
    assert one["stop_reason"] == "tool_use"
    assert "at most one tool" in current_of(proxy)["content"]
    both = await ask(proxy, [user("hi")], [tool("Read")], way)
    assert [block["input"] for block in both["content"]] == [{"n": 1}, {"n": 2}]


# --- a JSON answer ------------------------------------------------------------------------------------------------

TITLE: Json = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
FORMAT: Json = {"format": {"type": "json_schema", "schema": TITLE}}


@pytest.mark.parametrize("way", MODES, ids=str)
async def test_structured_output(way: tuple[str, bool], proxy: Proxy) -> None:
    """As Claude Code asks for the title of a session."""
    answer = await ask(proxy, [user("Name this.")], None, way, output_config=FORMAT)
    [block] = answer["content"]
    document = json.loads(block["text"])
    assert list(document) == ["title"]
    assert isinstance(document["title"], str)
    assert json.dumps(TITLE, separators=(",", ":")) in current_of(proxy)["content"]


@pytest.mark.parametrize("way", MODES, ids=str)
async def test_what_stands_around_it_is_taken_away(way: tuple[str, bool], proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.steps(
        {"text": 'Here you are:\n\n```json\n{"title": "A {b}"}\n```\nAnything else?'}
    )
    answer = await ask(proxy, [user("Name this.")], None, way, output_config=FORMAT)
    assert [block["text"] for block in answer["content"]] == ['{"title": "A {b}"}']
    assert answer["stop_reason"] == "end_turn"


@pytest.mark.parametrize("way", MODES, ids=str)
async def test_what_is_no_json_is_delivered_all_the_same(
    way: tuple[str, bool], proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kiro_rs_py")
    proxy.simulator.scenario = Scenario.steps({"text": "I would rather not."})
    answer = await ask(proxy, [user("Name this.")], None, way, output_config=FORMAT)
    assert [block["text"] for block in answer["content"]] == ["I would rather not."]
    assert "the answer is no JSON, or was cut off" in caplog.messages
    assert "rather not" not in caplog.text


async def test_a_held_answer_that_breaks_is_still_a_status(proxy: Proxy) -> None:
    response = await proxy.ask(
        '<<SAY {"title": "one two three"}>> <<FAULT bad-crc>>', stream=True, output_config=FORMAT
    )
    assert (response.status_code, response.json()["error"]["type"]) == (502, "api_error")


async def test_pings_while_it_is_held(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = Scenario.steps({"text": '{"title":'}, {"pause": 0.5}, {"text": '"x"}'})
    async with running_proxy(simulator, tmp_path, ping_interval_seconds=0.1) as proxy:
        response = await proxy.ask("Name this.", stream=True, output_config=FORMAT)
    assert response.text.startswith("event: ping")
    assert text_of(events_of(response.text)) == '{"title":"x"}'


# --- calls that were cut ------------------------------------------------------------------------------------------

WRITE: Json = [tool("Write", {"type": "object", "properties": {"content": {"type": "string"}}})]
RESUME = "Output token limit hit. Resume directly — no apology, no recap of what you were doing."


@pytest.mark.parametrize("way", MODES, ids=str)
async def test_a_cut_call_and_the_turn_after_it(way: tuple[str, bool], proxy: Proxy) -> None:
    """Claude Code drops the half call and asks to resume (clients §1.2); the model is told why there is a gap."""
    path, stream = way
    prompt = user("Write it. <<FAULT cut-tool>>")
    response = await proxy.ask(path=path, stream=stream, messages=[prompt], tools=WRITE)
    if stream:
        events = events_of(response.text)
        opened = {event["index"] for event in events if event["type"] == "content_block_start"}
        closed = {event["index"] for event in events if event["type"] == "content_block_stop"}
        assert opened - closed == {max(opened)}
        assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
        assert events[-2]["delta"]["stop_reason"] == "max_tokens"
    else:
        assert response.json()["stop_reason"] == "max_tokens"
        assert not [block for block in response.json()["content"] if block["type"] == "tool_use"]
    await ask(proxy, [user("Write it."), {"role": "assistant", "content": "I will."}, user(RESUME)], WRITE, way)
    assert "exceeded the size limit for one reply" in current_of(proxy)["content"]
    assert "smaller parts" in current_of(proxy)["content"]


async def test_a_call_whose_arguments_the_client_could_not_read(proxy: Proxy) -> None:
    call: Json = {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "Write",
        "input": {"__unparsedToolInput": {"raw": '{"con'}},
    }
    result: Json = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "could not be parsed", "is_error": True}
    await ask(proxy, [user("Write it."), {"role": "assistant", "content": [call]}, user([result])], WRITE)
    [told] = current_of(proxy)["userInputMessageContext"]["toolResults"]
    assert told["content"][0]["text"].startswith("The arguments of this call were cut off")
    assert told["status"] == "error"
