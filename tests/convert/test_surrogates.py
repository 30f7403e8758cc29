from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.convert.surrogates import EscapeMender, well_formed, well_formed_json

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


ESCAPES = st.lists(
    st.sampled_from([r"\ud83d", r"\ude00", r"\\", r"\u00e9", r"\n", r"\"", "ud83d", "é", "x"]), max_size=8
)


@given(ESCAPES, st.data())
def test_escapes_are_mended_wherever_the_text_is_cut(escapes: list[str], data: st.DataObject) -> None:
    """What a client reads from the stream is what it would read from the plain answer."""
    document = '{"a":"' + "".join(escapes) + '"}'
    places = data.draw(st.lists(st.integers(0, len(document)), max_size=4).map(sorted))
    cuts = [0, *places, len(document)]
    mender = EscapeMender()
    mended = "".join(mender.receive(document[start:end]) for start, end in pairwise(cuts))
    assert json.loads(mended) == well_formed_json(json.loads(document))


def test_only_half_an_escape_is_held_back() -> None:
    mender = EscapeMender()
    texts = ["abc", r"d\ud83d", r"\u", "de00e", r"\ud83d", "f", "\\", "n", r"\u12", "34", r"\uq", "g"]
    assert [mender.receive(text) for text in texts] == [
        *("abc", "d", "", r"\ud83d\ude00e", "", r"\ufffdf", "", r"\n", "", r"\u1234", r"\uq", "g"),
    ]
