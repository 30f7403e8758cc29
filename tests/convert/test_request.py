"""The whole conversion: prompt, thinking, ids, demands, and what any request becomes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import Json, JsonObject, Thinking
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.kiro import AssistantMessage, ReasoningContent, ToolResult, ToolUse, UserMessage
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.models import MILLION, ModelCatalog
from kiro_rs_py.convert.native_thinking import NativeThinking, seal
from kiro_rs_py.convert.request import (
    Conversion,
    ConversionOptions,
    RequestIds,
    ThinkingPlan,
    convert_request,
    session_of,
    system_text,
    thinking_marker,
)
from kiro_rs_py.convert.websearch import DomainFilter, SearchPlan
from kiro_rs_py.errors import InvalidRequest, NotFound
from tests.convert.converting import (
    OPTIONS,
    TEXT_TOOL,
    assistant,
    body_of,
    call,
    convert,
    kiro_body,
    result,
    system,
    user,
)
from tests.convert.kiro_rules import violations

HELLO: Json = [{"role": "user", "content": "Hello"}]
SESSION = "8bb5523b-ec7c-4540-a9ca-beb6d79f1552"
WRITE: JsonObject = {"name": "Write", "description": "W", "input_schema": {"type": "object"}}
READ: JsonObject = {"name": "Read", "description": "R", "input_schema": {"type": "object"}}
ENABLED = "<thinking_mode>enabled</thinking_mode><max_thinking_length>20000</max_thinking_length>"
ADAPTIVE = "<thinking_mode>adaptive</thinking_mode><thinking_effort>{}</thinking_effort>"


def opening(conversion: Conversion) -> str | None:
    """The user half of the system pair."""
    if not conversion.state.history:
        return None
    first, second = conversion.state.history[:2]
    assert isinstance(first, UserMessage)
    assert second == AssistantMessage("I will follow these instructions.")
    return first.content


# --- the short edge cases of request-conversion §10, with the adopted repairs --------------------------------------


def shape(conversion: Conversion) -> list[str]:
    """Contents of the history and of the current message, in order."""
    return [*(entry.content for entry in conversion.state.history), conversion.state.current.content]


@pytest.mark.parametrize(
    ("messages", "contents"),
    [
        ([assistant("x"), user("z")], [".", "x", "z"]),
        ([user("x"), system("remind"), assistant("y"), user("z")], [f"x\n{texts.system_reminder('remind')}", "y", "z"]),
        ([user("x"), assistant("y"), system("remind")], ["x", "y", texts.system_reminder("remind")]),
        ([user("q"), assistant(call("t1")), user("z")], ["q", " ", "z"]),
        (
            [user(result("tZ", "stale"), "old"), assistant("y"), user("z")],
            ["old\n\n[Tool Result (tZ)]\nstale", "y", "z"],
        ),
        ([user("q"), {"role": "assistant", "content": []}, user("z")], ["q", " ", "z"]),
        ([{"role": "user", "content": None}], ["."]),
        ([{"role": "user", "content": ""}], ["."]),
        ([system("lead"), user("z")], ["lead", texts.SYSTEM_ACKNOWLEDGEMENT, "z"]),
    ],
)
def test_edge_cases(messages: list[JsonObject], contents: list[str]) -> None:
    assert shape(convert(body_of(cast("Json", messages)))) == contents


def test_an_assistant_first_conversation_behind_a_system_prompt() -> None:
    conversion = convert(body_of([assistant("x"), user("z")], system="S"))
    assert shape(conversion) == ["S", texts.SYSTEM_ACKNOWLEDGEMENT, ".", "x", "z"]


@pytest.mark.parametrize("messages", [[assistant("x")], [system("x")], [system("x"), assistant("y")]])
def test_requests_in_which_nobody_asks(messages: list[JsonObject]) -> None:
    with pytest.raises(InvalidRequest, match="at least one user message"):
        convert(body_of(cast("Json", messages)))


# --- system prompt and thinking -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system_field", "thinking", "expected"),
    [
        (None, None, None),
        ([], None, None),
        ("", None, None),
        (None, {"type": "enabled"}, ENABLED),
        ("", {"type": "enabled"}, ENABLED),
        ([{"type": "text", "text": ""}], {"type": "enabled"}, ENABLED),
        ("S", None, "S"),
        ("S", {"type": "disabled"}, "S"),
        ("S", {"type": "future"}, "S"),
        ("S", {"type": "enabled"}, f"{ENABLED}\nS"),
        ([{"text": "S"}, {"text": "T"}], {"type": "adaptive"}, ADAPTIVE.format("high") + "\nS\nT"),
        ("has <thinking_mode>x", {"type": "enabled"}, "has <thinking_mode>x"),
        ("has <max_thinking_length>", {"type": "enabled"}, "has <max_thinking_length>"),
    ],
)
def test_the_opening(system_field: Json, thinking: Json, expected: str | None) -> None:
    conversion = convert(body_of(HELLO, system=system_field, thinking=thinking))
    assert opening(conversion) == expected
    assert conversion.thinking.on == (thinking in ({"type": "enabled"}, {"type": "adaptive"}))


def test_budgets() -> None:
    assert thinking_marker(Thinking("enabled", 999_999), "high").count("128000") == 1
    assert "<max_thinking_length>-5<" in thinking_marker(Thinking("enabled", -5), "high")
    assert thinking_marker(Thinking("disabled"), "high") == thinking_marker(None, "high") == ""


@pytest.mark.parametrize(
    ("output_config", "own", "effort"),
    [(None, None, "high"), ({}, None, "high"), ({"effort": "low"}, None, "low"), ({"effort": "low"}, "max", "max")],
)
def test_effort_of_the_request_or_the_message(output_config: Json, own: str | None, effort: str) -> None:
    later: JsonObject = {"role": "system", "content": "r", "output_config": {"effort": own}}
    messages: Json = [{"role": "user", "content": "x"}, later]
    conversion = convert(body_of(messages, thinking={"type": "adaptive"}, output_config=output_config))
    assert opening(conversion) == ADAPTIVE.format(effort)


# --- native thinking ----------------------------------------------------------------------------------------------

CLAUDE = NativeThinking("output_config", ("low", "medium", "high", "max"), "medium", ("summarized", "omitted"))
GPT = NativeThinking("reasoning", ("none", "low", "high"), "high")
NATIVE_OPTIONS = ConversionOptions(
    ModelCatalog().with_discovered(
        [DiscoveredModel("claude-opus-4.8", native=CLAUDE), DiscoveredModel("gpt-5.6-sol", native=GPT)]
    )
)


@pytest.mark.parametrize(
    ("model", "fields", "sent"),
    [
        ("claude-opus-4-8", {}, None),
        ("claude-opus-4-8", {"thinking": {"type": "disabled"}}, None),
        ("claude-opus-4-8", {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, None),
        ("claude-opus-4-8", {"output_config": {"effort": "low"}}, {"output_config": {"effort": "low"}}),
        ("claude-opus-4-8", {"thinking": {"type": "adaptive"}}, {"output_config": {"effort": "medium"}}),
        (
            "claude-opus-4-8",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
            {"output_config": {"effort": "high"}},
        ),
        (
            "claude-opus-4-8",
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            {"output_config": {"effort": "medium"}, "thinking": {"type": "adaptive", "display": "omitted"}},
        ),
        (
            "claude-opus-4-8",
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            {"output_config": {"effort": "low"}},
        ),
        (
            "claude-opus-4-8",
            {"thinking": {"type": "enabled", "budget_tokens": 10_000}},
            {"output_config": {"effort": "medium"}},
        ),
        (
            "claude-opus-4-8",
            {"thinking": {"type": "enabled", "budget_tokens": 31_999}},
            {"output_config": {"effort": "high"}},
        ),
        ("claude-opus-4-8-agentic-thinking[1m]", {}, {"output_config": {"effort": "high"}}),
        ("claude-gpt-5.6-sol-thinking", {}, {"reasoning": {"effort": "high"}}),
        (
            "gpt-5.6-sol",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
            {"reasoning": {"effort": "low"}},
        ),
    ],
)
def test_thinking_asked_for_by_a_field(model: str, fields: JsonObject, sent: Json) -> None:
    conversion = convert(body_of(HELLO, model=model, system="S", **fields), options=NATIVE_OPTIONS)
    assert kiro_body(conversion).get("additionalModelRequestFields") == sent
    assert "<thinking_mode>" not in (opening(conversion) or "")


def test_models_without_a_schema_are_asked_by_the_prompt() -> None:
    conversion = convert(
        body_of(HELLO, model="claude-sonnet-4-5", thinking={"type": "enabled"}), options=NATIVE_OPTIONS
    )
    assert opening(conversion) == ENABLED
    assert conversion.state.extra_fields is None


@pytest.mark.parametrize(("model", "replayed"), [("claude-opus-4-8", True), ("claude-opus-4-7", False)])
def test_only_a_native_model_is_given_signed_thinking(model: str, replayed: bool) -> None:
    thought: JsonObject = {"type": "thinking", "thinking": "T", "signature": seal("claude-opus-4.8", "sig")}
    conversion = convert(body_of([user("q"), assistant(thought, "a"), user("z")], model=model), options=NATIVE_OPTIONS)
    message = conversion.state.history[1]
    assert isinstance(message, AssistantMessage)
    if replayed:
        assert (message.content, message.reasoning) == ("a", ReasoningContent("T", "sig"))
    else:
        assert (message.content, message.reasoning) == ("<thinking>T</thinking>\n\na", None)


def test_the_billing_header_is_not_for_the_model() -> None:
    header = "x-anthropic-billing-header: cc_version=2.1.330; cc_entrypoint=cli;"
    conversion = convert(body_of(HELLO, system=[{"text": header}, {"text": "S"}]))
    assert opening(conversion) == "S"
    assert conversion.notes == ("dropped the billing header of the system prompt",)
    assert opening(convert(body_of(HELLO, system=header))) is None
    assert opening(convert(body_of(HELLO, system=f"{header}\nS"))) == "S"


def test_the_chunk_policy_goes_with_the_tools_it_is_about() -> None:
    assert opening(convert(body_of(HELLO, system="S", tools=[WRITE]))) == f"S\n{texts.CHUNK_POLICY}"
    assert opening(convert(body_of(HELLO, system="S", tools=[READ]))) == "S"
    assert opening(convert(body_of(HELLO, tools=[WRITE]))) is None
    assert system_text([], marker="M", agentic=False, chunk_policy=True) == "M"


def test_suffixes_on_the_model() -> None:
    both = convert(body_of(HELLO, model="claude-sonnet-4-5-agentic-thinking", system="S", tools=[WRITE]))
    assert opening(both) == f"{ENABLED}\n{texts.AGENTIC}\n\nS\n{texts.CHUNK_POLICY}"
    assert opening(convert(body_of(HELLO, model="claude-sonnet-4-5-thinking-agentic"))) == f"{ENABLED}\n{texts.AGENTIC}"
    newer = convert(body_of(HELLO, model="claude-opus-5-5-thinking[1m]", output_config={"effort": "low"}))
    assert opening(newer) == ADAPTIVE.format("high")
    assert (newer.model.name, newer.model.window) == ("claude-opus-5-5-thinking[1m]", MILLION)
    assert newer.state.model_id == "claude-opus-5.5"


@pytest.mark.parametrize(
    ("model", "thinking", "thinking_format", "plan"),
    [
        ("sonnet", None, None, ThinkingPlan(False, "blocks")),
        ("sonnet", None, "think", ThinkingPlan(False, "think")),
        ("sonnet-thinking", None, None, ThinkingPlan(True, "blocks")),
        ("sonnet-thinking", None, "reasoning_content", ThinkingPlan(True, "reasoning_content")),
        ("sonnet-thinking", {"type": "disabled"}, "think", ThinkingPlan(True, "blocks")),
        ("sonnet", {"type": "enabled"}, "thinking", ThinkingPlan(True, "blocks")),
        ("sonnet", {"type": "disabled"}, "thinking", ThinkingPlan(False, "blocks")),
    ],
)
def test_how_thinking_is_shown(model: str, thinking: Json, thinking_format: object, plan: ThinkingPlan) -> None:
    options = replace(OPTIONS, thinking_format=thinking_format)  # type: ignore[arg-type]
    assert convert(body_of(HELLO, model=model, thinking=thinking), options=options).thinking == plan


def test_options_of_the_user() -> None:
    options = ConversionOptions(ModelCatalog(aliases={"mine": "haiku"}), thinking_suffix=":t")
    conversion = convert(body_of(HELLO, model="mine:t"), options=options)
    assert conversion.state.model_id == "claude-haiku-4.5"
    assert conversion.thinking.on


def test_unknown_models() -> None:
    with pytest.raises(NotFound, match="model: foo"):
        convert(body_of(HELLO, model="foo"))


# --- ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user_id", "session"),
    [
        (f"user_abc_account__session_{SESSION}", SESSION),
        (f"session_x session_{SESSION}", SESSION),
        (json.dumps({"device_id": "d", "account_uuid": "", "session_id": SESSION}), SESSION),
        (json.dumps({"session_id": "session_" + SESSION}), None),
        (json.dumps({"session_id": "x" * 36}), None),
        (json.dumps({"session_id": 5}), None),
        (json.dumps({"other": f"session_{SESSION}"}), None),
        (json.dumps([SESSION]), None),
        ('{"session_id":"broken', None),
        (f"session_{SESSION[:-1]}", None),
        (f"session_{SESSION[:-1]}!", None),
        ("user_abc", None),
        ("", None),
        (None, None),
        ("[" * 4000, None),
        ("x" * 4097 + f"session_{SESSION}", None),
    ],
)
def test_sessions(user_id: str | None, session: str | None) -> None:
    assert session_of(user_id) == session


def test_ids_of_the_conversation() -> None:
    ids = RequestIds("fresh", "continuation")
    request = parse_messages_request(json.dumps(body_of(HELLO)).encode())
    state = convert_request(request, ids=ids, options=OPTIONS).state
    assert (state.conversation_id, state.continuation_id) == ("fresh", "continuation")
    request = replace(request, user_id=f"session_{SESSION}")
    assert convert_request(request, ids=ids, options=OPTIONS).state.conversation_id == SESSION


# --- tools --------------------------------------------------------------------------------------------------------


def test_long_names_are_aliased_everywhere_and_told_back() -> None:
    long, alias = (
        "mcp__plugin_some_really_long_server_name__another_really_long_tool_name_here",
        "mcp__plugin_some_really_long_server_name__another_real_8fb1aa85",
    )
    messages: Json = [user("x"), assistant(call("t1", long)), user(result("t1"))]
    conversion = convert(body_of(messages, tools=[{"name": long}], tool_choice={"type": "tool", "name": long}))
    assert [tool.name for tool in conversion.state.tools] == [alias]
    assert conversion.tool_names == {alias: long}
    entry = conversion.state.history[1]
    assert isinstance(entry, AssistantMessage)
    assert entry.tool_uses[0].name == alias
    assert alias in conversion.state.current.content
    assert conversion.state.tools[0].description == f"Tool: {long}"


def test_demands_stand_in_the_current_message() -> None:
    choice: JsonObject = {"type": "any", "disable_parallel_tool_use": True}
    conversion = convert(body_of(HELLO, tools=[READ], tool_choice=choice))
    demanded = texts.system_reminder(f"{texts.CALL_ANY_TOOL}\n{texts.ONE_CALL_AT_MOST}")
    assert conversion.state.current.content == f"Hello\n{demanded}"
    messages: Json = [user("x"), assistant(call("t1", "Read")), user(result("t1"))]
    alone = convert(body_of(messages, tools=[READ], tool_choice={"type": "any"}))
    assert alone.state.current.content == texts.system_reminder(texts.CALL_ANY_TOOL)


def test_tool_choice_none_leaves_stubs_of_what_was_used() -> None:
    messages: Json = [user("x"), assistant(call("t1", "Read")), user(result("t1"))]
    conversion = convert(body_of(messages, tools=[READ, WRITE], tool_choice={"type": "none"}, system="S"))
    assert [(tool.name, tool.description) for tool in conversion.state.tools] == [
        ("Read", "Tool used in conversation history")
    ]
    assert texts.CALL_NO_TOOL in conversion.state.current.content
    assert opening(conversion) == "S"


def test_tools_are_compressed_on_request() -> None:
    tools: Json = [{**READ, "description": "long " * 500}]
    options = replace(OPTIONS, tool_compression_bytes=500)
    (tool,) = convert(body_of(HELLO, tools=tools), options=options).state.tools
    assert len(tool.description) < 500


def test_structured_output() -> None:
    schema: JsonObject = {"type": "object", "properties": {"title": {"type": "string"}}}
    output_format: JsonObject = {"type": "json_schema", "schema": schema}
    conversion = convert(body_of(HELLO, output_config={"format": output_format}))
    assert json.dumps(schema, separators=(",", ":")) in conversion.state.current.content


def test_a_lone_web_search() -> None:
    tool: JsonObject = {"type": "web_search_20250305", "name": "web_search"}
    conversion = convert(body_of(HELLO, model="whatever", tools=[tool]))
    assert conversion.web_search == "Hello"
    assert conversion.search_plan == SearchPlan("web_search")
    assert convert(body_of(HELLO)).web_search is None
    assert convert(body_of(HELLO)).search_plan is None


def test_a_web_search_beside_other_tools() -> None:
    search: JsonObject = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    search |= {"allowed_domains": ["a.example"]}
    conversion = convert(body_of(HELLO, tools=[TEXT_TOOL, search], tool_choice={"type": "tool", "name": "web_search"}))
    assert conversion.web_search is None
    assert conversion.search_plan == SearchPlan("web_search", 2, DomainFilter(("a.example",)))
    assert [tool.name for tool in conversion.state.tools] == ["a", "web_search"]
    assert "call the tool web_search" in conversion.state.current.content


def searched(tool_use_id: str) -> tuple[JsonObject, JsonObject]:
    hit: JsonObject = {"type": "web_search_result", "title": "T", "url": "https://x", "encrypted_content": "Found."}
    call: JsonObject = {"type": "server_tool_use", "id": tool_use_id, "name": "web_search", "input": {"query": "q"}}
    return call, {"type": "web_search_tool_result", "tool_use_id": tool_use_id, "content": [hit]}


@pytest.mark.parametrize("offered", [True, False])
def test_earlier_searches_are_known_to_the_model(offered: bool) -> None:
    use, found = searched("srvtoolu_1")
    messages: Json = [user("q"), assistant("Look.", use, found, "Answer."), user("and?")]
    tools: Json = [TEXT_TOOL, {"type": "web_search_20250305", "name": "web_search"}] if offered else [TEXT_TOOL]
    state = convert(body_of(messages, tools=tools)).state
    assert state.history == (
        UserMessage("q"),
        AssistantMessage("Look.", (ToolUse("srvtoolu_1", "web_search", {"query": "q"}),)),
        UserMessage("", tool_results=(ToolResult("srvtoolu_1", "1. T\nURL: https://x\nFound."),)),
        AssistantMessage("Answer."),
    )
    # Kiro wants a definition of every tool in the history.
    assert [tool.name for tool in state.tools] == ["a", "web_search"]


def test_a_search_and_a_clients_tool_in_one_turn() -> None:
    use, found = searched("srvtoolu_1")
    messages: Json = [user("q"), assistant(use, call("t1"), found), user(result("t1"), "go on")]
    state = convert(body_of(messages, tools=[TEXT_TOOL])).state
    assert [one.tool_use_id for one in state.current.tool_results] == ["srvtoolu_1", "t1"]
    assert state.current.content == "go on"


def test_a_paused_turn_goes_on() -> None:
    use, found = searched("srvtoolu_1")
    state = convert(body_of([user("q"), assistant("Look.", use, found)], tools=[TEXT_TOOL])).state
    assert [one.tool_use_id for one in state.current.tool_results] == ["srvtoolu_1"]
    assert len(state.history) == 2


def test_a_search_without_a_result_is_left_out() -> None:
    use, _ = searched("srvtoolu_1")
    conversion = convert(body_of([user("q"), assistant("Look.", use), user("and?")]))
    assert conversion.state.history[1] == AssistantMessage("Look.")


def test_stop_sequences_are_handed_on() -> None:
    assert convert(body_of(HELLO, stop_sequences=["END"])).stop_sequences == ("END",)


# --- any request --------------------------------------------------------------------------------------------------

words = st.sampled_from(["", " ", "x", "two words", "Output token limit hit.", "<thinking_mode>", "ü🚀"])
ids = st.sampled_from(["t1", "t2", "call:3|", "t" * 70])
names = st.sampled_from(["Read", "read", "Write", "mcp.x/y", "n" * 80, "web_search", "Late"])
sources = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": "AAAA"},
        {"type": "base64", "media_type": "image/bmp", "data": "AAAA"},
        {"type": "url", "url": "https://x"},
        {"type": "text", "media_type": "text/plain", "data": "words"},
        {"type": "content", "content": "words"},
    ]
)
plain_blocks = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": words}),
    st.fixed_dictionaries({"type": st.sampled_from(["image", "document"]), "source": sources}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": words}),
    st.fixed_dictionaries({"type": st.just("tool_reference"), "tool_name": names}),
    st.fixed_dictionaries({"type": st.sampled_from(["future", "redacted_thinking"]), "text": words}),
)
inputs = st.sampled_from([None, {}, {"a": 1}, "x", [1], {"__unparsedToolInput": {"raw": "{"}}])
blocks = st.one_of(
    plain_blocks,
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": ids, "name": names, "input": inputs}),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_result"),
            "tool_use_id": ids,
            "content": st.one_of(st.none(), words, st.lists(plain_blocks, max_size=2), st.integers()),
            "is_error": st.sampled_from([None, True, False]),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("server_tool_use"), "id": ids, "name": st.just("web_search"), "input": inputs}
    ),
    st.fixed_dictionaries({"type": st.just("web_search_tool_result"), "tool_use_id": ids, "content": st.just([])}),
)
messages_ = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "user", "assistant", "assistant", "system", "developer"]),
            "content": st.one_of(words, st.none(), st.lists(blocks, max_size=4)),
        }
    ),
    min_size=1,
    max_size=8,
)
schemas = st.sampled_from(
    [
        None,
        {"type": "object", "required": [], "additionalProperties": False},
        {"anyOf": [{"type": "object", "properties": {"a": {"additionalProperties": {}}}, "required": ["a"]}]},
    ]
)
tools_ = st.lists(
    st.fixed_dictionaries(
        {"name": names, "description": st.one_of(st.none(), words), "input_schema": schemas},
        optional={
            "type": st.sampled_from(["custom", "bash_20250124", "web_search_20250305", "x_1"]),
            "defer_loading": st.booleans(),
        },
    ),
    max_size=5,
)
requests = st.fixed_dictionaries(
    {"model": st.just("sonnet"), "max_tokens": st.just(1), "messages": messages_},
    optional={
        "tools": tools_,
        "system": words,
        "thinking": st.sampled_from([{"type": "enabled"}, {"type": "adaptive"}]),
        "tool_choice": st.sampled_from([{"type": "none"}, {"type": "any"}, {"type": "tool", "name": "Read"}]),
    },
)


@settings(max_examples=200, deadline=None)
@given(requests)
def test_whatever_parses_becomes_what_the_service_takes(body: JsonObject) -> None:
    request = parse_messages_request(json.dumps(body).encode())
    try:
        conversion = convert_request(request, ids=RequestIds("c", "a"), options=OPTIONS)
    except InvalidRequest as refused:
        assert str(refused).startswith("messages: ")  # noqa: PT017 - one outcome of two
        return
    assert violations(kiro_body(conversion)) == []
