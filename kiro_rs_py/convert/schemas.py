"""JSON schemas of tools, made acceptable to Kiro (request-conversion §5.2, N4; upstream-protocol §1.7.7).

The service answers 400 to ``additionalProperties``, to an empty ``required``, and to ``oneOf``/``anyOf``/``allOf`` at
the top level. Schemas are walked by their grammar: a *property* may be called ``required``, and the values of ``enum``
or ``default`` are data.
"""

from __future__ import annotations

from kiro_rs_py.convert.anthropic import Json, JsonObject, list_in, object_in
from kiro_rs_py.convert.client_json import compact

_SCHEMA_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"default", "const", "enum", "example", "examples"})
_COMBINATORS = ("allOf", "anyOf", "oneOf")
_MAX_DEPTH = 16


def acceptable_schema(schema: JsonObject) -> JsonObject:
    """The schema to send for a tool's ``input_schema``; an object schema, whatever comes in.

    Keys keep their order: models tend to write arguments in the order of the properties.
    """
    root = _sanitised(schema)
    if any(key in root for key in (*_COMBINATORS, "$ref")):
        root = _flattened(root)
    if root.get("type") != "object":
        root = {**root, "type": "object"}
    if len(root) == 1 and not schema:
        root["properties"] = {}
    return root


def _sanitised(schema: JsonObject) -> JsonObject:
    clean: JsonObject = {}
    for key, value in schema.items():
        if key == "additionalProperties":
            continue
        if key == "required":
            names: list[Json] = [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
            if names:
                clean[key] = names
        elif key in _SCHEMA_MAPS:
            named = value if isinstance(value, dict) else {}
            clean[key] = {name: _part(part) for name, part in named.items()}
        else:
            clean[key] = value if key in _DATA else _part(value)
    return clean


def _part(value: Json) -> Json:
    if isinstance(value, dict):
        return _sanitised(value)
    if isinstance(value, list):
        return [_part(item) for item in value]
    return value


def _flattened(root: JsonObject) -> JsonObject:
    """A schema without combinators at the top that takes everything the given one takes.

    The properties of all branches are offered; required stays what every branch of a choice, or any part of an
    ``allOf``, requires.
    """
    properties, required = _Branches(root).of(root, _MAX_DEPTH)
    flat: JsonObject = {key: value for key, value in root.items() if key not in (*_COMBINATORS, "required", "$ref")}
    flat["properties"] = {
        name: next(iter(variants.values())) if len(variants) == 1 else {"anyOf": list(variants.values())}
        for name, variants in properties.items()
    }
    if required:
        flat["required"] = list(required)
    return flat


_Parts = tuple[dict[str, dict[str, Json]], dict[str, None]]
"""Property → its different schemas by their text; names of what is required, in order."""


class _Branches:
    """Reads what the branches of a schema have to say. A reference is read once, whatever number of branches name it:
    schemas refer to themselves."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._referenced: dict[str, _Parts] = {}

    def of(self, node: JsonObject, depth: int) -> _Parts:
        own = object_in(node, "properties")
        properties = {name: {compact(part): part} for name, part in own.items()}
        # The sanitiser has left strings only.
        required = dict.fromkeys(str(name) for name in list_in(node, "required"))
        if depth:
            reference = node.get("$ref")
            parts = [] if reference is None else [self._behind(str(reference), depth - 1)]
            parts += [self.of(branch, depth - 1) for branch in _objects(node, "allOf")]
            for part in parts:
                _merge(properties, part[0])
                required |= part[1]
            for key in ("anyOf", "oneOf"):
                choices = [self.of(branch, depth - 1) for branch in _objects(node, key)]
                for choice in choices:
                    _merge(properties, choice[0])
                if choices:
                    required |= {name: None for name in choices[0][1] if all(name in other for _, other in choices)}
        return properties, required

    def _behind(self, reference: str, depth: int) -> _Parts:
        if reference not in self._referenced:
            self._referenced[reference] = ({}, {})
            node: Json = self._root
            for step in reference.removeprefix("#/").split("/"):
                node = node.get(step) if isinstance(node, dict) else None
            if isinstance(node, dict):
                self._referenced[reference] = self.of(node, depth)
        return self._referenced[reference]


def _merge(properties: dict[str, dict[str, Json]], more: dict[str, dict[str, Json]]) -> None:
    for name, variants in more.items():
        properties[name] = properties.get(name, {}) | variants


def _objects(node: JsonObject, key: str) -> list[JsonObject]:
    return [item for item in list_in(node, key) if isinstance(item, dict)]
