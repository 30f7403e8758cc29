"""Untrusted JSON: whatever comes in, a value that can be sent on or an InvalidRequest comes out."""

from __future__ import annotations

import json

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.convert.client_json import (
    MAX_DEPTH,
    FieldError,
    compact,
    each,
    filled_string,
    integer,
    load_json,
    name_of,
    of_kind,
    optional,
    string,
    under,
)
from kiro_rs_py.errors import InvalidRequest


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1,}', "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'"\xff"', "not valid UTF-8 (byte 1)"),
        (b'"\xed\xa0\x80"', "not valid UTF-8"),
        (b'{"a": NaN}', "out of range"),
        (b'{"a": -Infinity}', "out of range"),
        (b'{"a": 1e999}', "out of range"),
        (b'{"a": -1e999}', "out of range"),
        (b'{"a": ' + b"9" * 400 + b"}", "out of range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\\uDFFF"}', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b"[" * 129 + b"]" * 129, "nested deeper than 128"),
        (b'{"a":' * 129 + b"1" + b"}" * 129, "nested deeper than 128"),
        (b"[" * 100_000, "nested deeper than 128"),
        (b'{"a":' * 5_000_000, "nested deeper than 128"),
        (b'{"a":[' * 500_000 + b"]}" * 500_000, "nested deeper than 128"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_what_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load_json(body)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "text",
        "\u2028 “ü” 🚀",
        {"a": [1, -2.5, 1e300], "b": {"c": []}},
        -(2**63),
        2**64 - 1,
        123_456_789_012_345_678,
    ],
)
def test_what_passes_unchanged(value: Json) -> None:
    assert load_json(json.dumps(value).encode()) == value
    assert load_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_nesting_up_to_the_limit() -> None:
    body = b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    assert json.dumps(load_json(body)).encode() == body
    assert load_json(b"1" + b" " * 200) == 1


def test_brackets_in_strings_are_no_nesting() -> None:
    assert load_json(json.dumps(["[{" * 500]).encode()) == ["[{" * 500]


def test_an_escaped_backslash_is_no_surrogate() -> None:
    assert load_json(rb'"\\ud800"') == "\\ud800"
    assert load_json(rb'"\ud83d\ude80"') == "🚀"


def test_integers_beyond_64_bits_become_floats() -> None:
    value = load_json(b"18446744073709551616")
    assert isinstance(value, float)
    assert value == 2.0**64


def test_compact_sorts_keys_and_keeps_characters() -> None:
    assert compact({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'


def test_paths_grow_from_the_inside_out() -> None:
    with pytest.raises(FieldError) as caught:
        under("content", each, [{"text": "x"}, {"text": 1}], lambda item: string(of_kind(item, dict), "text"))
    assert str(caught.value) == "content.1.text: must be a string, not a number"
    assert str(FieldError("must be an object")) == "must be an object"


def test_typed_fields() -> None:
    node: dict[str, Json] = {"s": "x", "e": "", "n": None, "i": 5, "t": True, "f": 1.0, "o": {}, "l": [], "big": 2**31}
    assert string(node, "s") == "x"
    assert string(node, "e") == ""
    assert filled_string(node, "s") == "x"
    assert optional(node, "n", str) is None
    assert optional(node, "missing", dict) is None
    assert optional(node, "t", bool) is True
    assert optional(node, "o", dict) == {}
    assert optional(node, "l", list) == []
    assert integer(node, "i") == 5
    assert integer(node, "n") is None
    assert of_kind({}, dict) == {}
    assert of_kind([], list) == []
    for read, complaint in (
        (lambda: string(node, "missing"), "missing: field required"),
        (lambda: string(node, "n"), "n: must be a string, not null"),
        (lambda: filled_string(node, "e"), "e: must not be empty"),
        (lambda: optional(node, "s", bool), "s: must be true or false, not a string"),
        (lambda: integer(node, "t"), "t: must be an integer, not a boolean"),
        (lambda: integer(node, "f"), "f: must be an integer, not a number"),
        (lambda: integer(node, "big"), "big: is out of range"),
        (lambda: of_kind([], dict), "must be an object, not a list"),
        (lambda: of_kind({}, list), "must be a list, not an object"),
    ):
        with pytest.raises(FieldError) as caught:
            read()
        assert str(caught.value) == complaint


def test_names_of_json_types() -> None:
    values: list[Json] = [None, False, 1, 1.5, "x", [], {}]
    names = ["null", "a boolean", "a number", "a number", "a string", "a list", "an object"]
    assert [name_of(value) for value in values] == names
