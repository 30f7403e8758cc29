"""What Kiro's service checks in a request body, as far as is known (upstream-protocol §1.7.7, field-notes §2a)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiro_rs_py.convert.anthropic import Json, JsonObject

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
FORMATS = {"png", "jpeg", "gif", "webp"}


def violations(body: JsonObject) -> list[str]:
    """Every rule that ``body`` (of ``encode_request``, loaded again) breaks; empty for one the service would take."""
    return list(_violations(body))


def _violations(body: JsonObject) -> Iterator[str]:
    state = _object(body["conversationState"])
    current = _object(_object(state["currentMessage"])["userInputMessage"])
    context = _object(current["userInputMessageContext"])
    history = [_object(entry) for entry in _list(state.get("history", []))]
    kinds = [next(iter(entry)) for entry in history]
    expected = ["userInputMessage", "assistantResponseMessage"] * (len(kinds) // 2 + 1)
    if kinds != expected[: len(kinds)] or len(kinds) % 2:
        yield f"roles do not alternate: {kinds}"
    tools = [_object(_object(tool)["toolSpecification"]) for tool in _list(context.get("tools", []))]
    for tool in tools:
        yield from _tool_violations(tool)
    names = [tool["name"] for tool in tools]
    if len(set(map(str, names))) != len(names):
        yield f"a tool is defined twice: {names}"
    messages = [_object(next(iter(entry.values()))) for entry in history] + [current]
    yield from _pairing_violations(messages, {str(name).lower() for name in names})
    for message in messages:
        yield from _message_violations(message, str(current["modelId"]))


def _message_violations(message: JsonObject, model_id: str) -> Iterator[str]:
    images = _list(message.get("images", []))
    if len(images) > 20:
        yield f"{len(images)} images"
    for image in images:
        if _object(image)["format"] not in FORMATS:
            yield f"image format {_object(image)['format']}"
    if message["content"] == "" and not images and not message.get("userInputMessageContext"):
        yield "empty content"
    if "modelId" in message and message["modelId"] != model_id:
        yield "two models"


def _tool_violations(tool: JsonObject) -> Iterator[str]:
    if not NAME.fullmatch(str(tool["name"])):
        yield f"tool name {tool['name']!r}"
    description = str(tool["description"])
    if not description.strip():
        yield f"no description: {tool['name']}"
    if len(description) > 10_000:
        yield f"description too long: {tool['name']}"
    schema = _object(_object(tool["inputSchema"])["json"])
    if schema.get("type") != "object":
        yield f"schema of {tool['name']} is no object"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            yield f"{key} at the top of {tool['name']}"
    yield from _schema_violations(schema)


def _schema_violations(schema: Json) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _schema_violations(item)
    if not isinstance(schema, dict):
        return
    if "additionalProperties" in schema:
        yield "additionalProperties"
    if "required" in schema and not schema["required"]:
        yield "empty required"
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
            for part in _object(value).values():
                yield from _schema_violations(part)
        elif key not in ("default", "const", "enum", "example", "examples"):
            yield from _schema_violations(value)


def _pairing_violations(messages: list[JsonObject], names: set[str]) -> Iterator[str]:
    """Each call is answered once and in the next message, each result has its call there, no id comes twice."""
    seen: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        if "toolUses" in message and not message["toolUses"]:
            yield "empty toolUses"
        uses = [_object(use) for use in _list(message.get("toolUses", []))]
        context = _object(message.get("userInputMessageContext", {}))
        results = [_object(result) for result in _list(context.get("toolResults", []))]
        answered = [str(result["toolUseId"]) for result in results]
        if sorted(answered) != sorted(waiting):
            yield f"calls {waiting} are answered by {answered}"
        for result in results:
            if not str(_object(_list(result["content"])[0])["text"]).strip():
                yield "empty result"
        waiting = [str(use["toolUseId"]) for use in uses]
        for use in uses:
            tool_use_id = str(use["toolUseId"])
            if tool_use_id in seen or not NAME.fullmatch(tool_use_id):
                yield f"tool use id {tool_use_id!r}"
            seen.add(tool_use_id)
            if str(use["name"]).lower() not in names:
                yield f"tool {use['name']} is not defined"
            if not isinstance(use["input"], dict):
                yield f"input of {use['name']} is no object"


def _object(value: Json) -> JsonObject:
    assert isinstance(value, dict)
    return value


def _list(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value
