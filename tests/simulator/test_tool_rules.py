from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.tool_rules import MAX_DESCRIPTION, MAX_TOOLS, check_schema, check_tools
from tests.simulator.talk import tool, verdict

IMPROPER = "Improperly formed request."
FORMAT = "Invalid tool use format."


def tools_verdict(*tools: Json) -> str | None:
    return verdict(lambda: check_tools(list(tools)))


def schema_verdict(schema: Json) -> str | None:
    return verdict(lambda: check_schema(schema))


def inner(schema: Json) -> JsonObject:
    return {"type": "object", "properties": {"a": schema}}


def test_names_are_collected_without_case() -> None:
    assert check_tools([tool("Read"), tool("Write")]) == {"read", "write"}
    assert tools_verdict(tool("Read"), {"cachePoint": {"type": "default"}}) is None


@pytest.mark.parametrize("name, expected", [("a" * 64, None), ("a" * 65, FORMAT), ("a.b", FORMAT), ("", FORMAT)])
def test_names(name: str, expected: str | None) -> None:
    assert tools_verdict(tool(name)) == expected


@pytest.mark.parametrize(
    "description, expected", [("x" * MAX_DESCRIPTION, None), ("x" * (MAX_DESCRIPTION + 1), IMPROPER), (" ", IMPROPER)]
)
def test_descriptions(description: str, expected: str | None) -> None:
    assert tools_verdict(tool(description=description)) == expected


def test_no_tool_twice() -> None:
    assert tools_verdict(tool("Read"), tool("read")) is None
    assert tools_verdict(tool("Read"), tool("Read")) == "TOOL_DUPLICATE"


def test_not_hundreds_of_tools() -> None:
    tools = [tool(f"t{number}") for number in range(MAX_TOOLS + 1)]
    assert tools_verdict(*tools[:-1]) is None
    assert tools_verdict(*tools) == IMPROPER


@pytest.mark.parametrize(
    "entry",
    [
        "Read",
        {},
        {"toolSpecification": "Read"},
        {"toolSpecification": {"name": "Read", "description": "d"}},
        {"cachePoint": {"type": "never"}},
        {"toolSpecification": {"name": "Read", "description": "d", "inputSchema": {}}},
    ],
)
def test_shapes_of_a_tool(entry: Json) -> None:
    assert tools_verdict(entry) == IMPROPER


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"properties": {}}, {"type": ["object"]}])
def test_the_top_is_an_object(schema: Json) -> None:
    assert schema_verdict(schema) == "TOOL_SCHEMA_INVALID"


@pytest.mark.parametrize("key", ["anyOf", "oneOf", "allOf"])
def test_combinators_only_below_the_top(key: str) -> None:
    options: Json = [{"type": "string"}]
    assert schema_verdict({"type": "object", key: options}) == "TOOL_SCHEMA_INVALID"
    assert schema_verdict(inner({key: options})) is None


REFUSED: list[JsonObject] = [
    {"type": "object", "required": []},
    {"type": "object", "required": None},
    {"type": "object", "additionalProperties": False},
    {"type": ["string", "null"]},
    {"properties": None},
]


@pytest.mark.parametrize("part", REFUSED, ids=str)
@pytest.mark.parametrize(
    "place",
    [
        lambda part: inner(part),
        lambda part: inner({"type": "array", "items": part}),
        lambda part: inner({"type": "array", "items": [part]}),
        lambda part: inner({"anyOf": [part]}),
        lambda part: {"type": "object", "$defs": {"a": part}},
        lambda part: inner(inner(inner(part))),
    ],
    ids=["property", "items", "tuple", "option", "definition", "deep"],
)
def test_what_no_schema_may_hold(part: JsonObject, place: object) -> None:
    assert callable(place)
    assert schema_verdict(place(part)) == IMPROPER
    assert schema_verdict(place({"type": "object", "required": ["a"], "properties": {"a": True}})) is None


def test_names_and_values_are_no_keywords() -> None:
    assert schema_verdict(inner({"type": "object", "properties": {"additionalProperties": {"type": "string"}}})) is None
    assert schema_verdict(inner({"type": "object", "default": {"additionalProperties": 1, "required": []}})) is None
    assert schema_verdict({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}) is None


@pytest.mark.parametrize("schema", [None, "object", inner("string"), inner({"anyOf": {}}), inner({"required": [1]})])
def test_schemas_of_wrong_types(schema: Json) -> None:
    assert schema_verdict(schema) == IMPROPER
