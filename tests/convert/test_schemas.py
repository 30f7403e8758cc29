"""Schemas the service accepts, without losing what a model needs to know."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.schemas import acceptable_schema

A: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
B: JsonObject = {"type": "object", "properties": {"b": {}}, "required": ["b", "a"]}


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object"}),
        ({"type": None, "properties": None, "required": None}, {"type": "object", "properties": {}}),
        ({"type": ["object", "null"]}, {"type": "object"}),
        ({"type": "string"}, {"type": "object"}),
        ({"type": "object", "required": "a"}, {"type": "object"}),
        ({"type": "object", "required": ["a", 5, None]}, {"type": "object", "required": ["a"]}),
        ({"type": "object", "required": [5]}, {"type": "object"}),
        (
            {"type": "object", "additionalProperties": True, "properties": {"x": {"required": [], "properties": 5}}},
            {"type": "object", "properties": {"x": {"properties": {}}}},
        ),
        (
            {"type": "object", "properties": {"x": {"type": "array", "items": [{"additionalProperties": {}}, 5]}}},
            {"type": "object", "properties": {"x": {"type": "array", "items": [{}, 5]}}},
        ),
    ],
)
def test_repairs(schema: JsonObject, sent: JsonObject) -> None:
    assert acceptable_schema(schema) == sent


def test_properties_may_have_the_names_of_keywords() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "additionalProperties": {"type": "boolean"},
            "required": {"type": "array", "items": {"type": "string"}},
            "anyOf": {"type": "string"},
        },
        "required": ["required"],
        "$defs": {"additionalProperties": {"type": "object"}},
    }
    assert acceptable_schema(schema) == schema


def test_data_in_a_schema_is_data() -> None:
    data: JsonObject = {"additionalProperties": 1, "required": []}
    schema: JsonObject = {
        "type": "object",
        "properties": {"x": {"default": data, "const": data, "enum": [data], "examples": [data]}},
    }
    assert acceptable_schema(schema) == schema


def test_everything_else_stays_in_its_order() -> None:
    schema: JsonObject = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"z": {"$ref": "#/$defs/Z", "pattern": "x", "anyOf": [A]}, "a": {"minimum": 0}},
        "required": ["z"],
        "$defs": {"Z": {"type": "string", "format": "uri"}},
    }
    assert json.dumps(acceptable_schema(schema)) == json.dumps(schema)


@pytest.mark.parametrize(
    ("schema", "properties", "required"),
    [
        ({"anyOf": [A, B]}, {"a": {"type": "string"}, "b": {}}, ["a"]),
        ({"oneOf": [A, {"type": "null"}]}, {"a": {"type": "string"}}, None),
        ({"allOf": [A, B]}, {"a": {"type": "string"}, "b": {}}, ["a", "b"]),
        ({"allOf": [{"anyOf": [A, B]}], "properties": {"c": {}}, "required": ["c"]}, {"a", "b", "c"}, ["c", "a"]),
        ({"anyOf": []}, {}, None),
        ({"anyOf": [True, A]}, {"a": {"type": "string"}}, ["a"]),
        ({"anyOf": "no list"}, {}, None),
        ({"$ref": "#/$defs/A", "$defs": {"A": A}}, {"a": {"type": "string"}}, ["a"]),
        ({"anyOf": [{"$ref": "#/$defs/A"}, B], "$defs": {"A": A}}, {"a": {"type": "string"}, "b": {}}, ["a"]),
        ({"$ref": "#/$defs/missing"}, {}, None),
        ({"$ref": "https://elsewhere/schema"}, {}, None),
        ({"$ref": 5}, {}, None),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, A]}}}, {"a"}, None),
        (
            {
                "anyOf": [
                    {"properties": {"k": {"const": "x"}}},
                    {"properties": {"k": {"const": "y"}}},
                    {"properties": 5},
                ]
            },
            {"k": {"anyOf": [{"const": "x"}, {"const": "y"}]}},
            None,
        ),
        ({"anyOf": [{"properties": {"k": {}}}, {"properties": {"k": {}}}]}, {"k": {}}, None),
    ],
)
def test_combinators_at_the_top_are_flattened(
    schema: JsonObject, properties: JsonObject | set[str], required: list[str] | None
) -> None:
    sent = acceptable_schema(schema)
    assert not sent.keys() & {"anyOf", "oneOf", "allOf", "$ref"}
    assert sent["type"] == "object"
    got = sent["properties"]
    assert isinstance(got, dict)
    assert got == properties if isinstance(properties, dict) else set(got) == properties
    assert sent.get("required") == required


def test_schemas_that_refer_to_themselves_end() -> None:
    names = [f"D{number}" for number in range(200)]
    everything: JsonObject = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    schema: JsonObject = {**everything, "$defs": {name: dict(everything) for name in names}}
    assert acceptable_schema(schema)["properties"] == {}
    chain: JsonObject = {f"D{number}": {"allOf": [{"$ref": f"#/$defs/D{number + 1}"}]} for number in range(5000)}
    assert acceptable_schema({"$ref": "#/$defs/D0", "$defs": chain})["properties"] == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["object", "string", "a", "#/$defs/a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "additionalProperties",
                    "anyOf",
                    "allOf",
                    "$ref",
                    "$defs",
                    "items",
                    "a",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(["type", "properties", "anyOf", "oneOf", "$ref", "$defs"]), json_values))
def test_anything_becomes_acceptable_and_stays_so(schema: JsonObject) -> None:
    sent = acceptable_schema(schema)
    assert sent["type"] == "object"
    assert not sent.keys() & {"anyOf", "oneOf", "allOf", "additionalProperties"}
    assert sent.get("required") != []
    assert acceptable_schema(sent) == sent
