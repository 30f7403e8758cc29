"""A change that cannot be written is none (operations §5.3, last row; §5.8)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.admin.accounts import MOST_REMOVED
from kiro_rs_py.simulator.app import Simulator
from tests.serve.admin.estate import Estate, code_of, open_estate


def block_the_lock(estate: Estate) -> None:
    """The lock cannot be opened: there is a folder in its place."""
    lock = estate.path.with_name("credentials.json.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()


def lose_the_folder(estate: Estate) -> None:
    """The folder is a file now."""
    folder = estate.path.parent
    folder.rename(folder.with_name("away"))
    folder.touch()


WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "credentials/1", {"label": "new", "priority": 3, "disabled": True}),
    ("DELETE", "credentials/2", None),
    ("DELETE", "credentials/1?force=1", None),
    ("POST", "credentials/1/disabled", {"disabled": True}),
    ("POST", "credentials/2/disabled", {"disabled": False}),
    ("POST", "credentials/1/priority", {"priority": 1}),
    ("POST", "credentials/2/reset", None),
    ("POST", "credentials/batch", {"ids": [1, 2], "action": "disable"}),
    ("POST", "credentials/batch", {"ids": [1, 2], "action": "enable"}),
    ("POST", "credentials/batch", {"ids": [1, 2], "action": "reset"}),
    ("POST", "credentials/batch", {"ids": [2], "action": "delete"}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("break_disk", [block_the_lock, lose_the_folder])
async def test_a_failed_write_changes_nothing(
    tmp_path: Path, break_disk: Callable[[Estate], None], method: str, path: str, body: Any
) -> None:
    def entries(simulator: Simulator) -> list[JsonObject]:
        return [simulator.credential_json(), simulator.credential_json("builder", disabled=True)]

    folder = tmp_path / "home"
    folder.mkdir()
    async with open_estate(folder, credentials=entries) as estate:
        before = await estate.listed()
        break_disk(estate)
        answer = await estate.client.request(method, path, json=body)
        assert code_of(answer) == (500, "internal_error", "persist_failed")
        assert await estate.listed() == before
        assert code_of(await estate.post("credentials/2/restore"))[0] == 404  # nothing was taken out


@pytest.mark.parametrize("break_disk", [block_the_lock, lose_the_folder])
async def test_an_account_that_cannot_be_stored_is_not_even_tried(
    tmp_path: Path, break_disk: Callable[[Estate], None]
) -> None:
    """Its refresh token would be spent for nothing (operations §5.6)."""
    folder = tmp_path / "home"
    folder.mkdir()
    async with open_estate(folder) as estate:
        token = estate.simulator.credential_json()["refreshToken"]
        before = await estate.listed()
        break_disk(estate)
        answer = await estate.post("credentials", {"refreshToken": token})
        assert code_of(answer) == (500, "internal_error", "persist_failed")
        assert not estate.simulator.grants.refreshes
        assert await estate.listed() == before


async def test_the_mode_that_cannot_be_remembered_is_not_taken(estate: Estate) -> None:
    lock = estate.path.with_name(".credentials.state.toml.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    answer = await estate.client.put("config/load-balancing", json={"mode": "balanced"})
    assert code_of(answer) == (500, "internal_error", "persist_failed")
    assert (await estate.client.get("config/load-balancing")).json() == {"mode": "priority"}


async def test_an_account_that_somebody_else_removed_meanwhile(estate: Estate) -> None:
    estate.path.write_text("[]")
    for answer in (
        await estate.client.patch("credentials/1", json={"label": "x"}),
        await estate.client.delete("credentials/1?force=1"),
        await estate.post("credentials/1/disabled", {"disabled": True}),
    ):
        assert code_of(answer) == (404, "not_found", "credential_not_found")


async def test_the_list_keeps_the_file_s_order_among_equals(tmp_path: Path) -> None:
    def entries(simulator: Simulator) -> list[JsonObject]:
        return [{"id": number, "kiroApiKey": f"ksk_{number}", "priority": number % 2} for number in range(1, 5)]

    async with open_estate(tmp_path, credentials=entries) as estate:
        assert list(await estate.listed()) == [2, 4, 1, 3]


async def test_the_tokens_of_deleted_accounts_are_forgotten(estate: Estate) -> None:
    accounts = estate.admin._accounts
    await accounts.delete(1, force=True)
    assert accounts._removed
    accounts.purge()
    assert accounts._removed
    estate.clocks.advance(31)
    accounts.purge()
    assert not accounts._removed


async def test_the_deleted_accounts_that_can_be_restored_have_a_bound(tmp_path: Path) -> None:
    def entries(simulator: Simulator) -> list[JsonObject]:
        return [{"id": number, "kiroApiKey": f"ksk_simulated_{number}"} for number in range(1, MOST_REMOVED + 6)]

    async with open_estate(tmp_path, credentials=entries) as estate:
        accounts = estate.admin._accounts
        ids = range(1, MOST_REMOVED + 6)
        await accounts.act(ids, "disable")
        await accounts.act(ids, "delete")
        # The oldest give way, and the newest can still be put back.
        assert list(accounts._removed) == list(range(6, MOST_REMOVED + 6))
        await accounts.restore(MOST_REMOVED + 5)
        assert [entry["id"] for entry in estate.file()] == [MOST_REMOVED + 5]


async def test_an_order_that_cannot_be_written_is_not_taken(estate: Estate) -> None:
    before = await estate.listed()
    block_the_lock(estate)
    answer = await estate.post("credentials/priorities", {"priorities": [{"id": 1, "priority": 7}]})
    assert code_of(answer) == (500, "internal_error", "persist_failed")
    assert await estate.listed() == before
