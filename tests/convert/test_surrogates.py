from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.convert.surrogates import well_formed, well_formed_json

ANY_CHARACTER = st.text(st.characters(codec=None, categories=("L", "Cs", "S")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("é😀", "é😀"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83d", "a\ufffd"),
        ("\ud83db", "\ufffdb"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00", "\ufffd😀"),
    ],
)
def test_well_formed(text: str, expected: str) -> None:
    assert well_formed(text) == expected


@given(ANY_CHARACTER)
def test_the_result_can_be_encoded(text: str) -> None:
    assert well_formed(text).encode().decode() == well_formed(text)


def test_every_string_of_a_json_value() -> None:
    value = json.loads('{"\\ud83d": ["a\\ude00", {"b": "\\ud83d"}, 1, 1.5, true, null]}')
    assert well_formed_json(value) == {"\ufffd": ["a\ufffd", {"b": "\ufffd"}, 1, 1.5, True, None]}
