"""What the service refuses in tool definitions (upstream-protocol §1.7.6, §1.7.7; field-notes 2a.5)."""

from __future__ import annotations

import re
from typing import TypeGuard

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.refusal import Refusal, a_list, an_object, improperly_formed, invalid

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Sources cut descriptions at 10,000 to 10,237 characters; sets "in the hundreds" of tools are refused.
MAX_DESCRIPTION = 10_240
MAX_TOOLS = 256

_MAPS_OF_SCHEMAS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "not", "contains", "propertyNames", "if", "then", "else")
_COMBINATORS = ("oneOf", "allOf", "anyOf")


def check_tools(tools: list[Json]) -> frozenset[str]:
    """The names defined, in lower case. Raises the service's refusal."""
    names: set[str] = set()
    if len(tools) > MAX_TOOLS:
        raise improperly_formed()
    for tool in tools:
        if not isinstance(tool, dict) or len(tool) != 1:
            raise improperly_formed()
        if "cachePoint" in tool:
            check_cache_point(tool["cachePoint"])
            continue
        name = _check_specification(an_object(tool.get("toolSpecification")))
        if name in names:
            raise invalid("TOOL_DUPLICATE", f"The tool {name} is already defined.")
        names.add(name)
    return frozenset(name.lower() for name in names)


def _check_specification(specification: JsonObject) -> str:
    """One ``toolSpecification``; its name."""
    name, description = specification.get("name"), specification.get("description")
    if not is_name(name):
        raise invalid_tool_use()
    if not isinstance(description, str) or not description.strip() or len(description) > MAX_DESCRIPTION:
        raise improperly_formed()
    check_schema(an_object(specification.get("inputSchema")).get("json"))
    return name


def check_schema(schema: Json) -> None:
    """A tool's whole ``inputSchema.json``."""
    schema = an_object(schema)
    if any(key in schema for key in _COMBINATORS):
        raise invalid("TOOL_SCHEMA_INVALID", "input_schema does not support oneOf, allOf, or anyOf at the top level")
    if schema.get("type") != "object":
        raise invalid("TOOL_SCHEMA_INVALID", "input_schema.type must be object")
    _check_node(schema)


def is_name(value: Json) -> TypeGuard[str]:
    """Good as the name of a tool or the id of its use."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def check_cache_point(value: Json) -> None:
    if value != {"type": "default"}:
        raise improperly_formed()


def invalid_tool_use() -> Refusal:
    return invalid(None, "Invalid tool use format.")


def _check_node(node: Json) -> None:
    """One schema and those below it. Only schema positions are looked at: a *property* called
    ``additionalProperties``, or one inside a ``default``, is nobody's business."""
    if isinstance(node, bool):
        return
    if not isinstance(node, dict) or "additionalProperties" in node:
        raise improperly_formed()
    required = a_list(node.get("required", ["-"]))
    if not required or not all(isinstance(entry, str) for entry in required):
        raise improperly_formed()
    # A list of types is the "union type" of field-notes 2a.5; null is what some MCP servers write.
    if not isinstance(node.get("type", ""), str):
        raise improperly_formed()
    for key in _MAPS_OF_SCHEMAS:
        for child in an_object(node.get(key, {})).values():
            _check_node(child)
    for key in _LISTS_OF_SCHEMAS:
        for child in a_list(node.get(key, [])):
            _check_node(child)
    for key in _SCHEMAS:
        value = node.get(key, True)
        # The old tuple form of ``items`` is a list of schemas.
        for child in value if isinstance(value, list) else [value]:
            _check_node(child)
