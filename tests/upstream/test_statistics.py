"""Counters and states across restarts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from kiro_rs_py.errors import AccountSuspended, QuotaExhausted, RefreshRejected, Throttled
from kiro_rs_py.upstream.leases import Failed, Succeeded
from kiro_rs_py.upstream.selection import StateName
from tests.upstream.pool_parts import START, file_of, make_credential, token
from tests.upstream.pool_world import World


async def test_counters_are_written_after_a_while_and_at_the_end(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Succeeded())
        assert world.state.load().record(1).success_count == 0
        await trio.sleep(31)
        assert world.state.load().record(1).success_count == 1
        (await pool.lease("m")).report(Succeeded())
        (await pool.lease("m")).report(Failed(Throttled("x")))
    record = world.state.load().record(1)
    assert (record.success_count, record.failure_count) == (2, 1)
    assert record.last_used_at == START + timedelta(seconds=31)
    async with world.open() as pool:
        status = pool.snapshot()[0]
        assert (status.success_count, status.failure_count, status.last_used_at) == (2, 1, record.last_used_at)


@pytest.mark.parametrize(
    ("error", "state", "remembered"),
    [
        (AccountSuspended("x"), "suspended", True),
        (QuotaExhausted("x"), "exhausted", True),
        (Throttled("x", retry_after=3600.0), "cooling", True),
        (Throttled("x", retry_after=30.0), "cooling", False),
    ],
)
async def test_states_that_outlive_the_process(
    error: Exception, state: StateName, remembered: bool, autojump_clock: MockClock
) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(error))  # type: ignore[arg-type]
        before = pool.snapshot()[0]
        assert before.state == state
    async with world.open() as pool:
        after = pool.snapshot()[0]
        assert after.state == (state if remembered else "active")
        if remembered:
            assert (after.cause, after.since, after.until) == (before.cause, before.since, before.until)


async def test_a_remembered_state_ends_when_it_should(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(QuotaExhausted("x")))
    async with world.open() as pool:
        await trio.sleep(4 * 3600)
        (await pool.lease("m")).report(Succeeded())
    assert world.state.load().record(1).standing is None


async def test_a_state_is_about_one_login(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    world.service.dead = {1}
    async with world.open() as pool:
        with pytest.raises(RefreshRejected):
            await pool.force_refresh(1)
    async with world.open() as pool:
        assert pool.snapshot()[0].state == "reauth_required"
    world.store.replace(file_of(make_credential(1, refresh_token=token("new login"))))
    async with world.open() as pool:
        assert pool.snapshot()[0].state == "active"


async def test_what_was_forgiven_is_forgotten(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(AccountSuspended("x")))
    async with world.open() as pool:
        pool.reset(1)
    async with world.open() as pool:
        assert pool.snapshot()[0].state == "active"


async def test_a_removed_account_is_forgotten_but_not_a_broken_one(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open() as pool:
        for _ in range(2):
            (await pool.lease("m")).report(Failed(AccountSuspended("x")))
        await trio.sleep(31)
        world.store.replace('[{"id": 1, "refreshToken": 5}, {"id": 2, "refreshToken": 5}]')
        await trio.sleep(31)
        assert set(world.state.load().accounts) == {1, 2}
        world.store.replace(file_of(make_credential(1), make_credential(2)))
        await trio.sleep(31)
        world.store.replace(file_of(make_credential(1)))
        await trio.sleep(31)
        assert set(world.state.load().accounts) == {1}


async def test_counts_that_cannot_be_written_are_kept(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(make_credential(1))
    world.state.full = True
    async with world.open() as pool:
        (await pool.lease("m")).report(Succeeded())
        await trio.sleep(31)
        assert "kept in memory" in caplog.text
        world.state.full = False
    assert world.state.load().record(1).success_count == 1


async def test_two_servers_on_one_file_add_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as first, world.open() as second:
        (await first.lease("m")).report(Succeeded())
        (await second.lease("m")).report(Succeeded())
    assert world.state.load().record(1).success_count == 2


@pytest.mark.parametrize("error", [AccountSuspended("x"), QuotaExhausted("x")])
async def test_what_would_cost_another_call_is_written_at_once(
    error: AccountSuspended | QuotaExhausted, autojump_clock: MockClock
) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(error))
        await wait_all_tasks_blocked()
        standing = world.state.load().record(1).standing
        assert standing is not None
        assert standing.state == pool.snapshot()[0].state
        pool.reset(1)
        await wait_all_tasks_blocked()
        assert world.state.load().record(1).standing is None


async def test_a_login_that_is_over_is_written_at_once(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    world.service.dead = {1}
    async with world.open() as pool:
        with pytest.raises(RefreshRejected):
            await pool.force_refresh(1)
        await wait_all_tasks_blocked()
        standing = world.state.load().record(1).standing
        assert standing is not None
        assert standing.state == "reauth_required"


@pytest.mark.parametrize("error", [AccountSuspended("x"), QuotaExhausted("x"), Throttled("x", retry_after=3600.0)])
async def test_a_running_server_takes_over_what_is_forgiven(error: Exception, autojump_clock: MockClock) -> None:
    """``accounts enable`` does that; the server must not write its own state back over it."""
    world = World(make_credential(1), make_credential(2))
    async with world.open() as server:
        for _ in range(2):
            (await server.lease("m")).report(Failed(error))  # type: ignore[arg-type]
        await trio.sleep(31)
        async with world.open(background=False) as command:
            await command.set_disabled(1, disabled=False)
        await trio.sleep(4)
        assert [status.state == "active" for status in server.snapshot()] == [True, False]
        await trio.sleep(62)
        assert world.state.load().record(1).standing is None
        assert world.state.load().record(2).standing is not None
        # What it finds from now on counts again.
        (await server.lease("m", only=1)).report(Failed(error))  # type: ignore[arg-type]
        await trio.sleep(62)
        assert server.snapshot()[0].state != "active"
        assert world.state.load().record(1).standing is not None


async def test_a_running_server_takes_over_what_others_found(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2, disabled=True))
    async with world.open() as server:
        async with world.open(background=False) as command:
            (await command.lease("m")).report(Failed(AccountSuspended("x")))
        await trio.sleep(4)
        assert [status.state for status in server.snapshot()] == ["suspended", "disabled"]
        assert "locked" in server.snapshot()[0].cause


async def test_two_servers_that_find_different_things_do_not_argue(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as one, world.open() as other:
        first, second = await one.lease("m"), await other.lease("m")
        first.report(Failed(QuotaExhausted("x")))
        second.report(Failed(AccountSuspended("x")))
        await trio.sleep(31)
        stamp = await world.state.stamp()
        await trio.sleep(300)
        assert await world.state.stamp() == stamp
        assert [pool.snapshot()[0].state for pool in (one, other)] == ["exhausted", "suspended"]


async def test_a_command_does_not_take_away_what_was_found_while_it_ran(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as server:
        (await server.lease("m")).report(Failed(Throttled("x", retry_after=100.0)))
        await trio.sleep(31)
        async with world.open(background=False):
            await trio.sleep(70)  # the pause is over, so that it has nothing to say of the account any more
            (await server.lease("m")).report(Failed(AccountSuspended("x")))
            await wait_all_tasks_blocked()
        await trio.sleep(31)
        assert server.snapshot()[0].state == "suspended"
        standing = world.state.load().record(1).standing
        assert standing is not None
        assert standing.state == "suspended"
