"""Memory and file, merged both ways: tables of what the file said before, what it says now and what memory holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.errors import CredentialFileError, NotFound
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.leases import stop
from kiro_rs_py.upstream.roster import Roster, revive
from kiro_rs_py.upstream.selection import StateName
from kiro_rs_py.upstream.state import State
from tests.upstream.pool_parts import START, WallClock, at, file_of, make_credential, make_entry, token
from tests.upstream.pool_world import STALE, BrokenStore


async def open_roster(*credentials: Credential) -> tuple[Roster, BrokenStore]:
    store = BrokenStore(file_of(*credentials))
    roster = Roster(store, State(), now=WallClock())
    await roster.reload()
    return roster, store


async def test_fields_that_changed_on_disk_are_applied_to_memory(autojump_clock: MockClock) -> None:
    roster, store = await open_roster(make_credential(1))
    store.replace(file_of(make_credential(1, priority=4, label="x", access_token="theirs")))
    await roster.reload()
    entry = roster.get(1)
    assert entry.credential == entry.on_disk == make_credential(1, priority=4, label="x", access_token="theirs")


async def test_a_token_that_could_not_be_saved_survives_edits_of_other_fields(autojump_clock: MockClock) -> None:
    roster, store = await open_roster(make_credential(1))
    entry = roster.get(1)
    store.read_only = True
    renewed = {"access_token": "new", "refresh_token": token("new"), "expires_at": START + timedelta(hours=9)}
    assert not await roster.save(entry, lambda it: replace(it, **renewed), login=entry.credential.fingerprint)  # type: ignore[arg-type]
    store.replace(file_of(make_credential(1, priority=4)))
    await roster.reload()
    assert (entry.credential.priority, entry.credential.refresh_token) == (4, token("new"))
    assert entry.unsaved
    assert roster.need_rescue.is_set()
    store.read_only = False
    assert await roster.save_leftovers()
    assert entry.credential == entry.on_disk == make_credential(1, priority=4, **renewed)
    assert (roster.unsaved_because, roster.need_rescue.is_set()) == (None, False)


async def test_a_new_login_on_disk_wins_over_a_token_that_could_not_be_saved(autojump_clock: MockClock) -> None:
    roster, store = await open_roster(make_credential(1))
    entry = roster.get(1)
    store.read_only = True
    await roster.save(entry, lambda it: replace(it, refresh_token=token("new")), login=entry.credential.fingerprint)
    login = make_credential(1, access_token="login", refresh_token=token("login"))
    store.replace(file_of(login))
    store.read_only = False
    assert await roster.save_leftovers()
    assert entry.credential == login


async def test_trouble_is_told_once_per_reason(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    roster, store = await open_roster(make_credential(1))
    entry = roster.get(1)
    store.read_only = True
    for number in range(3):
        await roster.save(entry, lambda it, n=number: replace(it, label=f"{n}"), login=entry.credential.fingerprint)  # type: ignore[misc]
    assert not await roster.save_leftovers()
    assert caplog.text.count("cannot be saved") == 1


async def test_a_change_for_another_login_is_dropped(autojump_clock: MockClock) -> None:
    roster, store = await open_roster(make_credential(1))
    before = store.text
    assert await roster.save(roster.get(1), lambda it: replace(it, label="x"), login="somebody else's")
    assert store.text == before


@pytest.mark.parametrize("state", ["reauth_required", "invalid_config", "suspended", "cooling", "exhausted"])
@pytest.mark.parametrize(
    ("change", "helps"),
    [({"refresh_token": token("new")}, True), ({"client_secret": "new"}, True), ({"label": "new"}, False)],
)
async def test_what_brings_an_account_back(
    state: StateName, change: dict[str, str], helps: bool, autojump_clock: MockClock
) -> None:
    roster, store = await open_roster(make_credential(1))
    entry = roster.get(1)
    if state in ("cooling", "exhausted"):
        entry.standing = make_entry(1, state, resumes=99).standing
        helps = False  # it ends by itself, and a new token is no reason to press on
    else:
        stop(entry, state, "x", None, at(0))
    store.replace(file_of(make_credential(1, **change)))
    await roster.reload()
    assert entry.standing.state == ("active" if helps else state)


async def test_a_new_token_dispels_doubt(autojump_clock: MockClock) -> None:
    roster, store = await open_roster(make_credential(1))
    roster.get(1).doubt = "suspect"
    doubts = []
    for change in ({"label": "x"}, {"access_token": "new"}):
        store.replace(file_of(make_credential(1, **change)))
        await roster.reload()
        doubts.append(roster.get(1).doubt)
    assert doubts == ["suspect", "none"]


async def test_a_token_that_becomes_unusable_is_noticed(autojump_clock: MockClock) -> None:
    roster, store = await open_roster(make_credential(1))
    store.replace(file_of(make_credential(1, refresh_token="cut...", expires_at=STALE)))
    await roster.reload()
    assert roster.get(1).standing.state == "invalid_config"
    assert "truncated" in roster.get(1).standing.cause


async def test_order_is_that_of_the_file(autojump_clock: MockClock) -> None:
    roster, store = await open_roster(make_credential(1), make_credential(2))
    kept = roster.get(1)
    store.replace(file_of(make_credential(3), make_credential(2), make_credential(1)))
    await roster.reload()
    assert [entry.id for entry in roster.entries] == [3, 2, 1]
    assert roster.get(1) is kept
    with pytest.raises(NotFound):
        roster.get(4)


async def test_an_empty_file_is_fine_while_there_is_no_account(autojump_clock: MockClock) -> None:
    roster, store = await open_roster()
    for text in ("", None, "[]"):
        store.replace(text)
        await roster.reload()
    store.replace(file_of(make_credential(1)))
    await roster.reload()
    store.replace(None)
    with pytest.raises(CredentialFileError, match="gone"):
        await roster.reload()
    store.replace(" ")
    with pytest.raises(CredentialFileError, match="empty"):
        await roster.reload()
    assert [entry.id for entry in roster.entries] == [1]


async def test_one_reader_or_writer_at_a_time(autojump_clock: MockClock) -> None:
    """A slow look at the file that began before a write must not bring the old content back after it."""

    class Slow(BrokenStore):
        async def read(self) -> object:  # type: ignore[override]
            found = await super().read()
            await trio.sleep(5)
            return found

    store = Slow(file_of(make_credential(1)))
    roster = Roster(store, State(), now=WallClock())
    await roster.reload()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(roster.reload)
        await trio.sleep(1)
        await roster.update(lambda document: document.patch(1, {"label": "written"}))
    assert roster.get(1).credential.label == "written"


def test_revive_forgets_everything() -> None:
    entry = make_entry(
        1, "suspended", strikes=3, refusals=2, refresh_failures=4, refresh_not_before=9e9, doubt="suspect"
    )
    revive(entry, at(5))
    assert (entry.standing.state, entry.standing.since) == ("active", at(5).wall)
    assert (entry.strikes, entry.refusals, entry.refresh_failures, entry.refresh_not_before) == (0, 0, 0, 0.0)
    assert entry.doubt == "none"


async def test_an_account_that_is_put_back_is_not_gone(autojump_clock: MockClock) -> None:
    roster, _ = await open_roster(make_credential(1), make_credential(2))
    entry = await roster.update(lambda document: document.entry(1))
    await roster.update(lambda document: document.remove(1))
    assert roster.gone == {1}
    await roster.update(lambda document: document.put_back(entry))
    assert roster.gone == set()
    assert roster.get(1).credential == make_credential(1)
