"""StateStore: what is remembered about accounts, and how little can break it."""

from __future__ import annotations

import json
import stat
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.convert.calibration import Calibration
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.native_thinking import NativeThinking
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.locks import FileLock
from kiro_rs_py.upstream.state import (
    SAVE_SECONDS,
    AccountRecord,
    CachedBalance,
    ListedModels,
    SavedStanding,
    State,
    StateStore,
    open_calibrations,
)
from tests.upstream.memory import MemoryStateStore

NOW = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "credentials.state.toml"


def fill(state: State) -> None:
    state.load_balancing_mode = "balanced"
    state.add_uses(3, 2, 1, NOW)
    state.accounts[-1] = AccountRecord(
        standing=SavedStanding("exhausted", "No credits.", NOW, NOW + timedelta(days=3), "f" * 64)
    )
    state.accounts[4] = AccountRecord(standing=SavedStanding("suspended", "Locked.", NOW))
    state.balances[3] = CachedBalance(NOW, {"used": 1.5, "nextReset": None})
    native = NativeThinking("output_config", ("low", "high"), "high")
    state.models[3] = ListedModels(NOW, (DiscoveredModel("claude-opus-4.8", "Opus", 1_000_000, native=native),))
    state.calibrations["claude-opus-4.8"] = Calibration().learnt(10_000, 13_000)


async def test_what_is_written_reads_back_the_same(path: Path) -> None:
    written = await StateStore(path).update(fill)
    again = await StateStore(path).read()
    assert again == written
    assert again.record(3) == AccountRecord(2, 1, NOW)
    assert again.record(99) == AccountRecord()
    assert again.balances[3].data == {"used": 1.5, "nextReset": None}
    again.forget(3)
    assert 3 not in again.accounts
    assert 3 not in again.balances
    assert 3 not in again.models
    assert again.calibrations["claude-opus-4.8"].samples == 1


def test_damaged_parts_are_left_out(path: Path) -> None:
    path.write_text(
        """
        calibrations = {"a" = {samples = -1}, "b" = {samples = 1, strays = 0, sums = [1, 1, 1, 1, 1]}}
        [models]
        x = {}
        1 = {listed_at = "yesterday", data = "{}"}
        2 = {listed_at = 2026-02-13T10:00:00Z, data = "["}
        3 = {listed_at = 2026-02-13T10:00:00Z, data = '{"models": [5, {"modelId": "auto"}]}'}
        """
    )
    state = StateStore(path).load()
    assert state.models == {3: ListedModels(NOW, (DiscoveredModel("auto"),))}
    assert list(state.calibrations) == ["b"]
    path.write_text("calibrations = 5\nmodels = []")
    assert StateStore(path).load().calibrations == {}


def test_the_file_lies_beside_the_credentials_and_is_private(tmp_path: Path) -> None:
    store = StateStore.beside(tmp_path / "new" / "credentials.json")
    store.update_now(fill)
    assert store.path == tmp_path / "new" / "credentials.state.toml"
    assert tomllib.loads(store.path.read_text())["accounts"]["3"]["success_count"] == 2
    if sys.platform != "win32":
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_two_writers_add_up(path: Path) -> None:
    first, second = StateStore(path), StateStore(path)
    first.load(), second.load()
    first.update_now(lambda state: state.add_uses(1, 2, 0, NOW))
    second.update_now(lambda state: state.add_uses(1, 3, 1, NOW - timedelta(hours=1)))
    assert first.load().record(1) == AccountRecord(5, 1, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "not = [toml",
        "load_balancing_mode = 'fastest'\naccounts = 3\nbalances = []",
        "[accounts.x]\nsuccess_count = 1\n[accounts.'²']\nsuccess_count = 1",
        "[accounts]\n1 = 'text'",
        "[accounts.1]\nsuccess_count = -4\nfailure_count = true\nlast_used_at = 'yesterday'\nstate = 'suspended'",
        "[accounts.1]\nstate = 7\nsince = 2026-02-13T10:00:00Z",
        "[balances.1]\ncached_at = 2026-02-13T10:00:00Z\ndata = '{broken'\n[balances.2]\ndata = '{}'",
        "[balances.1]\ncached_at = 2026-02-13T10:00:00Z\ndata = '[]'",
    ],
)
def test_nonsense_is_empty(path: Path, text: str) -> None:
    path.write_text(text)
    state = StateStore(path).load()
    assert state.load_balancing_mode is None
    assert [record for record in state.accounts.values() if record != AccountRecord()] == []
    assert state.balances == {}


def test_times_without_a_zone_and_texts_of_the_wrong_kind(path: Path) -> None:
    path.write_text("[accounts.1]\nlast_used_at = 2026-02-13T10:00:00\nstate = 's'\nsince = 2026-02-13T10:00:00Z\n"
                    "cause = 1\nfingerprint = 2\nuntil = 3\n")  # fmt: skip
    assert StateStore(path).load().record(1) == AccountRecord(last_used_at=NOW, standing=SavedStanding("s", "", NOW))


def test_a_damaged_file_is_replaced_by_its_backup(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = StateStore(path)
    store.update_now(fill)
    store.update_now(lambda state: state.add_uses(3, 1, 0, NOW))
    path.write_bytes(b"\xff\xfe")
    assert store.load().record(3).success_count == 2
    assert "cannot be read" in caplog.text


def test_a_file_that_cannot_be_written(path: Path) -> None:
    path.touch()
    with pytest.raises(CredentialFileError, match="cannot be written"):
        StateStore(path / "below-a-file.toml").update_now(fill)


def test_a_file_that_is_locked(path: Path) -> None:
    held = FileLock(path.with_name(f".{path.name}.lock"))
    assert held.try_acquire()
    store = StateStore(path, lock_seconds=0.0)
    with pytest.raises(CredentialFileError, match="locked by another process"):
        store.update_now(fill)
    held.release()
    store.update_now(fill)


def test_the_counters_of_kiro_rs_are_taken_over_once(path: Path) -> None:
    theirs = {"1": {"success_count": 7, "last_used_at": "2026-02-13T10:00:00.123456789+00:00"},
              "2": {"success_count": "x", "last_used_at": None}, "x": {}, "3": 5}  # fmt: skip
    path.with_name("kiro_stats.json").write_text(json.dumps(theirs))
    store = StateStore(path)
    used_at = NOW.replace(microsecond=123456)
    assert store.load().record(1) == AccountRecord(7, 0, used_at)
    assert store.load().record(1).success_count == 7
    store.update_now(lambda state: state.add_uses(1, 1, 0, NOW))
    assert store.load().record(1) == AccountRecord(8, 0, used_at)


def test_counters_that_cannot_be_read_are_left(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.with_name("kiro_stats.json").write_text("{broken")
    assert StateStore(path).load() == State(statistics_imported=True)
    assert "not taken over" in caplog.text


async def test_what_was_learnt_is_known_again(tmp_path: Path) -> None:
    state = StateStore(tmp_path / "state.toml")
    async with open_calibrations(state) as calibrations:
        calibrations.learn("auto", 10_000, 13_000)
    async with open_calibrations(StateStore(state.path)) as calibrations:
        assert calibrations.of("auto") == Calibration().learnt(10_000, 13_000)
        assert calibrations.changed == set()


async def test_it_is_saved_now_and_then_and_only_what_is_new(autojump_clock: MockClock) -> None:
    state = MemoryStateStore()
    async with open_calibrations(state) as calibrations:
        calibrations.learn("auto", 10_000, 13_000)
        await trio.sleep(SAVE_SECONDS + 1)
        assert list((await state.read()).calibrations) == ["auto"]
        # Another process on the same file.
        (await state.read()).calibrations["auto"] = Calibration()
        calibrations.learn("glm-5", 10_000, 13_000)
    assert (await state.read()).calibrations == {
        "auto": Calibration(),
        "glm-5": Calibration().learnt(10_000, 13_000),
    }


async def test_what_cannot_be_saved_is_tried_again(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    state = MemoryStateStore()
    state.full = True
    async with open_calibrations(state) as calibrations:
        calibrations.learn("auto", 10_000, 13_000)
        await trio.sleep(SAVE_SECONDS + 1)
        assert calibrations.changed == {"auto"}
        assert "The disk is full." in caplog.text
        state.full = False
    assert list((await state.read()).calibrations) == ["auto"]
