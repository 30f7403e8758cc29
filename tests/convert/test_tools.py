"""Which tools are offered, how they are written, what is demanded of the turn."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import (
    Json,
    JsonObject,
    Message,
    MessagesRequest,
    TextBlock,
    Tool,
    ToolChoice,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from kiro_rs_py.convert.kiro import ToolSpecification, tool_to_json
from kiro_rs_py.convert.tool_names import WireNames
from kiro_rs_py.convert.tools import (
    MAX_DESCRIPTION_CHARS,
    compressed,
    mentioned,
    offered_tools,
    specifications,
    turn_instructions,
    wire_names,
    with_placeholders,
    writes_files,
)
from kiro_rs_py.convert.websearch import SearchPlan, plan_search

READ, EDIT = Tool("Read", "Reads."), Tool("Edit", "Edits.")
LATE = Tool("WebFetch", "Fetches.", defer_loading=True)
AUTO = ToolChoice()
ASK = Message("user", (TextBlock("x"),))


def request(*tools: Tool, choice: ToolChoice = AUTO, **fields: Json) -> MessagesRequest:
    return replace(MessagesRequest("m", (ASK,), tools=tools, tool_choice=choice), **fields)  # type: ignore[arg-type]


def offered(*tools: Tool, in_use: tuple[str, ...] = (), choice: ToolChoice = AUTO) -> tuple[list[str], list[str]]:
    notes: list[str] = []
    return [tool.name for tool in offered_tools(request(*tools, choice=choice), in_use, notes)], notes


# --- which --------------------------------------------------------------------------------------------------------


def test_client_tools_are_offered_in_their_order() -> None:
    assert offered(READ, replace(EDIT, type="custom")) == (["Read", "Edit"], [])


def test_server_tools_are_left_out_of_mixed_lists() -> None:
    names, notes = offered(
        Tool("", type="web_search_20250305"),
        Tool("web_fetch", type="web_fetch_20250910"),
        Tool("code_execution", type="code_execution_20250825"),
        Tool("", type="mcp_toolset"),
        Tool("", type="bash_20250124"),
        READ,
    )
    assert names == ["Read"]
    assert len(notes) == 5
    assert "mcp_toolset" in notes[3]


@pytest.mark.parametrize(
    "search", [Tool("web_search", type="web_search_20250305", max_uses=3), Tool("web_search", max_uses=3)]
)
def test_the_web_search_is_offered_like_any_tool(search: Tool) -> None:
    asked = request(READ, search)
    tools = offered_tools(asked, (), [])
    names = wire_names(asked, ())
    assert [tool.name for tool in tools] == ["Read", "web_search"]
    assert "query" in str(specifications(tools, names, [])[1].schema)
    assert plan_search(tools, names, []) == SearchPlan("web_search", 3)


def test_without_a_web_search_there_is_no_plan() -> None:
    own = Tool("web_search", "The client's own.", {"type": "object"})
    for asked in (request(READ), request(own), request(own, Tool("web_search", type="web_search_20250305"))):
        assert plan_search(offered_tools(asked, (), []), wire_names(asked, ()), []) is None


def test_anthropics_tools_that_the_client_runs_get_their_schema() -> None:
    own = Tool("shell", "My shell.", {"type": "object"}, type="bash_20250124")
    bash, shell = offered_tools(request(Tool("bash", type="bash_20250124"), own), (), [])
    assert "command" in str(bash.input_schema)
    assert bash.description
    assert (shell.description, shell.input_schema) == ("My shell.", {"type": "object"})


def test_the_first_of_two_tools_with_one_name() -> None:
    notes: list[str] = []
    tools = offered_tools(request(READ, replace(READ, description="Other.")), (), notes)
    assert tools == (READ,)
    assert notes == ["left out the second tool named Read"]


def test_deferred_tools_wait_to_be_loaded() -> None:
    assert offered(READ, LATE)[0] == ["Read"]
    assert "not loaded" in offered(READ, LATE)[1][0]
    assert offered(READ, LATE, in_use=("WebFetch",)) == (["Read", "WebFetch"], [])
    assert offered(READ, LATE, choice=ToolChoice("tool", "WebFetch"))[0] == ["Read", "WebFetch"]


def test_without_anthropics_tool_search_nobody_loads_them() -> None:
    search = Tool("tool_search_tool_regex", type="tool_search_tool_regex_20251119")
    assert offered(search, LATE)[0] == ["WebFetch"]


def test_no_tools_for_tool_choice_none() -> None:
    names, notes = offered(READ, choice=ToolChoice("none"))
    assert names == []
    assert notes == ["left all tools out: tool_choice is none"]
    assert offered(choice=ToolChoice("none")) == ([], [])


def test_names_mentioned_in_a_conversation() -> None:
    reference = ToolResultBlock("t1", (ToolReferenceBlock("WebFetch"), TextBlock("x")))
    messages = (ASK, Message("assistant", (ToolUseBlock("t1", "Read", {}),)), Message("user", (reference,)))
    assert set(mentioned(messages)) == {"Read", "WebFetch"}
    assert wire_names(request(EDIT, Tool("", type="x_1")), ["Read"])["Edit"] == "Edit"


# --- how ----------------------------------------------------------------------------------------------------------


def written(tool: Tool) -> ToolSpecification:
    return specifications([tool], WireNames([tool.name]), [])[0]


def test_a_tool_as_it_is_sent() -> None:
    tool = Tool("Read", "Reads.", {"type": "object", "properties": {}, "required": [], "additionalProperties": False})
    assert written(tool) == ToolSpecification("Read", "Reads.", {"type": "object", "properties": {}})


@pytest.mark.parametrize("description", ["", " \n"])
def test_blank_descriptions_are_filled(description: str) -> None:
    assert written(Tool("Read", description)).description == "Tool: Read"
    assert written(Tool("Write", description)).description == f"Tool: Write\n{texts.WRITE_SUFFIX}"


def test_hints_for_tools_that_write_files() -> None:
    assert written(Tool("Write", "W.")).description == f"W.\n{texts.WRITE_SUFFIX}"
    assert written(Tool("Edit", "E.")).description == f"E.\n{texts.EDIT_SUFFIX}"
    assert written(Tool("write", "w.")).description == "w."
    assert writes_files([READ, EDIT])
    assert not writes_files([READ, Tool("MultiEdit")])


def test_long_descriptions_are_cut_before_the_hint() -> None:
    room = MAX_DESCRIPTION_CHARS - len(texts.WRITE_SUFFIX) - 1
    assert written(Tool("Write", "d" * 20_000)).description == f"{'d' * room}\n{texts.WRITE_SUFFIX}"
    assert written(Tool("Write", "ü" * 9_990)).description.endswith(f"ü\n{texts.WRITE_SUFFIX}")
    assert written(Tool("Read", "d" * 20_000)).description == "d" * MAX_DESCRIPTION_CHARS


def test_each_kind_of_repair_is_one_note() -> None:
    whole: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    fine = Tool("Read", "d" * MAX_DESCRIPTION_CHARS, whole)
    closed = Tool("secret.1", " ", {**whole, "additionalProperties": False})
    choice = Tool("secret.2", "", {"type": "object", "oneOf": [whole]})
    none_required = Tool("secret.3", "s", {"type": "object", "required": []})
    longest = Tool("Write", "d" * (MAX_DESCRIPTION_CHARS - len(texts.WRITE_SUFFIX) - 1), whole)
    tools = [fine, closed, choice, none_required, longest, Tool("Edit", longest.description, whole)]
    notes: list[str] = []
    specifications(tools, WireNames(tool.name for tool in tools), notes)
    assert notes == ["sent 3 tool names as aliases", "filled 2 empty tool descriptions", "repaired 3 tool schemas"]
    specifications([Tool("Write", "d" * 9_999, whole)], WireNames(["Write"]), notes)
    assert notes[3:] == ["cut 1 tool descriptions to 10000 characters"]
    specifications([fine, longest], WireNames(["Read", "Write"]), notes)
    assert len(notes) == 4


def test_placeholders_for_tools_of_the_history() -> None:
    notes: list[str] = []
    tools = with_placeholders((written(Tool("Bash", "B")),), ["Read", "bash", "Read", "read"], notes)
    assert [tool.name for tool in tools] == ["Bash", "Read", "read"]
    assert tool_to_json(tools[1]) == {
        "toolSpecification": {
            "name": "Read",
            "description": "Tool used in conversation history",
            "inputSchema": {
                "json": {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {}, "type": "object"}
            },
        }
    }
    assert notes == ["defined 2 tools that only the history uses: Read, read"]
    assert with_placeholders((), [], notes) == ()
    assert len(notes) == 1


# --- what the client demands --------------------------------------------------------------------------------------

LONG = "x" * 70
SCHEMA: JsonObject = {"type": "object", "properties": {"title": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("choice", "tools", "demands", "notes"),
    [
        (ToolChoice(), (READ,), [], 0),
        (ToolChoice(disable_parallel_tool_use=True), (READ,), [texts.ONE_CALL_AT_MOST], 0),
        (ToolChoice(disable_parallel_tool_use=True), (), [], 0),
        (ToolChoice("any"), (READ,), [texts.CALL_ANY_TOOL], 0),
        (ToolChoice("any", None, True), (READ,), [texts.CALL_ANY_TOOL, texts.ONE_CALL_AT_MOST], 0),
        (ToolChoice("any"), (), [], 1),
        (ToolChoice("tool", "Read"), (READ,), [texts.call_tool("Read")], 0),
        (ToolChoice("tool", "Edit"), (READ,), [], 1),
        (ToolChoice("tool", LONG), (Tool(LONG),), [texts.call_tool(WireNames([LONG])[LONG])], 0),
        (ToolChoice("none"), (), [], 1),
    ],
)
def test_tool_choice_in_words(choice: ToolChoice, tools: tuple[Tool, ...], demands: list[str], notes: int) -> None:
    written_notes: list[str] = []
    asked = request(*tools, choice=choice)
    names = wire_names(asked, ())
    assert turn_instructions(asked, tools, names, written_notes) == demands
    assert len(written_notes) == notes


def test_tool_choice_none_is_said_when_there_were_tools() -> None:
    asked = request(READ, choice=ToolChoice("none", disable_parallel_tool_use=True))
    assert turn_instructions(asked, (), wire_names(asked, ()), []) == [texts.CALL_NO_TOOL]


def test_answer_schemas_in_words() -> None:
    asked = request(output_schema=SCHEMA)
    (demand,) = turn_instructions(asked, (), wire_names(asked, ()), [])
    assert demand.endswith(json.dumps(SCHEMA, separators=(",", ":")))


# --- compression --------------------------------------------------------------------------------------------------


def big_tool(name: str = "t") -> ToolSpecification:
    schema: JsonObject = {
        "$schema": "x",
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "long " * 50, "pattern": "x", "enum": ["p", "q"]},
            "b": {"type": "array", "items": {"$ref": "#/$defs/B"}, "minItems": 1},
            "c": {"anyOf": [{"const": 1, "title": "x"}, {"type": "null"}], "default": None},
            "description": {"type": "string"},
        },
        "required": ["a"],
        "$defs": {"B": {"type": "object", "properties": {"d": {"type": "string", "format": "uri"}}}},
    }
    return ToolSpecification(name, "ü" * 500, schema)


def size(tools: tuple[ToolSpecification, ...]) -> int:
    return len(json.dumps([tool_to_json(tool) for tool in tools], ensure_ascii=False, separators=(",", ":")).encode())


def test_tools_that_fit_stay_as_they_are() -> None:
    tools = (big_tool(),)
    notes: list[str] = []
    assert compressed(tools, 0, notes) is tools
    assert compressed(tools, size(tools), notes) is tools
    assert notes == []


def test_schemas_lose_their_trimmings_first() -> None:
    tools = (big_tool(),)
    notes: list[str] = []
    (slim,) = compressed(tools, size(tools) - 1, notes)
    assert slim.schema == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "enum": ["p", "q"]},
            "b": {"type": "array", "items": {"$ref": "#/$defs/B"}},
            "c": {"anyOf": [{"const": 1}, {"type": "null"}]},
            "description": {"type": "string"},
        },
        "required": ["a"],
        "$defs": {"B": {"type": "object", "properties": {"d": {"type": "string"}}}},
    }
    assert slim.description == "ü" * 500
    assert notes[0].startswith(f"compressed tool definitions from {size(tools)} to ")


def test_then_descriptions_are_cut_in_proportion() -> None:
    tools = (big_tool("a"), replace(big_tool("b"), description="x" * 2000), ToolSpecification("c", "short", {}))
    slim = compressed(tools, 2200, [])
    assert size(slim) <= 2200 + len("...") * 2
    assert 1.5 < len(slim[1].description.encode()) / len(slim[0].description.encode()) < 2.5
    assert slim[0].description.endswith("ü...")
    assert slim[2].description == "short"


def test_descriptions_keep_fifty_bytes() -> None:
    (slim,) = compressed((big_tool(),), 1, [])
    assert len(slim.description.encode()) in (49, 50)


def test_schemas_that_are_odd_survive_compression() -> None:
    odd: JsonObject = {"type": "object", "properties": {"a": True}, "items": [1, {"title": "x"}], "$defs": 5}
    (slim,) = compressed((ToolSpecification("t", "", odd),), 1, [])
    assert slim == ToolSpecification("t", "", {"type": "object", "properties": {"a": True}, "items": [1, {}]})
