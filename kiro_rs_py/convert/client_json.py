"""JSON from clients: load it without trusting it, read typed fields and name their path when they are wrong.

``json`` takes what the Messages API refuses and what Kiro cannot be sent: ``NaN``, ``1e999``, lone surrogates, any
nesting (request-conversion §1.1). Those are refused here, so that nothing behind this module has to think of them.
"""

from __future__ import annotations

import json
from typing import NoReturn, overload

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import InvalidRequest

MAX_DEPTH = 128
"""Nesting REF accepts; the interpreter's own recursion limit is far above."""

_INT64_TEXT = 18
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1


class FieldError(Exception):
    """One field is missing or of the wrong type; ``path`` grows from the inside out while the error travels up."""

    def __init__(self, reason: str, *path: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def inside(self, *path: str | int) -> FieldError:
        """The same error, seen from the object that holds the field at ``path``."""
        return FieldError(self.reason, *path, *self.path)

    def __str__(self) -> str:
        path = ".".join(str(part) for part in self.path)
        return f"{path}: {self.reason}" if path else self.reason


def load_json(body: bytes) -> Json:
    """Bytes → JSON value whose strings are valid text and whose numbers are finite.

    Raises :class:`InvalidRequest` for everything else, also for nesting deeper than :data:`MAX_DEPTH`; never
    RecursionError. Integers beyond 64 bits become floats, as in REF (§0.1).
    """
    try:
        # From str, json.loads is faster than from bytes, whose encoding it guesses first.
        text = body.decode()
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"The body is not valid UTF-8 (byte {exc.start}).") from exc
    if not text.strip():
        raise InvalidRequest("The body is empty. Send a JSON object.")
    try:
        value: Json = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        raise InvalidRequest(f"The body is not valid JSON: {exc.msg} (line {exc.lineno}, column {exc.colno}).") from exc
    except ValueError as exc:
        raise InvalidRequest("The body is not valid JSON: a number in it is out of range.") from exc
    except RecursionError as exc:
        raise InvalidRequest(f"The body is nested deeper than {MAX_DEPTH} levels.") from exc
    if _deeper_than(value, MAX_DEPTH):
        raise InvalidRequest(f"The body is nested deeper than {MAX_DEPTH} levels.")
    # Bytes are searched faster than text, and most bodies need no closer look.
    if b"\\u" in body and (b"\\ud" in body or b"\\uD" in body):
        _refuse_lone_surrogates(value)
    return value


def compact(value: Json) -> str:
    """JSON text as REF writes it into prompts: no spaces, keys sorted, non-ASCII as it is (§0.1)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _integer(text: str) -> int | float:
    if len(text) <= _INT64_TEXT:
        return int(text)
    # Python refuses to read more than 4,300 digits: that ValueError is answered like the rest.
    value = int(text)
    return value if _INT64_MIN <= value <= _UINT64_MAX else _finite(text)


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("out of range")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _deeper_than(value: Json, limit: int) -> bool:
    """Level by level instead of recursively: the depth is the client's to choose, our stack is not."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if type(child) is dict or type(child) is list
        ]
    return bool(level)


def _refuse_lone_surrogates(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequest("The body contains half of a surrogate pair (\\ud800–\\udfff), which is no text.") from exc


# --- typed fields -----------------------------------------------------------------------------------------------


def as_object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise FieldError(f"must be an object, not {name_of(value)}")
    return value


def as_list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise FieldError(f"must be a list, not {name_of(value)}")
    return value


def string(node: JsonObject, key: str) -> str:
    """A required string."""
    value = node.get(key)
    if isinstance(value, str):
        return value
    if key not in node:
        raise FieldError("field required", key)
    raise FieldError(f"must be a string, not {name_of(value)}", key)


def filled_string(node: JsonObject, key: str) -> str:
    """A required string with something in it."""
    value = string(node, key)
    if not value:
        raise FieldError("must not be empty", key)
    return value


@overload
def optional(node: JsonObject, key: str, kind: type[str]) -> str | None: ...
@overload
def optional(node: JsonObject, key: str, kind: type[bool]) -> bool | None: ...
@overload
def optional(node: JsonObject, key: str, kind: type[dict[str, Json]]) -> JsonObject | None: ...
@overload
def optional(node: JsonObject, key: str, kind: type[list[Json]]) -> list[Json] | None: ...
def optional(node: JsonObject, key: str, kind: type) -> Json:
    """A field that may be absent or null (A10); anything else of another type is an error."""
    value = node.get(key)
    if value is None or isinstance(value, kind):
        return value
    raise FieldError(f"must be {_KIND_NAMES[kind]}, not {name_of(value)}", key)


def integer(node: JsonObject, key: str) -> int | None:
    """A signed 32-bit integer, or None when absent or null. ``true`` and ``1024.0`` are none (§1.2)."""
    value = node.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"must be an integer, not {name_of(value)}", key)
    if not -(2**31) <= value < 2**31:
        raise FieldError("is out of range", key)
    return value


_KIND_NAMES = {str: "a string", bool: "true or false", dict: "an object", list: "a list"}


def name_of(value: Json) -> str:
    """The JSON type of ``value``, for messages: the value itself is the client's and not repeated."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
