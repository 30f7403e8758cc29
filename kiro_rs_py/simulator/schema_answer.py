"""A small JSON value that fits a schema found in the prompt: what a title or structured-output request wants."""

from __future__ import annotations

import json
from typing import cast

from kiro_rs_py.convert.anthropic import Json, JsonObject

MAX_DEPTH = 12
# Only the neighbourhood of the word is searched: system prompts are long and full of braces.
NEIGHBOURHOOD = 400


def find_schema(text: str) -> JsonObject | None:
    """The last object schema that stands close behind the word "schema"."""
    decoder = json.JSONDecoder()
    lowered = text.lower()
    place = lowered.rfind("schema")
    while place >= 0:
        start = text.find("{", place, place + NEIGHBOURHOOD)
        if start >= 0:
            try:
                value, _ = decoder.raw_decode(text, start)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict) and isinstance(value.get("properties"), dict):
                return cast("JsonObject", value)
        place = lowered.rfind("schema", 0, place)
    return None


def example_of(schema: JsonObject) -> Json:
    """A minimal instance: required members only, first choices, shortest lists. Not a validator's last word."""
    definitions = schema.get("$defs", schema.get("definitions", {}))
    return _example(schema, definitions if isinstance(definitions, dict) else {}, MAX_DEPTH)


def _example(schema: Json, definitions: JsonObject, depth: int) -> Json:
    if not isinstance(schema, dict) or depth == 0:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return _example(definitions.get(reference.rpartition("/")[2]), definitions, depth - 1)
    if "const" in schema:
        return schema["const"]
    if isinstance(choices := schema.get("enum"), list) and choices:
        return choices[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(options := schema.get(key), list) and options:
            return _example(options[0], definitions, depth - 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((entry for entry in kind if entry != "null"), "null")
    match kind:
        case "object":
            return _object_example(schema, definitions, depth)
        case "array":
            length = schema.get("minItems", 0)
            item = _example(schema.get("items"), definitions, depth - 1)
            return [item] * (length if isinstance(length, int) else 0)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            shortest = schema.get("minLength", 0)
            return "simulated".ljust(shortest if isinstance(shortest, int) else 0, ".")


def _object_example(schema: JsonObject, definitions: JsonObject, depth: int) -> JsonObject:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return {}
    names = required if isinstance(required, list) else list(properties)
    return {name: _example(properties.get(name), definitions, depth - 1) for name in names if isinstance(name, str)}


def _number(schema: JsonObject) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    value = low if isinstance(low, int | float) else 0
    return value + 1 if "exclusiveMinimum" in schema else value
