from __future__ import annotations

import json

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.schema_answer import example_of, find_schema

TITLE: JsonObject = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


def test_the_last_schema_is_found() -> None:
    text = f"A schema: {{}} Answer with JSON of this schema:\n{json.dumps(TITLE)}\nand nothing else."
    assert find_schema(text) == TITLE


@pytest.mark.parametrize(
    "text",
    [
        "no such thing",
        "a schema without braces",
        "schema {broken",
        'schema {"type": "object"}',
        "schema " + "x" * 500 + json.dumps(TITLE),
    ],
)
def test_texts_without_one(text: str) -> None:
    assert find_schema(text) is None


@pytest.mark.parametrize(
    "schema, expected",
    [
        (TITLE, {"title": "simulated"}),
        ({"properties": {"a": {"type": "integer", "minimum": 3}, "b": {"type": "boolean"}}}, {"a": 3, "b": True}),
        ({"type": "number", "exclusiveMinimum": 0}, 1),
        ({"type": "number", "minimum": "x"}, 0),
        ({"type": "array", "minItems": 2, "items": {"const": "c"}}, ["c", "c"]),
        ({"type": "array"}, []),
        ({"enum": ["x", "y"]}, "x"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": ["null", "string"], "minLength": 12}, "simulated..."),
        ({"type": ["null"]}, None),
        ({"type": "object", "required": ["a"]}, {}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"enum": [7]}}}, 7),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"enum": [8]}}}, 8),
    ],
)
def test_minimal_instances(schema: JsonObject, expected: object) -> None:
    assert example_of(schema) == expected


def test_recursion_ends() -> None:
    schema: JsonObject = {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}}}}
    assert isinstance(example_of(schema), dict)
