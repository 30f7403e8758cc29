from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.admin.bodies import Members, printable
from kiro_rs_py.serve.admin.refusals import Refusal


def members(**document: object) -> Members:
    made: JsonObject = document  # type: ignore[assignment]
    return Members(made)


@pytest.mark.parametrize("value", [7, True, [], {}, "x" * 11, "a\tb", "a\x00", "\ud83d"])
def test_texts_that_are_none(value: object) -> None:
    with pytest.raises(Refusal) as refused:
        members(a=value).text("a", longest=10)
    assert (refused.value.code, refused.value.field) == ("invalid_field", "a")


@pytest.mark.parametrize(("value", "text"), [(None, None), ("", None), ("  ", None), (" a b ", "a b"), ("é", "é")])
def test_texts(value: object, text: str | None) -> None:
    assert members(a=value).text("a", longest=10) == text
    assert members().text("a") is None


def test_what_must_be_there() -> None:
    with pytest.raises(Refusal, match="missing"):
        members().required_text("a")
    with pytest.raises(Refusal, match="not empty"):
        members(a=" \n").long_text("a")
    assert members(a="x\n\ty").long_text("a") == "x\n\ty"
    assert members(a=None).boolean("a", default=True) is True
    with pytest.raises(Refusal):
        members(a=None).boolean("a")


def test_unknown_members_are_named_fit_to_be_seen() -> None:
    with pytest.raises(Refusal) as refused:
        members(**{"\x1b[31m" + "x" * 100: 1}).only(("a",))
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 80
    members(a=1).only(("a",))


def test_ids_stand_once() -> None:
    assert members(ids=[3, 1, 3, -1]).ids() == [3, 1, -1]


def test_printable() -> None:
    assert printable("a\nb\u202ec") == "a?b?c"
