"""The credentials file as text: both shapes, what survives a patch, ids, quarantine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.credential import BadField, Credential
from kiro_rs_py.upstream.document import CredentialDocument, EntryProblem, UnknownCredential

TWO = """[
    {"id": 3, "refreshToken": "r3", "x-unknown": {"deep": [1, 2.5, null]}, "priority": 1},
    {
        "future": "kept",
        "refreshToken": "r4",
        "id": 4
    }
]
"""


def ids(document: CredentialDocument) -> list[int]:
    return [credential.id for credential in document.stored().credentials]


@pytest.mark.parametrize("text", [None, "", " \n\t"])
def test_no_text_is_no_account(text: str | None) -> None:
    stored = CredentialDocument(text).stored()
    assert stored.credentials == ()
    assert stored.shape == ("missing" if text is None else "blank")


def test_a_patch_leaves_everything_else_where_it_was() -> None:
    document = CredentialDocument(TWO)
    document.patch(4, {"refreshToken": "new", "machineId": "m"})
    before, after = json.loads(TWO), json.loads(document.to_text())
    assert after[0] == before[0]
    assert list(after[1]) == ["future", "refreshToken", "id", "machineId"]
    assert after[1] == {"future": "kept", "refreshToken": "new", "id": 4, "machineId": "m"}
    assert document.changed
    assert document.to_text().startswith("[\n    {\n        ")
    assert document.to_text().endswith("]\n")


def test_a_patch_that_changes_nothing_changes_nothing() -> None:
    document = CredentialDocument(TWO)
    document.patch(4, {"refreshToken": "r4", "label": None})
    assert not document.changed


def test_true_is_not_one() -> None:
    document = CredentialDocument('[{"id": 1, "refreshToken": "r", "disabled": true}]')
    document.patch(1, {"disabled": True})
    assert not document.changed
    document.patch(1, {"disabled": None})
    assert json.loads(document.to_text()) == [{"id": 1, "refreshToken": "r"}]


def test_snake_case_entries_stay_snake_case() -> None:
    document = CredentialDocument('[{"id": 1, "refresh_token": "r1", "note": "x"}]')
    document.patch(1, {"refreshToken": "r2", "expiresAt": "2026-02-13T10:00:00+00:00"})
    assert json.loads(document.to_text()) == [
        {"id": 1, "refresh_token": "r2", "note": "x", "expires_at": "2026-02-13T10:00:00+00:00"}
    ]
    document.patch(1, {"refreshToken": None})
    assert "refresh_token" not in document.to_text()


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": 1, "refreshToken": "r"}]',
        '{"refreshToken":"r","k":[1,2]}',
        '{\n\t"refreshToken": "r",\n\t"name": "Zoë"\n}\n',
        '{\r\n  "refreshToken": "r"\r\n}\r\n',
        '{\n  "refreshToken": "r",\n  "name": "Zo\\u00eb"\n}',
        '{\n"refreshToken": "r"\n}',
        '{"refreshToken": "r", "half": "\\ud800"}',
        '{"refreshToken": "r", "half": "é\\ud800", "big": 123456789012345678901234567890}',
    ],
)
def test_the_layout_survives(text: str) -> None:
    document = CredentialDocument(text)
    assert json.loads(document.to_text()) == json.loads(text)
    if "é\\ud800" not in text:  # the one mixture that has no layout of its own
        assert document.to_text() == text
    document.to_text().encode()


def test_a_single_object_stays_one_and_keeps_no_id() -> None:
    document = CredentialDocument('{"refreshToken": "r1"}', last_id=9)
    assert ids(document) == [1]
    document.patch(1, {"refreshToken": "r2"})
    document.complete_ids()
    assert json.loads(document.to_text()) == {"refreshToken": "r2"}


def test_adding_to_a_single_object_makes_a_list_with_ids() -> None:
    document = CredentialDocument('{"refreshToken": "r1", "mine": 1}')
    added = document.add(Credential(refresh_token="r2", label="new"))
    assert added.id == 2
    assert json.loads(document.to_text()) == [
        {"id": 1, "refreshToken": "r1", "mine": 1},
        {"id": 2, "authMethod": "social", "refreshToken": "r2", "label": "new"},
    ]
    assert document.stored().shape == "list"


@pytest.mark.parametrize(
    "text",
    ['{\n  "refreshToken": "r1",\n  "mine": 1\n}', '{"id": 1, "refreshToken": "r1"}', '{"id": 7, "refreshToken": "r"}'],
)
def test_a_single_object_is_one_again_when_what_was_added_is_gone(text: str) -> None:
    document = CredentialDocument(text)
    added = document.add(Credential(refresh_token="r2"))
    later = CredentialDocument(document.to_text(), last_id=document.last_id, origin=document.origin)
    later.remove(added.id)
    assert later.to_text() == text
    assert later.origin is None


def test_the_one_that_is_left_keeps_its_id() -> None:
    document = CredentialDocument('{"refreshToken": "r1"}')
    document.add(Credential(refresh_token="r2"))
    document.remove(1)
    assert json.loads(document.to_text()) == {"id": 2, "authMethod": "social", "refreshToken": "r2"}
    assert ids(document) == [2]


def test_a_list_stays_a_list() -> None:
    document = CredentialDocument('{"refreshToken": "r1"}')
    document.add(Credential(refresh_token="r2"))
    document.remove(2)
    document.remove(1)
    assert (document.to_text(), document.origin) == ("[]", None)
    document = CredentialDocument('[{"id": 1, "refreshToken": "r1"}]')
    document.add(Credential(refresh_token="r2"))
    document.remove(2)
    assert json.loads(document.to_text()) == [{"id": 1, "refreshToken": "r1"}]


def test_adding_to_nothing_makes_a_list() -> None:
    document = CredentialDocument(None)
    assert document.add(Credential(refresh_token="r")).id == 1
    assert document.to_text() == (
        '[\n  {\n    "id": 1,\n    "authMethod": "social",\n    "refreshToken": "r"\n  }\n]\n'
    )


def test_ids_are_given_by_priority_written_in_front_and_never_used_again() -> None:
    text = '[{"refreshToken": "a", "priority": 5}, {"refreshToken": "b"}, {"id": 6, "refreshToken": "c"}]'
    document = CredentialDocument(text, last_id=2)
    assert ids(document) == [8, 7, 6]
    assert document.stored().incomplete
    assert not document.changed
    document.complete_ids()
    assert document.changed
    assert not document.stored().incomplete
    entries = json.loads(document.to_text())
    assert [next(iter(entry)) for entry in entries] == ["id", "id", "id"]
    document.remove(8)
    assert ids(document) == [7, 6]
    assert CredentialDocument(document.to_text(), last_id=document.last_id).add(Credential(refresh_token="d")).id == 9


def test_removing_the_only_object_leaves_an_explicitly_empty_list() -> None:
    document = CredentialDocument('{"refreshToken": "r"}')
    assert document.remove(1).refresh_token == "r"
    assert document.to_text() == "[]"
    assert document.stored().shape == "list"


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({"refreshToken": 1}, "entry 2: refreshToken must be text"),
        ("text", "entry 2: is not an object"),
        ({"nothing": 1}, "entry 2: has none of the known fields"),
        ({"id": 1, "refreshToken": "r2"}, "entry 2: id is the same as in entry 1"),
        ({"refreshToken": "r1"}, "entry 2: refreshToken is the same as in entry 1"),
    ],
)
def test_a_bad_entry_is_set_apart_and_kept(bad: Json, problem: str) -> None:
    first: Json = {"id": 1, "refreshToken": "r1"}
    last: Json = {"id": 5, "refreshToken": "r5"}
    entries = [first, bad, last]
    document = CredentialDocument(json.dumps(entries))
    stored = document.stored()
    assert [credential.id for credential in stored.credentials] == [1, 5]
    assert [str(item) for item in stored.problems] == [problem]
    assert stored.problems[0].index == 1
    document.patch(5, {"label": "x"})
    assert json.loads(document.to_text()) == [first, bad, {"id": 5, "refreshToken": "r5", "label": "x"}]


def test_a_problem_names_its_field() -> None:
    assert str(EntryProblem(0, "region", "is no AWS region")) == "entry 1: region is no AWS region"


def test_the_id_of_a_bad_entry_is_not_given_to_another() -> None:
    document = CredentialDocument('[{"id": 9, "refreshToken": 1}, {"refreshToken": "r"}]')
    assert ids(document) == [10]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"refreshToken": "SECRET"', "line 1, column 27"),
        ("42", "one JSON object or a list"),
        ('{"accounts": []}', "import-token"),
        ("[" * 200_000, "nested too deeply"),
        ('{"id": ' + "1" * 5000 + "}", "number that is too long"),
    ],
)
def test_other_texts_are_refused_with_a_remedy(text: str, says: str) -> None:
    with pytest.raises(CredentialFileError) as caught:
        CredentialDocument(text, name="my.json")
    assert says in str(caught.value)
    assert str(caught.value).startswith("my.json")
    assert "SECRET" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_an_unknown_id() -> None:
    document = CredentialDocument("[]")
    for action in (document.get, document.entry, document.remove, lambda number: document.patch(number, {})):
        with pytest.raises(UnknownCredential):
            action(1)
    assert document.stored().get(1) is None


def test_get_is_what_patch_made_of_it() -> None:
    document = CredentialDocument(TWO)
    patched = document.patch(3, {"priority": None, "label": "x"})
    assert patched == document.get(3) == document.stored().get(3)
    assert patched == replace(CredentialDocument(TWO).get(3), priority=0, label="x")


def test_an_entry_can_be_put_back_as_it_was() -> None:
    document = CredentialDocument(TWO)
    entry = document.entry(3)
    assert entry["x-unknown"] == {"deep": [1, 2.5, None]}
    document.remove(3)
    put_back = document.put_back(entry)
    assert (put_back.id, put_back.priority, ids(document)) == (3, 1, [4, 3])
    assert json.loads(document.to_text())[1] == entry
    assert document.changed
    assert document.add(Credential(refresh_token="r5")).id == 5


def test_a_single_object_can_be_put_back() -> None:
    document = CredentialDocument('{"refreshToken": "r", "future": 1}')
    entry = document.entry(1)
    document.remove(1)
    document.put_back(entry)
    assert json.loads(document.to_text()) == [{"id": 1, "refreshToken": "r", "future": 1}]


def test_what_cannot_stand_beside_the_others_is_not_put_back() -> None:
    document = CredentialDocument(TWO)
    entry = document.entry(4)
    for twin in (entry, {**entry, "refreshToken": "another"}, {**entry, "id": 9}):
        with pytest.raises(BadField, match="is the same as in entry 2"):
            document.put_back(twin)
    assert ids(document) == [3, 4]
    assert not document.changed


def test_ids_that_cannot_be_saved_stay_with_their_tokens() -> None:
    """Whoever comes in before them, and whatever ids others have by now."""
    first = CredentialDocument('[{"refreshToken": "a", "priority": 2}, {"refreshToken": "b", "priority": 1}]')
    assert ids(first) == [2, 1]
    text = '[{"refreshToken": "c"}, {"refreshToken": "b"}, {"refreshToken": "a"}]'
    assert ids(CredentialDocument(text)) == [1, 2, 3]
    again = CredentialDocument(text, given=first.given)
    assert ids(again) == [3, 1, 2]
    assert ids(CredentialDocument(text, given=again.given)) == [3, 1, 2]
    taken = '[{"refreshToken": "a"}, {"refreshToken": "d", "id": 2}]'
    assert ids(CredentialDocument(taken, given=again.given)) == [3, 2]
    again.complete_ids()
    assert [entry["id"] for entry in json.loads(again.to_text())] == [3, 1, 2]
