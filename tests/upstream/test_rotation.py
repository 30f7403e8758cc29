"""Refreshing: one flight for all askers, saved before anybody is woken, no token lost and none used twice.

Time jumps here, so there are no threads and no sockets: the store is the one in memory, the token service a fake that
rotates. Real files and processes are in test_races.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from kiro_rs_py.errors import ConfigError, CredentialFileError, NoUsableCredential, RefreshFailed, RefreshRejected
from kiro_rs_py.upstream.credential import Credential, TokenGrant
from kiro_rs_py.upstream.pool import CredentialPool
from kiro_rs_py.upstream.store import RefreshTurn
from tests.upstream.pool_parts import HOUR, START, entries_in, file_of, make_credential, token
from tests.upstream.pool_world import STALE, BrokenStore, World


async def test_a_fresh_token_costs_no_call(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        lease = await pool.lease("m")
    assert lease.credential == make_credential(1)
    assert world.service.calls == []


async def test_a_stale_token_is_refreshed_and_saved_before_it_is_lent(autojump_clock: MockClock) -> None:
    world = World()
    async with world.open() as pool:
        lease = await pool.lease("m")
        assert lease.credential.access_token == "aoa-1.1"
        assert world.saved() == token("1.1") == lease.credential.refresh_token
        assert lease.credential.expires_at == START + HOUR
        # The id derived from the first token stays this account's own.
        assert lease.credential.machine_id == make_credential(1).effective_machine_id()
    assert world.service.calls == [1]


async def test_ten_askers_share_one_flight(autojump_clock: MockClock) -> None:
    world = World()
    tokens: list[str | None] = []

    async def ask(pool: CredentialPool) -> None:
        tokens.append((await pool.lease("m")).credential.access_token)

    async with world.open() as pool, trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask, pool)
    assert tokens == ["aoa-1.1"] * 10
    assert world.service.calls == [1]


async def test_accounts_do_not_wait_for_each_other(autojump_clock: MockClock) -> None:
    world = World(
        make_credential(1, expires_at=STALE), make_credential(2, expires_at=STALE), load_balancing_mode="balanced"
    )
    world.service.gate = trio.Event()
    async with world.open() as pool, trio.open_nursery() as nursery:
        nursery.start_soon(pool.lease, "m")
        nursery.start_soon(pool.lease, "m")
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(world.service.calls) == [1, 2]
        world.service.gate.set()


async def test_an_asker_that_hangs_up_in_mid_refresh_loses_nothing(autojump_clock: MockClock) -> None:
    world = World()
    world.service.gate = trio.Event()
    async with world.open() as pool:
        with trio.move_on_after(1) as asker:
            await pool.lease("m")
        assert asker.cancelled_caught
        assert world.service.calls == [1]
        world.service.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert world.saved() == token("1.1")
        assert pool.snapshot()[0].in_flight == 0
        assert (await pool.lease("m")).credential.access_token == "aoa-1.1"
    assert world.service.calls == [1]


async def test_a_refresh_under_way_is_brought_to_its_end_when_the_pool_closes(autojump_clock: MockClock) -> None:
    world = World()
    world.service.gate = trio.Event()

    async def answer_later(gate: trio.Event) -> None:
        await trio.sleep(10)
        gate.set()

    async with trio.open_nursery() as nursery, world.open() as pool:
        nursery.start_soon(answer_later, world.service.gate)
        with trio.move_on_after(1):
            await pool.lease("m")
    assert world.saved() == token("1.1")


async def test_a_service_that_never_answers_is_given_up(autojump_clock: MockClock) -> None:
    world = World()
    world.service.gate = trio.Event()
    async with world.open() as pool:
        start = trio.current_time()
        with pytest.raises(NoUsableCredential) as caught:
            await pool.lease("m")
        assert trio.current_time() - start == 30
        assert isinstance(caught.value.cause, RefreshFailed)
        assert caught.value.retry_after is not None
        assert pool.snapshot()[0].state == "cooling"


async def test_an_asker_in_a_hurry_when_the_pool_closes_is_told(autojump_clock: MockClock) -> None:
    world = World()
    world.store.busy = True
    seen: list[BaseException] = []

    async def ask(pool: CredentialPool) -> None:
        try:
            await pool.force_refresh(1)
        except RefreshFailed as error:
            seen.append(error)

    async with trio.open_nursery() as nursery, world.open() as pool:
        nursery.start_soon(ask, pool)
        await trio.testing.wait_all_tasks_blocked()
    assert [str(error) for error in seen] == ["The proxy is stopping."]


# --- other processes --------------------------------------------------------------------------------------------


async def test_a_newer_token_on_disk_is_taken_over_without_a_call(autojump_clock: MockClock) -> None:
    world = World()
    async with world.open(background=False) as pool:
        theirs = make_credential(1, access_token="aoa-theirs", refresh_token=token("theirs"))
        world.store.replace(file_of(theirs))
        lease = await pool.lease("m")
        assert lease.credential == theirs
    assert world.service.calls == []


async def test_another_process_holds_the_lock_for_too_long(autojump_clock: MockClock) -> None:
    world = World()
    world.store.busy = True
    async with world.open() as pool:
        start = trio.current_time()
        with pytest.raises(NoUsableCredential) as caught:
            await pool.lease("m")
        assert trio.current_time() - start == 20
        assert caught.value.retry_after == 2.0
        assert "Another process" in str(caught.value)
    assert world.service.calls == []


async def test_another_process_holds_the_lock_while_the_old_token_is_valid(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=START + timedelta(minutes=5)))
    world.store.busy = True
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.access_token == "aoa-1.0"
        assert pool.snapshot()[0].state == "active"


async def test_another_process_finished_while_this_one_waited_for_the_lock(autojump_clock: MockClock) -> None:
    world = World()
    world.store.busy = True
    theirs = make_credential(1, access_token="aoa-theirs", refresh_token=token("theirs"), expires_at=START + 2 * HOUR)

    async def finish() -> None:
        await trio.sleep(5)
        world.store.replace(file_of(theirs))

    async with world.open(background=False) as pool, trio.open_nursery() as nursery:
        nursery.start_soon(finish)
        assert (await pool.lease("m")).credential == theirs
    assert world.service.calls == []


async def test_invalid_grant_but_the_disk_has_another_token_now(autojump_clock: MockClock) -> None:
    """A program without our locks has rotated it: look once more, and use that."""
    world = World()
    theirs = make_credential(1, access_token="old", refresh_token=token("theirs"), expires_at=STALE)
    world.service.live[theirs.refresh_token] = 1
    world.service.plans = [RefreshRejected("invalid_grant")]
    world.service.before_answer = lambda: (
        world.store.replace(file_of(theirs)) if len(world.service.calls) == 1 else None
    )
    async with world.open() as pool:
        lease = await pool.lease("m")
        assert lease.credential.access_token == "aoa-1.2"
    assert world.service.calls == [1, 1]
    assert world.service.reuses == 0


async def test_invalid_grant_but_the_disk_has_a_fresh_token_now(autojump_clock: MockClock) -> None:
    world = World()
    theirs = make_credential(1, access_token="theirs", refresh_token=token("theirs"))
    world.service.plans = [RefreshRejected("invalid_grant")]
    world.service.before_answer = lambda: world.store.replace(file_of(theirs))
    async with world.open() as pool:
        assert (await pool.lease("m")).credential == theirs
    assert world.service.calls == [1]


async def test_invalid_grant_means_a_new_login_and_is_not_asked_again(autojump_clock: MockClock) -> None:
    world = World()
    world.service.dead.add(1)
    async with world.open() as pool:
        for _ in range(3):
            with pytest.raises(NoUsableCredential) as caught:
                await pool.lease("m")
            assert isinstance(caught.value.cause, RefreshRejected)
            assert caught.value.retry_after is None
        assert world.service.calls == [1]
        assert pool.snapshot()[0].state == "reauth_required"
        # Logging in again, in whatever program, is enough.
        world.store.replace(file_of(make_credential(1, access_token="new", refresh_token=token("new"))))
        await trio.sleep(4)
        assert (await pool.lease("m")).credential.access_token == "new"


async def test_two_rejections_in_a_row(autojump_clock: MockClock) -> None:
    world = World()
    theirs = make_credential(1, refresh_token=token("theirs"), expires_at=STALE)
    world.service.plans = [RefreshRejected("invalid_grant"), RefreshRejected("invalid_grant")]
    world.service.before_answer = lambda: world.store.replace(file_of(theirs))
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential):
            await pool.lease("m")
    assert world.service.calls == [1, 1]


async def test_somebody_logs_in_while_the_old_login_is_refreshed(autojump_clock: MockClock) -> None:
    """The new login wins; the answer for the old one is not written over it."""
    world = World()
    login = make_credential(1, access_token="new", refresh_token=token("new-login"), expires_at=START + 2 * HOUR)
    world.service.before_answer = lambda: world.store.replace(file_of(login))
    async with world.open(background=False) as pool:
        assert (await pool.lease("m")).credential == login
    assert world.saved() == token("new-login")


async def test_somebody_logs_in_and_the_watcher_sees_it_first(autojump_clock: MockClock) -> None:
    world = World()
    world.service.gate = trio.Event()
    login = make_credential(1, access_token="new", refresh_token=token("new-login"), expires_at=START + 2 * HOUR)
    async with world.open() as pool, trio.open_nursery() as nursery:
        nursery.start_soon(pool.force_refresh, 1)
        await trio.testing.wait_all_tasks_blocked()
        world.store.replace(file_of(login))
        await pool.reload()
        world.service.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert pool.credential(1) == login
    assert world.saved() == token("new-login")


async def test_an_edit_during_a_refresh_survives_it(autojump_clock: MockClock) -> None:
    world = World()

    def edit() -> None:
        entries = json.loads(world.store.text or "")
        world.store.replace(json.dumps([{**entries[0], "priority": 7, "mine": "x"}]))

    world.service.before_answer = edit
    async with world.open(background=False) as pool:
        lease = await pool.lease("m")
        assert (lease.credential.priority, lease.credential.access_token) == (7, "aoa-1.1")
    entry = entries_in(world.store.text)[1]
    assert (entry["priority"], entry["mine"], entry["refreshToken"]) == (7, "x", token("1.1"))


async def test_an_account_that_is_removed_during_its_refresh_stays_removed(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=STALE), make_credential(2))
    world.service.before_answer = lambda: world.store.replace(file_of(make_credential(2)))
    async with world.open(background=False) as pool:
        assert (await pool.lease("m")).credential.id == 2
        assert [status.id for status in pool.snapshot()] == [2]
    assert list(entries_in(world.store.text)) == [2]


# --- trouble ----------------------------------------------------------------------------------------------------


async def test_an_answer_that_got_lost_is_asked_for_once_more(autojump_clock: MockClock) -> None:
    world = World()
    world.service.plans = [RefreshFailed("connection reset")]
    async with world.open() as pool:
        start = trio.current_time()
        assert (await pool.lease("m")).credential.access_token == "aoa-1.2"
        assert trio.current_time() - start == 1.0
    assert world.service.calls == [1, 1]


async def test_the_disk_is_looked_at_before_asking_once_more(autojump_clock: MockClock) -> None:
    world = World()
    theirs = make_credential(1, access_token="theirs", refresh_token=token("theirs"))
    world.service.plans = [RefreshFailed("connection reset")]
    world.service.before_answer = lambda: world.store.replace(file_of(theirs))
    async with world.open() as pool:
        assert (await pool.lease("m")).credential == theirs
    assert world.service.calls == [1]


async def test_a_service_that_asks_for_a_pause_gets_it(autojump_clock: MockClock) -> None:
    world = World()
    world.service.plans = [RefreshFailed("too many", retry_after=45.0)]
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential) as caught:
            await pool.lease("m")
        assert caught.value.retry_after == 45.0
        assert world.service.calls == [1]
        with pytest.raises(NoUsableCredential):
            await pool.lease("m")
        assert world.service.calls == [1]
        await trio.sleep(45)
        assert (await pool.lease("m")).credential.access_token == "aoa-1.2"
        assert pool.snapshot()[0].state == "active"


async def test_while_the_old_token_is_valid_trouble_is_not_the_askers(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=START + timedelta(minutes=5)))
    world.service.plans = [RefreshFailed("down", retry_after=None)] * 4
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.access_token == "aoa-1.0"
        assert world.service.calls == [1, 1]
        assert pool.snapshot()[0].failures_in_a_row == 1
        # Not with every request: after a pause that grows.
        assert (await pool.lease("m")).credential.access_token == "aoa-1.0"
        assert world.service.calls == [1, 1]
        await trio.sleep(5)
        await pool.lease("m")
        assert world.service.calls == [1] * 4
        await trio.sleep(5)
        await pool.lease("m")
        assert world.service.calls == [1] * 4
        await trio.sleep(5)
        assert (await pool.lease("m")).credential.access_token == "aoa-1.5"
        assert pool.snapshot()[0].failures_in_a_row == 0


async def test_a_refresh_that_is_forced_and_fails_does_not_spoil_a_valid_token(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    world.service.plans = [RefreshFailed("down", retry_after=9.0)]
    async with world.open() as pool:
        with pytest.raises(RefreshFailed):
            await pool.force_refresh(1)
        assert pool.snapshot()[0].state == "active"
        assert (await pool.lease("m")).credential.access_token == "aoa-1.0"


@pytest.mark.parametrize(
    ("credential", "says"),
    [
        (make_credential(1, expires_at=STALE, refresh_token="short"), "truncated"),
        (make_credential(1, expires_at=STALE, refresh_token=None), "missing"),
        (make_credential(1, expires_at=STALE, auth_method="idc"), "clientSecret"),
    ],
)
async def test_a_token_that_cannot_be_refreshed_is_not_sent(
    autojump_clock: MockClock, credential: Credential, says: str
) -> None:
    world = World(credential)
    async with world.open() as pool:
        assert pool.snapshot()[0].state == "invalid_config"
        with pytest.raises(NoUsableCredential, match=says):
            await pool.lease("m")
        with pytest.raises(RefreshRejected, match=says):
            await pool.force_refresh(1)
    assert world.service.calls == []


async def test_it_is_used_as_long_as_its_access_token_is_valid(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, refresh_token="short", expires_at=START + timedelta(minutes=30)))
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.access_token == "aoa-1.0"
        await trio.sleep(21 * 60)
        with pytest.raises(NoUsableCredential, match="truncated"):
            await pool.lease("m")
        assert pool.snapshot()[0].state == "invalid_config"


async def test_a_proxy_that_cannot_be_used(autojump_clock: MockClock) -> None:
    world = World()
    world.service.plans = [ConfigError(["proxyUrl: ftp is not supported."])]
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential, match="ftp is not supported"):
            await pool.lease("m")
        assert pool.snapshot()[0].state == "invalid_config"


async def test_a_bug_in_one_refresh_does_not_end_the_pool(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.service.plans = [ZeroDivisionError()]
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential):
            await pool.lease("m")
        assert "unforeseen" in caplog.text
        await trio.sleep(60)
        assert (await pool.lease("m")).credential.access_token == "aoa-1.2"


# --- odd answers ------------------------------------------------------------------------------------------------


async def test_an_answer_without_an_access_token_is_stored_before_it_is_judged(autojump_clock: MockClock) -> None:
    world = World()
    world.service.plans = [TokenGrant("", token("only"))]
    world.service.live[token("only")] = 1
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential):
            await pool.lease("m")
        assert world.saved() == token("only")
        await trio.sleep(60)
        assert (await pool.lease("m")).credential.access_token == "aoa-1.2"


@pytest.mark.parametrize("expires_in", [-1, 0])
async def test_a_token_that_is_over_at_once_is_stored_and_used(autojump_clock: MockClock, expires_in: float) -> None:
    world = World()
    world.service.expires_in = expires_in
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.access_token == "aoa-1.1"
    assert world.saved() == token("1.1")


async def test_an_answer_without_a_lifetime_counts_as_an_hour(autojump_clock: MockClock) -> None:
    world = World()
    world.service.expires_in = None
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.expires_at == START + HOUR
        assert (await pool.lease("m")).credential.access_token == "aoa-1.1"


async def test_tokens_shorter_than_the_margin_are_not_refreshed_with_every_request(autojump_clock: MockClock) -> None:
    world = World()
    world.service.expires_in = 300
    async with world.open() as pool:
        for _ in range(3):
            assert (await pool.lease("m")).credential.access_token == "aoa-1.1"
        await trio.sleep(151)
        assert (await pool.lease("m")).credential.access_token == "aoa-1.2"


async def test_a_service_that_does_not_rotate(autojump_clock: MockClock) -> None:
    world = World()
    world.service.plans = [TokenGrant("aoa-same", None, 3600)] * 2
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.access_token == "aoa-same"
        await trio.sleep(3600)
        await pool.lease("m")
    assert world.saved() == token("1.0")


# --- clocks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "says"), [(10, "10 minutes ahead of"), (-10, "10 minutes behind"), (2, None)])
async def test_a_wrong_clock_is_loud_and_harmless(
    autojump_clock: MockClock, minutes: int, says: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.clock.offset = timedelta(minutes=minutes)
    grants = [TokenGrant("a1", token("a"), 3600, clock_skew=60.0 * minutes)] * 2
    world.service.plans = [*grants]
    async with world.open() as pool:
        lease = await pool.lease("m")
        assert lease.credential.expires_at == START + timedelta(minutes=60 + minutes)
        assert pool.clock_skew == 60.0 * minutes
        await trio.sleep(3600)
        await pool.lease("m")
    loud = [record.message for record in caplog.records if "clock" in record.message]
    assert len(loud) == (0 if says is None else 1)
    assert says is None or says in loud[0]


# --- a disk that cannot be written ------------------------------------------------------------------------------


async def test_a_full_disk_loses_nothing_and_is_loud(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    async with world.open() as pool:
        world.store.read_only = True
        lease = await pool.lease("m")
        assert lease.credential.access_token == "aoa-1.1"
        assert world.saved() == token("1.0")
        assert pool.unsaved_because is not None
        assert "Free some space" in pool.unsaved_because
        assert pool.snapshot()[0].unsaved
        assert "new tokens are kept in elsewhere" in caplog.text
        assert [copy.fingerprint for copy in world.store.copies] == [lease.credential.fingerprint]
        # The old token on disk does not come back, however often somebody looks.
        await pool.reload()
        assert pool.credential(1).refresh_token == token("1.1")
        # Another rotation meanwhile.
        await trio.sleep(3600)
        assert (await pool.lease("m")).credential.access_token == "aoa-1.2"
        world.store.read_only = False
        await trio.sleep(60)
        assert world.saved() == token("1.2")
        assert pool.unsaved_because is None
        assert not pool.snapshot()[0].unsaved
        assert world.store.copies == []
    assert world.service.reuses == 0


async def test_the_last_chance_to_save_is_the_end(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    async with world.open() as pool:
        world.store.read_only = True
        await pool.lease("m")
        world.store.read_only = False
    assert world.saved() == token("1.1")
    assert "LOST" not in caplog.text


async def test_if_even_that_fails_it_says_so(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.store.no_other_place = True
    async with world.open() as pool:
        world.store.read_only = True
        await pool.lease("m")
        assert "in memory only" in caplog.text
    assert "NEW TOKENS ARE LOST (#1)" in caplog.text
    assert token("1.1") not in caplog.text


async def test_a_command_spends_no_token_that_could_not_be_replaced(autojump_clock: MockClock) -> None:
    world = World()
    world.store.read_only = True
    async with world.open(background=False) as pool:
        with pytest.raises(RefreshFailed, match="Free some space"):
            await pool.force_refresh(1)
        assert pool.unsaved_because is not None
    assert world.service.calls == []


async def test_a_server_waits_while_the_old_token_works(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=START + timedelta(minutes=5)))
    world.store.read_only = True
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.access_token == "aoa-1.0"
        with pytest.raises(RefreshFailed):  # as somebody who insists is told
            await pool.force_refresh(1)
        assert world.service.calls == []
        await trio.sleep(100)
        assert pool.unsaved_because is not None
        world.store.read_only = False
        await trio.sleep(61)
        assert pool.unsaved_because is None
        assert (await pool.lease("m")).credential.access_token == "aoa-1.1"
    assert world.saved() == token("1.1")


@pytest.mark.parametrize("no_other_place", [False, True])
async def test_a_command_whose_token_is_not_saved_after_all_does_not_end_well(
    no_other_place: bool, autojump_clock: MockClock
) -> None:
    world = World()
    world.store.read_only = world.store.hides_it = True
    world.store.no_other_place = no_other_place
    with pytest.raises(CredentialFileError, match="in memory only" if no_other_place else "New tokens are kept in els"):
        async with world.open(background=False) as pool:
            await pool.force_refresh(1)
    assert world.service.calls == [1]
    world.store.read_only = no_other_place  # a command that asked for nothing ends as it should
    async with world.open(background=False) as pool:
        assert pool.credential(1).refresh_token == token("1.0" if no_other_place else "1.1")
    assert world.saved() == token("1.0" if no_other_place else "1.1")
    assert world.store.copies == []


async def test_two_servers_that_cannot_save_share_what_they_got(autojump_clock: MockClock) -> None:
    world = World()
    world.store.read_only = True
    async with world.open() as one, world.open() as other:
        tokens = [(await pool.lease("m")).credential.access_token for pool in (one, other)]
        await trio.sleep(3600)
        tokens += [(await pool.lease("m")).credential.access_token for pool in (other, one)]
        world.store.read_only = False
        await trio.sleep(60)
    assert tokens == ["aoa-1.1", "aoa-1.1", "aoa-1.2", "aoa-1.2"]
    assert world.service.reuses == 0
    assert (world.saved(), world.store.copies) == (token("1.2"), [])


async def test_a_file_that_vanishes_during_a_refresh(autojump_clock: MockClock) -> None:
    world = World()
    world.service.before_answer = lambda: world.store.replace(None)
    async with world.open(background=False) as pool:
        assert (await pool.lease("m")).credential.access_token == "aoa-1.1"
        assert "empty or gone" in str(pool.unsaved_because)
        world.store.replace(file_of(make_credential(1, expires_at=STALE, label="put back")))
        await trio.sleep(60)
    entry = entries_in(world.store.text)[1]
    assert (entry["refreshToken"], entry["label"]) == (token("1.1"), "put back")


async def test_an_old_backup_does_not_bring_a_spent_token_back(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    backup = world.store.text
    async with world.open() as pool:
        await pool.lease("m")
        world.store.replace(backup)
        await trio.sleep(10)
        assert pool.credential(1).refresh_token == token("1.1")
        assert "old token again" in caplog.text
    assert world.saved() == token("1.1")


async def test_a_file_that_cannot_be_read_does_not_stop_a_refresh(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    async with world.open() as pool:
        world.store.unreadable = True
        assert (await pool.lease("m")).credential.access_token == "aoa-1.1"
        assert "without a look" in caplog.text
    assert world.saved() == token("1.1")


async def test_without_a_lock_there_is_no_refresh(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    class NoLocks(BrokenStore):
        @asynccontextmanager
        async def refresh_turn(self, credential_id: int, seconds: float) -> AsyncIterator[RefreshTurn]:
            await trio.lowlevel.checkpoint()
            raise CredentialFileError("credentials.json cannot be locked.")
            yield

    world = World()
    world.store = NoLocks(world.store.text or "")
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential, match="cannot be locked"):
            await pool.lease("m")
    assert world.service.calls == []


async def test_an_interrupted_refresh_is_told(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    class Interrupted(RefreshTurn):
        def interrupted(self) -> bool:
            return True

    class Store(BrokenStore):
        @asynccontextmanager
        async def refresh_turn(self, credential_id: int, seconds: float) -> AsyncIterator[RefreshTurn]:
            await trio.lowlevel.checkpoint()
            yield Interrupted(None)

    world = World()
    world.store = Store(world.store.text or "")
    async with world.open() as pool:
        await pool.lease("m")
    assert "interrupted" in caplog.text


# --- by force ---------------------------------------------------------------------------------------------------


async def test_force_replaces_a_valid_token_once(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        assert (await pool.force_refresh(1)).access_token == "aoa-1.1"
        assert (await pool.force_refresh(1)).access_token == "aoa-1.1"
        await trio.sleep(31)
        assert (await pool.force_refresh(1)).access_token == "aoa-1.2"
    assert world.service.calls == [1, 1]


async def test_force_joins_a_flight_that_had_nothing_to_do_and_then_insists(autojump_clock: MockClock) -> None:
    """The flight under way finds that another process has left the token as it was; it is still refused upstream."""
    world = World(make_credential(1, expires_at=START + timedelta(minutes=9)))
    fresh = make_credential(1, expires_at=START + HOUR)  # same token, said to live longer
    world.store.replace(file_of(fresh))
    async with world.open(background=False) as pool, trio.open_nursery() as nursery:
        world.store.replace(file_of(make_credential(1, expires_at=START + timedelta(minutes=9))))
        await pool.reload()
        world.store.replace(file_of(fresh))
        nursery.start_soon(pool.lease, "m")
        nursery.start_soon(pool.force_refresh, 1)
        await trio.testing.wait_all_tasks_blocked()
        assert pool.credential(1).access_token == "aoa-1.1"
    assert world.service.calls == [1]


async def test_force_wakes_an_account_that_was_given_up(autojump_clock: MockClock) -> None:
    world = World()
    world.service.plans = [RefreshRejected("invalid_grant")]
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential):
            await pool.lease("m")
        assert (await pool.force_refresh(1)).access_token == "aoa-1.2"
        assert pool.snapshot()[0].state == "active"


async def test_force_on_a_disabled_account_leaves_it_disabled(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, disabled=True))
    async with world.open() as pool:
        assert (await pool.force_refresh(1)).access_token == "aoa-1.1"
        assert pool.snapshot()[0].state == "disabled"
        world.service.dead.add(1)
        await trio.sleep(60)
        with pytest.raises(RefreshRejected):
            await pool.force_refresh(1)
        assert pool.snapshot()[0].state == "disabled"


async def test_api_keys_pass_through(autojump_clock: MockClock) -> None:
    key = Credential(id=1, auth_method="api_key", kiro_api_key="ksk_1")
    world = World(key)
    async with world.open() as pool:
        assert await pool.force_refresh(1) == key
        assert (await pool.lease("m")).credential.bearer == "ksk_1"
        assert not await pool.refresh_if_expiring(1, timedelta(days=9))
    assert world.service.calls == []


async def test_refresh_what_expires_soon(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2, expires_at=START + timedelta(minutes=12)))
    async with world.open() as pool:
        assert not await pool.refresh_if_expiring(1, timedelta(minutes=15))
        assert await pool.refresh_if_expiring(2, timedelta(minutes=15))
        assert not await pool.refresh_if_expiring(2, timedelta(minutes=15))
    assert world.service.calls == [2]


async def test_an_account_in_memory_only_is_refreshed_there(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    extra = replace(make_credential(9, expires_at=STALE), id=0)
    world.service.live[extra.refresh_token] = -1
    async with world.open(extra=(extra,)) as pool:
        lease = await pool.lease("m")
        assert (lease.credential.id, lease.credential.access_token) == (-1, "aoa--1.1")
    assert world.store.text == file_of(make_credential(1))
