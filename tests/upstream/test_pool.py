"""The pool as requests meet it: failover, cool-downs, capability, the file watcher, what survives a restart."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from kiro_rs_py.errors import (
    AccountSuspended,
    CredentialFileError,
    KiroError,
    ModelUnavailable,
    NotFound,
    NoUsableCredential,
    QuotaExhausted,
    RefreshRejected,
    Throttled,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.document import UnknownCredential
from kiro_rs_py.upstream.leases import Abandoned, Failed, Succeeded
from kiro_rs_py.upstream.pool import CredentialPool
from kiro_rs_py.upstream.selection import StateName
from kiro_rs_py.upstream.state import Mode
from tests.upstream.pool_parts import START, entries_in, file_of, make_credential, token
from tests.upstream.pool_world import STALE, World

BEARER = UpstreamUnauthorized("The bearer token is invalid.", bearer_invalid=True, status=403)


def states(pool: CredentialPool) -> dict[int, StateName]:
    return {status.id: status.state for status in pool.snapshot()}


async def request(pool: CredentialPool, errors: dict[int, Sequence[KiroError]], model: str = "m") -> list[int]:
    """What a client does: on to the next account after each failure. The accounts asked; the last one served."""
    asked: list[int] = []
    while True:
        lease = await pool.lease(model, tried=asked)
        asked.append(lease.credential.id)
        plan = list(errors.get(lease.credential.id, ()))
        if not plan:
            lease.report(Succeeded())
            return asked
        lease.report(Failed(plan[0]))


MODES: list[Mode] = ["priority", "balanced"]
TROUBLES: list[KiroError] = [
    Throttled("x", retry_after=30.0),
    QuotaExhausted("x"),
    AccountSuspended("x"),
    UpstreamUnauthorized("x", status=403),
    UpstreamUnavailable("x"),
    ModelUnavailable("x"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", TROUBLES, ids=lambda error: type(error).__name__)
async def test_no_client_sees_an_error_while_one_account_is_healthy(
    mode: Mode, error: KiroError, autojump_clock: MockClock
) -> None:
    world = World(*(make_credential(number) for number in (1, 2, 3)), load_balancing_mode=mode)
    async with world.open() as pool:
        for _ in range(20):
            asked = await request(pool, {1: [error], 2: [error]})
            assert asked[-1] == 3
            await trio.sleep(7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dead", [{1}, {2}, {1, 2}, {2, 3}])
async def test_dead_logins_cost_no_client_an_error(mode: Mode, dead: set[int], autojump_clock: MockClock) -> None:
    """Both outages of operations §4.3: one dead of three, and two dead ahead of a healthy one."""
    world = World(*(make_credential(number, expires_at=STALE) for number in (1, 2, 3)), load_balancing_mode=mode)
    world.service.dead = dead
    async with world.open() as pool:
        for _ in range(10):
            assert (await request(pool, {}))[-1] not in dead
        assert {number for number, state in states(pool).items() if state == "reauth_required"} <= dead
    assert all(world.service.calls.count(number) <= 1 for number in dead)


async def test_all_dead(autojump_clock: MockClock) -> None:
    world = World(*(make_credential(number, expires_at=STALE) for number in (1, 2)))
    world.service.dead = {1, 2}
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential) as caught:
            await pool.lease("m")
    assert str(caught.value) == "None of the 2 accounts can be used now: 2 in need of a new login. invalid_grant"
    assert isinstance(caught.value.cause, RefreshRejected)
    assert caught.value.retry_after is None


async def test_all_cooling(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential) as caught:
            await request(pool, {1: [Throttled("x", retry_after=60.0)], 2: [Throttled("x", retry_after=20.0)]})
        assert isinstance(caught.value.cause, Throttled)
        assert caught.value.retry_after == 20.0
        await trio.sleep(20)
        assert await request(pool, {}) == [2]
        await trio.sleep(40)
        assert await request(pool, {}) == [1]


async def test_all_exhausted_and_back_at_the_reset(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        pool.note_usage(1, remaining=0, resets_at=START + timedelta(hours=5))
        with pytest.raises(NoUsableCredential) as caught:
            await request(pool, {1: [QuotaExhausted("x")]})
        assert isinstance(caught.value.cause, QuotaExhausted)
        assert caught.value.retry_after == 5 * 3600.0
        await trio.sleep(5 * 3600)
        assert await request(pool, {}) == [1]


async def test_no_account(autojump_clock: MockClock) -> None:
    world = World()
    world.store.replace("[]")
    async with world.open() as pool:
        with pytest.raises(NoUsableCredential, match="kiro-rs-py login"):
            await pool.lease("m")


async def test_back_to_the_preferred_account_when_it_is_well(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, priority=1), make_credential(2))
    async with world.open() as pool:
        assert await request(pool, {2: [Throttled("x", retry_after=5.0)]}) == [2, 1]
        assert await request(pool, {}) == [1]
        await trio.sleep(5)
        assert await request(pool, {}) == [2]


async def test_balanced_spreads_simultaneous_requests(autojump_clock: MockClock) -> None:
    world = World(*(make_credential(number) for number in (1, 2, 3)), load_balancing_mode="balanced")
    async with world.open() as pool:
        leases = [await pool.lease("m") for _ in range(6)]
        assert [lease.credential.id for lease in leases] == [1, 2, 3, 1, 2, 3]
        assert [status.in_flight for status in pool.snapshot()] == [2, 2, 2]
        for lease in leases:
            lease.report(Abandoned())
        assert [status.in_flight for status in pool.snapshot()] == [0, 0, 0]


async def test_a_refused_token_is_refreshed_before_the_next_use(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        first, second = await pool.lease("m"), await pool.lease("m")
        first.report(Failed(BEARER))
        renewed = await pool.lease("m")
        assert renewed.credential.access_token == "aoa-1.1"
        second.report(Failed(BEARER))  # the old token: known by now
        assert (await pool.lease("m")).credential.access_token == "aoa-1.1"
        renewed.report(Failed(BEARER))
        assert states(pool) == {1: "cooling"}
    assert world.service.calls == [1]


async def test_a_refused_token_that_cannot_be_refreshed(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    world.service.dead = {1}
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(BEARER))
        assert (await pool.lease("m")).credential.id == 2
        assert states(pool) == {1: "reauth_required", 2: "active"}


async def test_a_suspended_account_is_not_freed_by_its_own_refresh(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(AccountSuspended("x")))
        assert (await pool.force_refresh(1)).access_token == "aoa-1.1"
        await trio.sleep(10)
        assert states(pool) == {1: "suspended"}
        # But by a new login.
        world.store.replace(file_of(make_credential(1, refresh_token=token("new"))))
        await trio.sleep(4)
        assert states(pool) == {1: "active"}


async def test_plans_and_model_lists(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, subscription_title="KIRO FREE"), make_credential(2, priority=5))
    async with world.open() as pool:
        assert (await pool.lease("claude-opus-4.5")).credential.id == 2
        assert (await pool.lease("claude-haiku-4.5")).credential.id == 1
        pool.note_models(1, ["Claude-Haiku-4.5"])
        pool.note_models(2, ["claude-haiku-4.5", "claude-opus-4.5"])
        assert (await pool.lease("claude-haiku-4.5")).credential.id == 1
        await pool.learn(2, partial(replace, subscription_title="KIRO FREE"))
        with pytest.raises(NoUsableCredential) as caught:
            await pool.lease("claude-opus-4.5")
        assert isinstance(caught.value.cause, ModelUnavailable)


# --- the file ---------------------------------------------------------------------------------------------------


async def test_what_others_write_is_seen_within_seconds(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open() as pool:
        lease = await pool.lease("m")
        world.store.replace(file_of(make_credential(2, priority=3), make_credential(5, label="new")))
        await trio.sleep(4)
        assert [(status.id, status.priority, status.label) for status in pool.snapshot()] == [
            (2, 3, None),
            (5, 0, "new"),
        ]
        lease.report(Succeeded())  # of an account that is gone
        assert (await pool.lease("m")).credential.id == 5


async def test_disabling_and_enabling_in_the_file(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(AccountSuspended("x")))
        world.store.replace(file_of(make_credential(1, disabled=True, disabled_reason="Mine"), make_credential(2)))
        await pool.reload()
        assert (pool.snapshot()[0].state, pool.snapshot()[0].cause) == ("disabled", "Mine")
        since = pool.snapshot()[0].since
        world.store.replace(file_of(make_credential(1, disabled=True, label="x"), make_credential(2)))
        await pool.reload()
        assert pool.snapshot()[0].since == since
        world.store.replace(file_of(make_credential(1), make_credential(2)))
        await pool.reload()
        assert states(pool) == {1: "active", 2: "active"}


@pytest.mark.parametrize("text", [None, "", "[broken"])
async def test_an_empty_or_broken_file_is_an_error_and_no_deletion(
    text: str | None, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        world.store.replace(text)
        await trio.sleep(20)
        errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        assert len(errors) == 1
        with pytest.raises(CredentialFileError):
            await pool.reload()
        assert (await pool.lease("m")).credential.id == 1
        world.store.replace("[]")
        await trio.sleep(4)
        assert pool.snapshot() == ()


async def test_a_file_that_could_not_be_read_is_taken_over_once_it_can(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        world.store.unreadable = True
        world.store.replace(file_of(make_credential(1, label="new")))
        await trio.sleep(7)
        assert pool.snapshot()[0].label is None
        world.store.unreadable = False
        await trio.sleep(4)
        assert pool.snapshot()[0].label == "new"


async def test_a_bug_in_taking_the_file_over_ends_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        world.store.bug = KeyError("x")
        world.store.replace(file_of(make_credential(1, label="odd")))
        await trio.sleep(20)
        assert caplog.text.count("is not taken over") == 1
        world.store.bug = None
        world.store.replace(file_of(make_credential(1, label="new")))
        await trio.sleep(4)
        assert pool.snapshot()[0].label == "new"


async def test_bad_entries_are_reported_once_and_the_others_work(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    entries = json.loads(file_of(make_credential(1), make_credential(2)))
    world.store.replace(json.dumps([entries[0], {**entries[1], "region": "nowhere"}]))
    async with world.open() as pool:
        assert [str(problem) for problem in pool.problems] == [
            "entry 2: region is no AWS region (us-east-1, eu-central-1, …)"
        ]
        await pool.reload()
        assert caplog.text.count("entry 2: region") == 1
        assert (await pool.lease("m")).credential.id == 1
        world.store.replace(json.dumps(entries))
        await pool.reload()
        assert pool.problems == ()
        assert list(states(pool)) == [1, 2]


async def test_ids_are_completed_when_the_pool_opens(autojump_clock: MockClock) -> None:
    world = World()
    world.store.replace(file_of(make_credential(0), make_credential(0, refresh_token=token("other"))))
    async with world.open() as pool:
        assert list(states(pool)) == [1, 2]
    assert list(entries_in(world.store.text)) == [1, 2]


async def test_ids_that_cannot_be_saved_do_not_stop_anybody(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.store.replace(file_of(make_credential(0)))
    world.store.read_only = True
    async with world.open() as pool:
        assert (await pool.lease("m")).credential.id == 1
    assert "new ids cannot be saved" in caplog.text


async def test_a_file_that_cannot_be_read_at_the_start(autojump_clock: MockClock) -> None:
    world = World()
    world.store.unreadable = True
    with pytest.raises(CredentialFileError):
        async with world.open():
            raise AssertionError


# --- changing ---------------------------------------------------------------------------------------------------


async def test_disabling_survives_a_restart_and_enabling_forgives(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open() as pool:
        await pool.set_disabled(1, True, "Banned")
        await pool.set_disabled(1, True, "Again")
        assert pool.snapshot()[0].cause == "Banned"
        assert (await pool.lease("m")).credential.id == 2
        entry = entries_in(world.store.text)[1]
        assert (entry["disabled"], entry["disabledReason"]) == (True, "Again")
        assert entry["disabledAt"] == "2026-02-13T10:00:00+00:00"
    async with world.open() as pool:
        assert states(pool)[1] == "disabled"
        pool.reset(1)
        assert states(pool)[1] == "disabled"
        await pool.set_disabled(1, False)
        assert (await pool.lease("m")).credential.id == 1
        assert "disabled" not in (world.store.text or "")
        (await pool.lease("m")).report(Failed(AccountSuspended("x")))
        pool.reset(1)
        assert states(pool)[1] == "active"


async def test_a_change_that_fails_is_no_change(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        world.store.read_only = True
        with pytest.raises(CredentialFileError):
            await pool.set_disabled(1, True)
        assert states(pool) == {1: "active"}


async def test_edit(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        added = await pool.edit(lambda document: document.add(make_credential(0, refresh_token=token("new"))))
        assert list(states(pool)) == [1, 2]
        assert pool.credential(added.id) == added
        await pool.edit(lambda document: document.remove(1))
        assert list(states(pool)) == [2]
        with pytest.raises(UnknownCredential):
            await pool.edit(lambda document: document.remove(1))
        with pytest.raises(NotFound):
            pool.credential(1)


async def test_failures_in_a_row_end_with_a_success(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        for _ in range(2):
            lease = await pool.lease("")
            lease.report(Failed(Throttled("slow down", retry_after=1.0)))
            await trio.sleep(5)
        [status] = pool.snapshot()
        assert (status.failures_in_a_row, status.failure_count, status.last_error) == (2, 2, "slow down")
        (await pool.lease("")).report(Succeeded())
        [status] = pool.snapshot()
        assert (status.failures_in_a_row, status.failure_count, status.last_error) == (0, 2, None)


async def test_what_the_service_told_is_kept(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        await pool.learn(1, partial(replace, email="me@example.com", profile_arn="arn:x"))
        await pool.learn(1, lambda credential: credential)
        entry = entries_in(world.store.text)[1]
        assert (entry["email"], entry["profileArn"]) == ("me@example.com", "arn:x")
        world.store.read_only = True
        await pool.learn(1, partial(replace, subscription_title="KIRO PRO"))
        assert pool.credential(1).subscription_title == "KIRO PRO"
        world.store.read_only = False
        await trio.sleep(2)
        assert entries_in(world.store.text)[1]["subscriptionTitle"] == "KIRO PRO"


async def test_usage_ends_an_exhaustion_or_moves_its_end(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(QuotaExhausted("x")))
        assert pool.snapshot()[0].until == START + timedelta(hours=4)
        pool.note_usage(1, remaining=None, resets_at=None)
        pool.note_usage(1, remaining=0, resets_at=START + timedelta(days=3))
        assert pool.snapshot()[0].until == START + timedelta(days=3)
        pool.note_usage(1, remaining=5, resets_at=None)
        assert states(pool) == {1: "active"}


async def test_the_mode_can_be_changed_and_is_remembered(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open() as pool:
        assert pool.mode == "priority"
        await pool.set_mode("balanced")
        assert [(await pool.lease("m")).credential.id for _ in range(2)] == [1, 2]
    async with world.open() as pool:
        assert pool.mode == "balanced"


# --- accounts in memory only ------------------------------------------------------------------------------------

KEY = Credential(auth_method="api_key", kiro_api_key="ksk_environment")


async def test_an_environment_key_comes_first_and_is_never_written(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    before = world.store.text
    async with world.open(extra=(KEY,)) as pool:
        lease = await pool.lease("m")
        assert (lease.credential.id, lease.credential.bearer) == (-1, "ksk_environment")
        lease.report(Succeeded())
        assert pool.snapshot()[0].in_memory_only
        await pool.learn(-1, partial(replace, email="me@example.com"))
        await pool.set_disabled(-1, True)
        assert (await pool.lease("m")).credential.id == 1
        await pool.reload()
        assert list(states(pool)) == [-1, 1]
    assert world.store.text == before
    async with world.open(extra=(KEY,)) as pool:
        assert states(pool)[-1] == "disabled"
        await pool.set_disabled(-1, False)
        assert states(pool)[-1] == "active"


async def test_without_a_file_the_environment_key_is_enough(autojump_clock: MockClock) -> None:
    world = World()
    world.store.replace(None)
    async with world.open(extra=(KEY,)) as pool:
        assert (await pool.lease("m")).credential.id == -1
        await pool.reload()


# --- background -------------------------------------------------------------------------------------------------


async def test_accounts_in_use_are_kept_warm_and_idle_ones_are_left_alone(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open() as pool:
        (await pool.lease("m")).report(Succeeded())
        await trio.sleep(3 * 3600)
        assert world.service.calls.count(1) >= 3
        assert pool.credential(1).is_valid(world.clock() + timedelta(minutes=10))
        assert world.service.calls.count(2) == 0
        await trio.sleep(4 * 3600)
        calls = len(world.service.calls)
        await trio.sleep(4 * 3600)
        assert len(world.service.calls) == calls


async def test_keeping_warm_costs_no_request_a_wait(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        for _ in range(200):
            lease = await pool.lease("m")
            assert lease.credential.expires_at is not None
            assert lease.credential.expires_at - world.clock() > timedelta(minutes=9)
            lease.report(Succeeded())
            await trio.sleep(120)
        assert len(world.service.calls) < 12


async def test_warming_does_not_hammer_a_service_that_is_down(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        (await pool.lease("m")).report(Succeeded())
        world.service.dead = {1}
        await trio.sleep(5 * 3600)
        assert world.service.calls == [1]
        assert states(pool) == {1: "reauth_required"}


async def test_short_commands_run_without_background(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open(background=False) as pool:
        (await pool.lease("m")).report(Succeeded())
        await trio.sleep(7200)
        assert world.service.calls == []


async def test_what_the_block_raises_comes_out_as_it_is(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))

    async def use_and_fail() -> None:
        async with world.open() as pool:
            (await pool.lease("m")).report(Succeeded())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use_and_fail()
    assert world.state.load().record(1).success_count == 1


async def test_a_block_that_is_cancelled_still_flushes(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    with trio.move_on_after(1):
        async with world.open() as pool:
            (await pool.lease("m")).report(Succeeded())
            await trio.sleep_forever()
    assert world.state.load().record(1).success_count == 1


async def test_nothing_secret_is_logged_or_shown(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = make_credential(1, expires_at=STALE, email="private@example.com", client_secret="hush", label="private")
    world = World(secret, replace(secret, id=2, refresh_token=token("2.0")))
    world.service.live[token("2.0")] = 2
    async with world.open() as pool:
        (await pool.lease("m")).report(Failed(BEARER))
        (await pool.lease("m")).report(Failed(Throttled("x")))
        world.service.dead = {2}
        with pytest.raises(NoUsableCredential):
            await pool.lease("m")
        world.store.read_only = True
        await trio.sleep(3600)
        shown = repr(pool.snapshot()) + caplog.text + repr(pool.credential(1)) + str(pool.unsaved_because)
    for word in ("aoa-", "aor-", "hush", "private"):
        assert word not in shown


async def test_a_lease_of_one_given_account(autojump_clock: MockClock) -> None:
    world = World(make_credential(1), make_credential(2, priority=9))
    async with world.open() as pool:
        lease = await pool.lease("m", only=2)
        assert lease.credential.id == 2
        lease.report(Failed(Throttled("x", retry_after=30.0)))
        assert states(pool) == {1: "active", 2: "cooling"}
        with pytest.raises(NoUsableCredential):
            await pool.lease("m", only=2)
        with pytest.raises(NoUsableCredential):
            await pool.lease("m", tried={1}, only=1)


async def test_changes_of_state_are_told(autojump_clock: MockClock) -> None:
    world = World(make_credential(1))
    async with world.open() as pool:
        told: list[tuple[int, str, str]] = []
        pool.watch_states(lambda number, before, after: told.append((number, before.state, after.state)))
        (await pool.lease("m")).report(Failed(Throttled("x", retry_after=30.0)))
        await pool.set_disabled(1, True)
        await pool.set_disabled(1, False)
        changes = [change for change in told if change[1] != change[2]]
        assert changes == [(1, "active", "cooling"), (1, "cooling", "disabled"), (1, "disabled", "active")]
