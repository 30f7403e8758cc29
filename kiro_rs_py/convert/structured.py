"""``output_config.format``: is the answer the JSON it was asked to be, and what to do if it is not.

Kiro knows no structured output; the schema goes into the prompt as an instruction (PRODUCT §3.1), and models mostly
keep to it. Clients parse the text, so what they add now and then is taken away here: a code fence around the value, or
a sentence before or behind it. Nothing is invented: a value that was cut off or does not fit is delivered as it is,
with a note for the log, because the client's own check can say more to its user than an error of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kiro_rs_py.convert.anthropic import Json, JsonObject, list_in, object_in
from kiro_rs_py.convert.client_json import no_constant

# Prose holds few brackets; beyond these places the text is no answer with something around it.
MAX_PLACES = 50
MAX_STEPS = 20_000
"""Of one check: schemas may refer to themselves, in several places at once."""
MAX_DEPTH = 64

_FENCE = re.compile(r"```[A-Za-z0-9]*[ \t]*\n(.*?)```", re.DOTALL)
_BRACKET = re.compile(r"[\[{]")


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """``text`` to deliver; ``note`` says what was done or is wrong, without any of it, or is empty."""

    text: str
    note: str = ""


class HeldAnswer:
    """Text of an answer, in pieces, held until it is whole."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        self._parts: list[str] = []

    @property
    def begun(self) -> bool:
        return bool(self._parts)

    def receive(self, text: str) -> None:
        if text:
            self._parts.append(text)

    def take(self) -> CheckedAnswer | None:
        """All that was held, checked; None if nothing was."""
        text = "".join(self._parts)
        self._parts.clear()
        return checked_answer(text, self._schema) if text else None

    def drop(self) -> bool:
        """Forget what was held; whether there was anything."""
        held = self.begun
        self._parts.clear()
        return held


def checked_answer(text: str, schema: JsonObject) -> CheckedAnswer:
    """``text`` if it is JSON; else the JSON in it, if there is any, preferably one that fits ``schema``."""
    whole = _parsed(text)
    if whole is not None:
        wrong = mismatch(whole[0], schema)
        return CheckedAnswer(text, f"the answer does not fit its schema at {wrong}" if wrong else "")
    second_best: str | None = None
    for candidate, value in _inner_values(text):
        if mismatch(value, schema) is None:
            return CheckedAnswer(candidate, "took what stood around the JSON answer away")
        second_best = second_best or candidate
    if second_best is not None:
        return CheckedAnswer(second_best, "took what stood around the JSON answer away; it does not fit its schema")
    return CheckedAnswer(text, "the answer is no JSON, or was cut off")


def _inner_values(text: str) -> Iterator[tuple[str, Json]]:
    """JSON objects and arrays in ``text``, with their own words: in code fences first, then wherever one begins."""
    for fence in _FENCE.finditer(text):
        parsed = _parsed(fence[1])
        if parsed is not None:
            yield fence[1].strip(), parsed[0]
    place = 0
    for _ in range(MAX_PLACES):
        bracket = _BRACKET.search(text, place)
        if bracket is None:
            return
        start = bracket.start()
        try:
            value, place = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            place = start + 1
        else:
            yield text[start:place], value


def _parsed(text: str) -> tuple[Json] | None:
    """The one value that ``text`` is; in a tuple, since it may be null."""
    stripped = text.strip()
    try:
        value, end = _DECODER.raw_decode(stripped)
    except (ValueError, RecursionError):
        return None
    return (value,) if end == len(stripped) else None


_DECODER = json.JSONDecoder(parse_constant=no_constant)


# --- the check ----------------------------------------------------------------------------------------------------


def mismatch(value: Json, schema: Json) -> str | None:
    """The first place where ``value`` does not fit, as ``$.items.0: type``, or None.

    Looks at what structured outputs are made of: type, const, enum, properties, required, additionalProperties, items,
    anyOf, oneOf, allOf and local references. Other keywords pass.
    """
    try:
        return _Check(schema).mismatch(value, schema, "$")
    except _TooMuch:
        return None


class _TooMuch(Exception):
    """The check has taken long enough."""


class _Check:
    def __init__(self, root: Json) -> None:
        self._root = root
        self._steps = 0

    def mismatch(self, value: Json, schema: Json, place: str, depth: int = 0) -> str | None:
        self._steps += 1
        if self._steps > MAX_STEPS or depth > MAX_DEPTH:
            raise _TooMuch
        if schema is False:
            return f"{place}: not allowed"
        if not isinstance(schema, dict):
            return None
        own = _of_itself(value, schema)
        if own:
            return f"{place}: {own}"
        found = self._by_others(value, schema, place, depth + 1)
        if found is None and isinstance(value, dict):
            found = self._of_members(value, schema, place, depth + 1)
        if found is None and isinstance(value, list):
            found = self._of_items(value, schema.get("items"), place, depth + 1)
        return found

    def _of_items(self, value: list[Json], schema: Json, place: str, depth: int) -> str | None:
        checked = (self.mismatch(item, schema, f"{place}.{index}", depth) for index, item in enumerate(value))
        return next(filter(None, checked), None)

    def _by_others(self, value: Json, schema: JsonObject, place: str, depth: int) -> str | None:
        """What schemas say that this one refers to."""
        for part in (*list_in(schema, "allOf"), self._referred(schema.get("$ref"))):
            found = self.mismatch(value, part, place, depth)
            if found is not None:
                return found
        for key in ("anyOf", "oneOf"):
            choices = schema.get(key)
            if isinstance(choices, list) and all(self.mismatch(value, choice, place, depth) for choice in choices):
                return f"{place}: {key}"
        return None

    def _referred(self, reference: Json) -> Json:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        node = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, dict) else None
        return node

    def _of_members(self, value: JsonObject, schema: JsonObject, place: str, depth: int) -> str | None:
        known = object_in(schema, "properties")
        for name in list_in(schema, "required"):
            if isinstance(name, str) and name not in value:
                return f"{place}.{name}: required"
        for name, part in value.items():
            # A name the schema does not know is somebody's text.
            where = f"{place}.{name}" if name in known else f"{place}.?"
            found = self.mismatch(part, known.get(name, schema.get("additionalProperties")), where, depth)
            if found is not None:
                return found
        return None


def _of_itself(value: Json, schema: JsonObject) -> str | None:
    """The keyword that ``value`` breaks by what it is, whatever is in it."""
    kinds = schema.get("type")
    wanted = kinds if isinstance(kinds, list) else [kinds]
    if kinds is not None and not any(_is_of_type(value, kind) for kind in wanted):
        return "type"
    if "const" in schema and not _same(value, schema["const"]):
        return "const"
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        return "enum"
    return None


_TYPES: Mapping[type, tuple[str, ...]] = {
    dict: ("object",),
    list: ("array",),
    str: ("string",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    type(None): ("null",),
}


def _is_of_type(value: Json, kind: Json) -> bool:
    """A kind that nobody knows is any."""
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return kind in _TYPES[type(value)] or all(kind not in kinds for kinds in _TYPES.values())


def _same(value: Json, other: Json) -> bool:
    """Equal as JSON: for Python True is 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)
