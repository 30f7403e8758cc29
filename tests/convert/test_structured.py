"""Structured output: what is checked, what is taken away, what is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.structured import MAX_PLACES, CheckedAnswer, HeldAnswer, checked_answer, mismatch

TITLE: JsonObject = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
GOOD = '{"title": "Fix [the] {bug}"}'
AROUND = "took what stood around the JSON answer away"


@pytest.mark.parametrize("text", [GOOD, f"\n {GOOD}\n", '{"title":"x"}'])
def test_a_good_answer_is_not_touched(text: str) -> None:
    assert checked_answer(text, TITLE) == CheckedAnswer(text)


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\n",
        f"Here is the title:\n\n```json\n{GOOD}\n```\nAnything else?",
        f"Here it is: {GOOD}",
        f"{GOOD}\n\nI hope this helps {{really}}.",
        f'I was asked for {{"title": …}}, [so] here: {GOOD}',
        f'{{"subject": 1}} is what I first thought of; {GOOD} is right.',
        f"```json\n[1]\n```\n```json\n{GOOD}\n```",
    ],
)
def test_what_stands_around_it_is_taken_away(text: str) -> None:
    assert checked_answer(text, TITLE) == CheckedAnswer(GOOD, AROUND)


def test_a_value_that_does_not_fit_is_better_than_prose() -> None:
    assert checked_answer('So: {"name": 1} or {"b": 2}', TITLE) == CheckedAnswer(
        '{"name": 1}', f"{AROUND}; it does not fit its schema"
    )


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('{"title": 1}', "the answer does not fit its schema at $.title: type"),
        ("null", "the answer does not fit its schema at $: type"),
        ('{"title": "cut', "the answer is no JSON, or was cut off"),
        ("I cannot do that.", "the answer is no JSON, or was cut off"),
        ('{"title": NaN}', "the answer is no JSON, or was cut off"),
        ("```json\nnothing\n```", "the answer is no JSON, or was cut off"),
        ("[" * 100_000, "the answer is no JSON, or was cut off"),
        ("{" * 100_000 + GOOD, "the answer is no JSON, or was cut off"),
    ],
    ids=lambda value: value[:20],
)
def test_what_cannot_be_helped_is_left_as_it_is(text: str, note: str) -> None:
    assert checked_answer(text, TITLE) == CheckedAnswer(text, note)


def test_the_search_for_json_is_bounded() -> None:
    assert checked_answer("{" * (MAX_PLACES - 1) + GOOD, TITLE).text == GOOD
    assert checked_answer("{" * MAX_PLACES + GOOD, TITLE).text != GOOD


def test_a_held_answer() -> None:
    held = HeldAnswer(TITLE)
    assert not held.begun
    assert held.take() is None
    for part in ("```json\n", "", GOOD[:5], GOOD[5:], "\n```"):
        held.receive(part)
    assert held.begun
    assert held.take() == CheckedAnswer(GOOD, AROUND)
    assert not held.begun
    assert held.take() is None


# --- the check ----------------------------------------------------------------------------------------------------

PERSON: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": ["integer", "null"]},
        "kind": {"enum": ["a", "b", 1]},
        "version": {"const": True},
        "friends": {"type": "array", "items": {"$ref": "#/$defs/friend"}},
        "score": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "either": {"oneOf": [{"$ref": "#/$defs/friend"}, {"type": "boolean"}]},
        "both": {"allOf": [{"required": ["x"]}, {"properties": {"x": {"type": "string"}}}]},
        "free": {"type": "object", "additionalProperties": {"type": "string"}},
        "odd": {"type": "unheard-of", "$ref": "elsewhere.json", "enum": "no list", "allOf": {}, "anyOf": 1},
        "lost": {"$ref": "#/$defs/a~1b/none"},
    },
    "required": ["name", 5],
    "$defs": {"friend": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"name": "a"}, None),
        ({"name": "a", "unknown": 1}, None),
        (
            {"name": "a", "age": 5.0, "kind": 1, "version": True, "score": 1.5, "either": False, "odd": 1, "lost": 1},
            None,
        ),
        (
            {"name": "a", "age": None, "friends": [], "both": {"x": "y"}, "free": {"k": "v"}, "either": {"name": "b"}},
            None,
        ),
        ([], "$: type"),
        ({}, "$.name: required"),
        ({"name": None}, "$.name: type"),
        ({"name": "a", "age": 5.5}, "$.age: type"),
        ({"name": "a", "age": True}, "$.age: type"),
        ({"name": "a", "kind": True}, "$.kind: enum"),
        ({"name": "a", "kind": "c"}, "$.kind: enum"),
        ({"name": "a", "version": 1}, "$.version: const"),
        ({"name": "a", "friends": [{"name": "b"}, {}]}, "$.friends.1.name: required"),
        ({"name": "a", "score": "1"}, "$.score: anyOf"),
        ({"name": "a", "score": True}, "$.score: anyOf"),
        ({"name": "a", "either": {"name": 1}}, "$.either: oneOf"),
        ({"name": "a", "both": {}}, "$.both.x: required"),
        ({"name": "a", "both": {"x": 1}}, "$.both.x: type"),
        ({"name": "a", "free": {"k": 1}}, "$.free.?: type"),
    ],
    ids=json.dumps,
)
def test_mismatch(value: Json, wrong: str | None) -> None:
    assert mismatch(value, PERSON) == wrong


def test_names_the_schema_does_not_know_are_not_repeated() -> None:
    assert mismatch({"title": "a", "my secret": 1}, TITLE) == "$.?: not allowed"


@pytest.mark.parametrize("schema", [True, {}, {"type": "object", "properties": 5, "required": "name"}])
def test_schemas_that_ask_for_nothing(schema: Json) -> None:
    assert mismatch({"a": 1}, schema) is None


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    endless: Any = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    assert mismatch(1, endless) is None
    wide: Any = {"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}
    assert mismatch([None] * 50_000, wide) is None
    tree: Any = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    value: Any = 1
    for _ in range(10):
        value = {"next": value}
    assert mismatch(value, tree) == "$" + ".next" * 10 + ": type"
