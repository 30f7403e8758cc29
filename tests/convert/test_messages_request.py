"""Bodies of the Messages API: what is read, what is let pass, what is refused by name."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.convert.anthropic import (
    Json,
    JsonObject,
    Message,
    MessagesRequest,
    TextBlock,
    Thinking,
    Tool,
    ToolChoice,
)
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.errors import InvalidRequest

HELLO: Json = [{"role": "user", "content": "Hello"}]
SMALLEST: JsonObject = {"model": "m", "max_tokens": 1, "messages": HELLO}


def parse(**fields: Json) -> MessagesRequest:
    return parse_messages_request(json.dumps({**SMALLEST, **fields}).encode())


def test_the_smallest_request() -> None:
    assert parse() == MessagesRequest("m", (Message("user", (TextBlock("Hello"),)),), max_tokens=1)


def test_a_full_request() -> None:
    request = parse(
        model="claude-sonnet-4-5",
        max_tokens=32000,
        stream=True,
        system=[{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}, {"text": ""}, {"text": "B"}],
        tools=[
            {
                "name": "t",
                "description": "T",
                "input_schema": {"type": "object"},
                "type": "custom",
                "cache_control": {"type": "ephemeral"},
                "eager_input_streaming": True,
                "defer_loading": True,
                "strict": True,
            },
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
            {"type": "mcp_toolset", "mcp_server_name": "x"},
        ],
        tool_choice={"type": "tool", "name": "t", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        metadata={"user_id": "u"},
        stop_sequences=["END", ""],
        temperature="anything",
        top_k=None,
        context_management={"edits": []},
        safeguards=[1],
    )
    assert request.stream
    assert request.system == ("A", "B")
    assert request.tools == (
        Tool("t", "T", {"type": "object"}, "custom", defer_loading=True),
        Tool("web_search", type="web_search_20250305", max_uses=8),
        Tool("", type="mcp_toolset"),
    )
    assert request.tool_choice == ToolChoice("tool", "t", disable_parallel_tool_use=True)
    assert request.thinking == Thinking("enabled", 1024, "omitted")
    assert (request.effort, request.output_schema) == ("low", {"type": "object"})
    assert (request.user_id, request.stop_sequences) == ("u", ("END",))


def test_null_is_absent_where_clients_send_it() -> None:
    nullable = "system tools tool_choice thinking output_config metadata stream stop_sequences thread output_format"
    nothing: JsonObject = dict.fromkeys(nullable.split())
    assert parse(**nothing) == parse()
    tool: JsonObject = {"name": "t", "description": None, "input_schema": None, "type": None, "max_uses": None}
    assert parse(tools=[tool]).tools == (Tool("t"),)
    assert parse(output_config={"effort": None, "format": None}) == parse()
    assert parse(thinking={"type": "enabled", "budget_tokens": None}).thinking == Thinking("enabled")
    assert parse(metadata={"user_id": None}) == parse()
    assert parse(messages=[{"role": "user", "content": None}]).messages == (Message("user", ()),)


def test_system_as_a_string() -> None:
    assert parse(system="S").system == ("S",)
    assert parse(system="").system == parse(system=[]).system == ()


def test_messages_carry_their_own_effort() -> None:
    messages: Json = [
        {"role": "user", "content": "x"},
        {"role": "system", "content": "y", "output_config": {"effort": "max"}},
        {"role": "developer", "content": "z", "output_config": None},
    ]
    assert [message.effort for message in parse(messages=messages).messages] == [None, "max", None]


def test_answer_schemas() -> None:
    schema: JsonObject = {"type": "object"}
    assert parse(output_format={"type": "json_schema", "schema": schema}).output_schema == schema
    assert parse(output_config={"format": {"type": "text"}}).output_schema is None
    assert parse(output_config={"format": {"type": "json_schema"}}).output_schema is None


def test_choices_without_a_name() -> None:
    for kind in ("auto", "any", "none"):
        assert parse(tool_choice={"type": kind, "name": 5}).tool_choice == ToolChoice(kind)


def test_extreme_numbers() -> None:
    assert parse(max_tokens=0).max_tokens == 0
    assert parse(max_tokens=-(2**31)).max_tokens == -(2**31)
    assert parse(thinking={"type": "enabled", "budget_tokens": -5}).thinking == Thinking("enabled", -5)


def test_counting_needs_less() -> None:
    body: JsonObject = {"model": "m", "messages": []}
    assert parse_messages_request(json.dumps(body).encode(), count_only=True) == MessagesRequest("m", ())


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"model": None}, "model: must be a string, not null"),
        ({"model": ""}, "model: must not be empty"),
        ({"max_tokens": None}, "max_tokens: field required"),
        ({"max_tokens": True}, "max_tokens: must be an integer, not a boolean"),
        ({"max_tokens": 1024.0}, "max_tokens: must be an integer, not a number"),
        ({"max_tokens": "1"}, "max_tokens: must be an integer, not a string"),
        ({"max_tokens": 2**31}, "max_tokens: is out of range"),
        ({"max_tokens": 10**30}, "max_tokens: must be an integer, not a number"),
        ({"messages": None}, "messages: must be a list, not null"),
        ({"messages": {}}, "messages: must be a list, not an object"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["x"]}, "messages.0: must be an object, not a string"),
        ({"messages": [{"content": "x"}]}, "messages.0.role: field required"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: must be one of user, assistant, system"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: field required"),
        (
            {"messages": [*HELLO, {"role": "user", "content": [{"type": "text", "text": 5}]}]},  # type: ignore[misc]
            "messages.1.content.0.text: must be a string, not a number",
        ),
        ({"messages": [{"role": "user", "content": "x", "output_config": 1}]}, "messages.0.output_config: must be"),
        (
            {"messages": [{"role": "user", "content": "x", "output_config": {"effort": 1}}]},
            "messages.0.output_config.effort: must be a string, not a number",
        ),
        ({"stream": "yes"}, "stream: must be true or false, not a string"),
        ({"system": 5}, "system: must be a list, not a number"),
        ({"system": ["x"]}, "system.0: must be an object, not a string"),
        ({"system": [{"type": "text"}]}, "system.0.text: field required"),
        ({"tools": {}}, "tools: must be a list, not an object"),
        ({"tools": [{}]}, "tools.0.name: field required"),
        ({"tools": [{"name": ""}]}, "tools.0.name: must not be empty"),
        ({"tools": [{"name": "t", "input_schema": []}]}, "tools.0.input_schema: must be an object, not a list"),
        ({"tools": [{"name": "t", "description": 5}]}, "tools.0.description: must be a string, not a number"),
        ({"tools": [{"name": "t", "max_uses": 1.5}]}, "tools.0.max_uses: must be an integer"),
        ({"tool_choice": "auto"}, "tool_choice: must be an object, not a string"),
        ({"tool_choice": {}}, "tool_choice.type: field required"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.type: must be auto, any, tool or none"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name: field required"),
        ({"thinking": True}, "thinking: must be an object, not a boolean"),
        ({"thinking": {}}, "thinking.type: field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1.5}}, "thinking.budget_tokens: must be an integer"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2**40}}, "thinking.budget_tokens: is out of range"),
        ({"output_config": []}, "output_config: must be an object, not a list"),
        ({"output_config": {"effort": 1}}, "output_config.effort: must be a string, not a number"),
        ({"output_config": {"format": "json"}}, "output_config.format: must be an object, not a string"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": 1}}},
            "output_config.format.schema: must be an object, not a number",
        ),
        ({"metadata": "u"}, "metadata: must be an object, not a string"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id: must be a string, not a number"),
        ({"stop_sequences": "END"}, "stop_sequences: must be a list, not a string"),
        ({"stop_sequences": ["a", 1]}, "stop_sequences.1: must be a string, not a number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_fields_are_named(fields: JsonObject, complaint: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert str(caught.value).startswith(complaint)
    assert caught.value.error_code is None


@pytest.mark.parametrize("key", ["model", "max_tokens", "messages"])
def test_what_has_to_be_there(key: str) -> None:
    body = {name: value for name, value in SMALLEST.items() if name != key}
    with pytest.raises(InvalidRequest, match=f"^{key}: field required$"):
        parse_messages_request(json.dumps(body).encode())


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"5"])
def test_bodies_that_are_no_object(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="must be a JSON object"):
        parse_messages_request(body)


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "m"}, False])
def test_threads_are_refused_so_that_sdks_send_everything(thread: Json) -> None:
    with pytest.raises(InvalidRequest, match="Send the whole conversation") as caught:
        parse(thread=thread, messages="whatever else is wrong")
    assert caught.value.error_code == "thread_unsupported_request"


def test_the_path_of_a_late_block() -> None:
    fine: Json = {"role": "user", "content": "x"}
    messages: Json = [fine, fine, fine, {"role": "user", "content": [{"type": "text"}]}]
    with pytest.raises(InvalidRequest, match=r"^messages\.3\.content\.0\.text: field required$"):
        parse(messages=messages)


KEYS = "model max_tokens messages role content type text id name input source data tool_use_id tools thinking system"
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "user", "text", "tool_use", "image"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS.split()), json_values), st.booleans())
def test_any_json_is_read_or_refused(fields: JsonObject, count_only: bool) -> None:
    body = json.dumps({**SMALLEST, **fields}).encode()
    try:
        request = parse_messages_request(body, count_only=count_only)
    except InvalidRequest:
        return
    assert request.model


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 80))
def test_any_bytes_are_read_or_refused(junk: bytes, at: int) -> None:
    body = json.dumps(SMALLEST).encode()
    with contextlib.suppress(InvalidRequest):
        assert parse_messages_request(body[:at] + junk + body[at:]).model


def test_domains_of_the_web_search() -> None:
    search: JsonObject = {"type": "web_search_20250305", "name": "web_search"}
    (tool,) = parse(tools=[search | {"allowed_domains": ["a.example", "b.example"], "blocked_domains": None}]).tools
    assert (tool.allowed_domains, tool.blocked_domains) == (("a.example", "b.example"), ())
    (tool,) = parse(tools=[search | {"allowed_domains": [], "blocked_domains": ["c.example"]}]).tools
    assert (tool.allowed_domains, tool.blocked_domains) == ((), ("c.example",))
    # A client's tool may have fields of these names for purposes of its own.
    assert parse(tools=[{"name": "t", "allowed_domains": 5}]).tools == (Tool("t"),)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"allowed_domains": ["a"], "blocked_domains": ["b"]}, "tools.0.allowed_domains: cannot be used together"),
        ({"allowed_domains": "a"}, "tools.0.allowed_domains: must be a list"),
        ({"blocked_domains": [5]}, "tools.0.blocked_domains.0: must be a string"),
    ],
)
def test_domains_that_cannot_be_used(fields: JsonObject, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse(tools=[{"type": "web_search_20250305", "name": "web_search", **fields}])
