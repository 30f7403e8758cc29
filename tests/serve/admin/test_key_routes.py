"""``/api/admin/keys`` over real sockets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.serve.client_keys import MOST_KEYS, new_client_key
from kiro_rs_py.serve.key_file import KeyFile
from tests.serve.admin.estate import ADMIN_KEY, Estate, code_of, open_estate, sign_in


async def create(estate: Estate, **members: Any) -> dict[str, Any]:
    """The body of the answer to a creation."""
    answer = await estate.post("keys", {"name": "laptop", **members})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def listed(estate: Estate) -> list[dict[str, Any]]:
    body = (await estate.client.get("keys")).json()
    assert body["configured"] == {"present": True}
    return list(body["keys"])


async def test_create_list_change_delete(estate: Estate) -> None:
    assert await listed(estate) == []
    body = await create(estate, name="laptop", expiresAt="2100-01-31T13:00:00+01:00", models=["m", "n", "m"])
    entry = body["key"]
    assert body["secret"].startswith(entry["prefix"])
    assert entry == {
        "id": entry["id"],
        "name": "laptop",
        "prefix": body["secret"][:12],
        "enabled": True,
        "createdAt": entry["createdAt"],
        "expiresAt": "2100-01-31T12:00:00+00:00",
        "lastUsedAt": None,
        "requests": 0,
        "models": ["m", "n"],
        "state": "active",
    }
    answer = await estate.client.get("keys")
    assert answer.json()["keys"] == [entry]
    assert body["secret"] not in answer.text

    path = f"keys/{entry['id']}"
    changes = {"name": "phone", "enabled": False, "expiresAt": None, "models": None}
    answer = await estate.client.patch(path, json=changes)
    assert (answer.status_code, answer.json()) == (200, {"key": {**entry, **changes, "state": "disabled"}})
    assert await listed(estate) == [answer.json()["key"]]
    answer = await estate.client.patch(path, json={"enabled": True})
    assert answer.json()["key"]["state"] == "active"

    answer = await estate.client.delete(path)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert await listed(estate) == []
    for gone in (await estate.client.delete(path), await estate.client.patch(path, json={"enabled": True})):
        assert code_of(gone) == (404, "not_found", "key_not_found")


async def test_a_key_expires_by_itself(estate: Estate) -> None:
    soon = (estate.clocks.now().replace(year=estate.clocks.now().year + 1)).isoformat()
    await create(estate, expiresAt=soon)
    estate.clocks.advance(2 * 366 * 86400)
    assert [key["state"] for key in await listed(estate)] == ["expired"]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\u200bb"}, "name"),
        ({"name": "n", "expiresAt": "tomorrow"}, "expiresAt"),
        ({"name": "n", "expiresAt": "2100-01-31T13:00:00"}, "expiresAt"),
        ({"name": "n", "expiresAt": "0001-01-01T00:00:00+23:00"}, "expiresAt"),
        ({"name": "n", "expiresAt": 4102444800}, "expiresAt"),
        ({"name": "n", "expiresAt": "2001-01-31T13:00:00Z"}, "expiresAt"),
        ({"name": "n", "models": "m"}, "models"),
        ({"name": "n", "models": []}, "models"),
        ({"name": "n", "models": [""]}, "models"),
        ({"name": "n", "models": [1]}, "models"),
        ({"name": "n", "models": ["m\n"] * 51}, "models"),
        ({"name": "n", "model": ["m"]}, "model"),
    ],
)
async def test_what_is_wrong_is_named(estate: Estate, members: dict[str, Any], field: str) -> None:
    answer = await estate.post("keys", members)
    assert code_of(answer) == (400, "invalid_request", "invalid_field")
    assert answer.json()["error"]["field"] == field
    assert await listed(estate) == []


async def test_a_change_is_checked_too(estate: Estate) -> None:
    entry = (await create(estate))["key"]
    wrong: list[dict[str, Any]] = [{"name": ""}, {"enabled": "no"}, {"requests": 0}, {"models": []}]
    for members in wrong:
        answer = await estate.client.patch(f"keys/{entry['id']}", json=members)
        assert code_of(answer)[0] == 400
    past = await estate.client.patch(f"keys/{entry['id']}", json={"expiresAt": "2001-01-31T13:00:00Z"})
    assert past.json()["key"]["state"] == "expired"


async def test_there_is_a_limit(estate: Estate) -> None:
    made = [new_client_key(f"key {number}", estate.clocks.now())[0] for number in range(MOST_KEYS)]
    KeyFile.beside(estate.path).update(lambda keys: keys.update({key.id: key for key in made}))
    assert code_of(await estate.post("keys", {"name": "one more"}))[2] == "too_many_keys"


async def test_what_cannot_be_written_is_not_done(estate: Estate) -> None:
    entry = (await create(estate))["key"]
    file = KeyFile.beside(estate.path).path
    file.write_text("damaged")
    path = f"keys/{entry['id']}"
    for answer in (
        await estate.post("keys", {"name": "phone"}),
        await estate.client.patch(path, json={"enabled": False}),
        await estate.client.delete(path),
    ):
        assert code_of(answer) == (500, "internal_error", "persist_failed")
        assert "secret" not in answer.json()
    assert file.read_text() == "damaged"
    assert [key["state"] for key in await listed(estate)] == ["active"]


async def test_writes_need_the_token_and_are_in_the_audit(estate: Estate) -> None:
    async with estate.browser() as browser:
        token = await sign_in(browser)
        assert code_of(await browser.post("/api/admin/keys", json={"name": "n"}))[2] == "csrf"
        made = (await browser.post("/api/admin/keys", json={"name": "n"}, headers=token)).json()
        path = f"/api/admin/keys/{made['key']['id']}"
        assert code_of(await browser.delete(path))[2] == "csrf"
        await browser.patch(path, json={"name": "m"}, headers=token)
        await browser.delete(path, headers=token)
    entries = (await estate.client.get("audit")).json()["audit"]
    done = [entry["action"] for entry in entries if entry["action"].startswith("key.") and entry["outcome"] == "done"]
    assert done == ["key.delete", "key.edit", "key.create"]
    assert made["secret"] not in json.dumps(entries)


async def test_a_created_key_is_no_admin_key(estate: Estate) -> None:
    secret = (await create(estate))["secret"]
    answer = await estate.visitor.get("/api/admin/keys", headers={"x-api-key": secret})
    assert code_of(answer) == (401, "authentication_error", "wrong_key")


async def test_without_an_admin_key_there_is_no_such_route(tmp_path: Path) -> None:
    async with open_estate(tmp_path, admin_api_key="") as estate:
        answer = await estate.visitor.get("/api/admin/keys", headers={"x-api-key": ADMIN_KEY})
        assert answer.status_code == 404
