"""JSON from clients: load it without trusting it, read typed fields and name their path when they are wrong.

``json`` takes what the Messages API refuses and what Kiro cannot be sent: ``NaN``, ``1e999``, lone surrogates, any
nesting (request-conversion §1.1). Those are refused here, so that nothing behind this module has to think of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import NoReturn, TypeVar

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import InvalidRequest

MAX_DEPTH = 128
"""Nesting REF accepts; the interpreter's own recursion limit is far above."""

_INT64_TEXT = 18
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1

T = TypeVar("T")
Kind = TypeVar("Kind", str, bool, dict[str, Json], list[Json])


class FieldError(Exception):
    """One field is missing or of the wrong type; ``path`` grows from the inside out while the error travels up."""

    def __init__(self, reason: str, *path: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

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
        value: Json = json.loads(text, parse_int=_integer, parse_float=finite, parse_constant=no_constant)
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
    return value if _INT64_MIN <= value <= _UINT64_MAX else finite(text)


def finite(digits: str) -> float:
    """The number, for ``parse_float`` of :mod:`json`. Raises ValueError for one beyond what a float holds."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number too large")
    return number


def no_constant(name: str) -> NoReturn:
    """Raises ValueError: for ``parse_constant`` of :mod:`json`, which knows NaN and infinities."""
    raise ValueError(f"{name} is not JSON")


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


def under(key: str, parse: Callable[..., T], *arguments: object) -> T:
    """What ``parse(*arguments)`` gives; a field it complains of lies below ``key``."""
    try:
        return parse(*arguments)
    except FieldError as error:
        raise FieldError(error.reason, key, *error.path) from None


def each(items: list[Json], parse: Callable[[Json], T]) -> tuple[T, ...]:
    """``parse`` on every element."""
    parsed: list[T] = []
    try:
        for item in items:
            parsed.append(parse(item))  # noqa: PERF401  # their number tells which one failed
    except FieldError as error:
        raise FieldError(error.reason, len(parsed), *error.path) from None
    return tuple(parsed)


def required(node: JsonObject, key: str) -> Json:
    if key not in node:
        raise FieldError("field required", key)
    return node[key]


def of_kind(value: Json, kind: type[Kind], *path: str) -> Kind:
    """``value`` itself, which is at ``path``; anything of another type is an error."""
    if not isinstance(value, kind):
        raise FieldError(f"must be {_KIND_NAMES[kind]}, not {name_of(value)}", *path)
    return value


def string(node: JsonObject, key: str) -> str:
    """A required string."""
    value = node.get(key)
    # Most are: a request has more of these than of anything else.
    return value if isinstance(value, str) else of_kind(required(node, key), str, key)


def filled_string(node: JsonObject, key: str) -> str:
    """A required string with something in it."""
    value = string(node, key)
    if not value:
        raise FieldError("must not be empty", key)
    return value


def optional(node: JsonObject, key: str, kind: type[Kind]) -> Kind | None:
    """A field that may be absent or null (A10)."""
    value = node.get(key)
    return None if value is None else of_kind(value, kind, key)


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
_TYPE_NAMES = {**_KIND_NAMES, bool: "a boolean", int: "a number", float: "a number", type(None): "null"}


def name_of(value: Json) -> str:
    """The JSON type of ``value``, for messages: the value itself is the client's and not repeated."""
    return _TYPE_NAMES[type(value)]
