"""The living list of models, over a pool in memory and a service that follows orders; the clock jumps."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.convert.discovered import DiscoveredModel, Discovery
from kiro_rs_py.errors import AccountSuspended, CredentialFileError, KiroError, Throttled, UpstreamUnavailable
from kiro_rs_py.upstream.catalog import CatalogTimings, LiveModels, open_models, saved_discovery
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.leases import Succeeded
from kiro_rs_py.upstream.pool import CredentialPool
from kiro_rs_py.upstream.state import ListedModels, State, StateStore
from tests.upstream.pool_parts import HOUR, START, file_of, make_credential
from tests.upstream.pool_world import STALE, World

OPUS, SONNET, GLM = DiscoveredModel("claude-opus-5"), DiscoveredModel("claude-sonnet-5"), DiscoveredModel("glm-5")
TIMINGS = CatalogTimings()
LONG = START + 100 * HOUR


class Service:
    """Tells models by account; an error is raised in their place."""

    def __init__(self, **models: tuple[DiscoveredModel, ...] | KiroError) -> None:
        self.models = {int(name.removeprefix("_")): told for name, told in models.items()}
        self.asked: list[int] = []

    async def ask(self, credential: Credential) -> tuple[DiscoveredModel, ...]:
        await trio.lowlevel.checkpoint()
        self.asked.append(credential.id)
        told = self.models[credential.id]
        if isinstance(told, KiroError):
            raise told
        return told


class Watched:
    """Live models and everything they have published."""

    def __init__(self, world: World, pool: CredentialPool, service: Service) -> None:
        self.pool = pool
        self.service = service
        self.live = LiveModels(pool, world.state, service.ask, now=world.clock)
        self.published: list[Discovery] = []
        self.live.on_change = self.published.append

    @property
    def ids(self) -> list[str]:
        return [model.upstream_id for model in self.live.discovery.models]

    async def use(self, credential_id: int) -> None:
        """One request served by the account."""
        others = {status.id for status in self.pool.snapshot()} - {credential_id}
        (await self.pool.lease("", tried=others)).report(Succeeded())


@asynccontextmanager
async def watching(world: World, service: Service) -> AsyncIterator[Watched]:
    async with world.open(background=False) as pool:
        watched = Watched(world, pool, service)
        await watched.live.load()
        yield watched


def world_of(*credentials: Credential) -> World:
    return World(*(credentials or (make_credential(1, expires_at=LONG),)))


def two() -> World:
    return World(make_credential(1, expires_at=LONG), make_credential(2, expires_at=LONG))


async def test_all_accounts_are_asked_and_the_pool_is_told(autojump_clock: MockClock) -> None:
    service = Service(_1=(SONNET, GLM), _2=(OPUS, SONNET))
    async with watching(two(), service) as watched:
        assert watched.published == []
        await watched.live.look(starting=True)
        assert watched.published == [Discovery((SONNET, GLM, OPUS), complete=True)]
        assert service.asked == [1, 2]
        lease = await watched.pool.lease("claude-opus-5")
        assert lease.credential.id == 2
        lease.report(Succeeded())


async def test_a_list_is_fresh_for_an_hour_and_an_idle_account_is_not_asked(autojump_clock: MockClock) -> None:
    service = Service(_1=(SONNET,), _2=(SONNET,))
    async with watching(two(), service) as watched, trio.open_nursery() as nursery:
        nursery.start_soon(watched.live.run)
        await trio.sleep(10)
        await watched.use(1)
        await trio.sleep(TIMINGS.fresh - 20)
        assert service.asked == [1, 2]
        service.models[1] = (SONNET, GLM)
        await trio.sleep(TIMINGS.look + 20)
        assert service.asked == [1, 2, 1]
        assert watched.ids == ["claude-sonnet-5", "glm-5"]
        await trio.sleep(5 * TIMINGS.fresh)
        assert service.asked == [1, 2, 1]
        nursery.cancel_scope.cancel()


async def test_what_was_known_survives_a_restart(autojump_clock: MockClock) -> None:
    world, service = two(), Service(_1=(SONNET,), _2=(OPUS,))
    async with watching(world, service) as watched:
        await watched.live.look(starting=True)
    async with watching(world, service) as watched:
        assert watched.published == [Discovery((SONNET, OPUS), complete=True)]
        await watched.live.look(starting=True)
        assert service.asked == [1, 2]
        assert (await watched.pool.lease("claude-opus-5")).credential.id == 2
    await trio.sleep(TIMINGS.fresh)
    async with watching(world, service) as watched:
        await watched.live.look(starting=True)
        assert service.asked == [1, 2, 1, 2]


async def test_the_last_good_list_outlives_failures(autojump_clock: MockClock) -> None:
    world, service = two(), Service(_1=(SONNET,), _2=(OPUS,))
    async with watching(world, service) as watched:
        await watched.live.look(starting=True)
        service.models[1] = service.models[2] = UpstreamUnavailable("down")
        await trio.sleep(TIMINGS.fresh)
        await watched.live.look(starting=True)
        assert service.asked == [1, 2, 1, 2]
        assert watched.ids == ["claude-sonnet-5", "claude-opus-5"]
        assert len(watched.published) == 1


@pytest.mark.parametrize(
    ("error", "pause"), [(UpstreamUnavailable("down"), 300.0), (Throttled("x", retry_after=900), 900.0)]
)
async def test_who_cannot_tell_is_left_alone_for_a_while(
    error: KiroError, pause: float, autojump_clock: MockClock
) -> None:
    service = Service(_1=error, _2=(OPUS,))
    async with watching(two(), service) as watched:
        await watched.live.look(starting=True)
        assert watched.live.discovery == Discovery((OPUS,), complete=False)
        await trio.sleep(pause - 1)
        await watched.live.look()
        assert service.asked == [1, 2]
        await trio.sleep(1)
        service.models[1] = (SONNET,)
        await watched.live.look()
        assert service.asked == [1, 2, 1]
        assert watched.live.discovery == Discovery((SONNET, OPUS), complete=True)


async def test_no_token_is_refreshed_for_a_list(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=STALE), make_credential(2, expires_at=LONG))
    service = Service(_1=(SONNET,), _2=(OPUS,))
    async with watching(world, service) as watched:
        await watched.live.look(starting=True)
        assert (service.asked, world.service.calls) == ([2], [])
        assert not watched.live.discovery.complete
        await watched.use(1)
        await watched.live.look()
        assert (service.asked, world.service.calls) == ([2, 1], [1])


async def test_but_one_if_nothing_is_known(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=STALE), make_credential(2, expires_at=STALE))
    service = Service(_1=(SONNET,), _2=(OPUS,))
    async with watching(world, service) as watched:
        await watched.live.look(starting=True)
        assert (service.asked, world.service.calls) == ([1], [1])
        assert watched.ids == ["claude-sonnet-5"]
        assert [status.in_flight for status in watched.pool.snapshot()] == [0, 0]


async def test_nobody_to_ask(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=STALE))
    service = Service(_1=UpstreamUnavailable("down"))
    async with watching(world, service) as watched:
        await watched.live.look(starting=True)
        await watched.live.look()
        assert service.asked == [1]
        await watched.pool.set_disabled(1, disabled=True)
        await trio.sleep(TIMINGS.retry)
        await watched.live.look()
        assert (service.asked, watched.published) == ([1], [])


async def test_lists_of_accounts_out_of_use_count_when_there_is_no_other(autojump_clock: MockClock) -> None:
    service = Service(_1=(SONNET,), _2=(OPUS,))
    async with watching(two(), service) as watched:
        await watched.live.look(starting=True)
        await watched.pool.set_disabled(1, disabled=True)
        await watched.live.look()
        assert watched.live.discovery == Discovery((OPUS,), complete=True)
        await watched.pool.set_disabled(2, disabled=True)
        await watched.live.look()
        assert watched.live.discovery == Discovery((SONNET, OPUS), complete=False)


async def test_a_removed_account_is_forgotten(autojump_clock: MockClock) -> None:
    world, service = two(), Service(_1=(SONNET,), _2=(OPUS,))
    async with watching(world, service) as watched:
        await watched.live.look(starting=True)
        await watched.pool.edit(lambda document: document.remove(1))
        await watched.live.look()
        assert watched.ids == ["claude-opus-5"]


async def test_an_account_removed_while_it_is_asked(autojump_clock: MockClock) -> None:
    async with watching(world_of(), Service(_1=(SONNET,))) as watched:
        told = watched.service.ask

        async def ask(credential: Credential) -> tuple[DiscoveredModel, ...]:
            await watched.pool.edit(lambda document: document.remove(1))
            return await told(credential)

        watched.live._ask = ask
        await watched.live.look(starting=True)
        assert watched.published == []


async def test_a_state_file_that_cannot_be_written_is_no_misfortune(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = world_of()

    async def refuse(change: object) -> State:
        raise CredentialFileError("The disk is full.")

    async with watching(world, Service(_1=(SONNET,))) as watched:
        world.state.update = refuse  # type: ignore[method-assign]
        await watched.live.look(starting=True)
        assert watched.ids == ["claude-sonnet-5"]
    assert "The disk is full." in caplog.text


async def test_a_bug_does_not_end_it(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    async with watching(world_of(), service) as watched, trio.open_nursery() as nursery:
        nursery.start_soon(watched.live.run)
        await trio.sleep(1)
        assert "a bug in looking for models" in caplog.text
        service.models[1] = (SONNET,)
        await trio.sleep(TIMINGS.look)
        assert watched.ids == ["claude-sonnet-5"]
        nursery.cancel_scope.cancel()


async def test_accounts_in_memory_leave_no_trace(autojump_clock: MockClock) -> None:
    world = World(make_credential(1, expires_at=LONG))
    extra = make_credential(0, auth_method="api_key", kiro_api_key="ksk_1", refresh_token=None, access_token=None)
    service = Service(_1=(SONNET,))
    service.models[-1] = (GLM,)
    async with world.open(background=False, extra=(extra,)) as pool:
        watched = Watched(world, pool, service)
        await watched.live.look(starting=True)
        assert watched.ids == ["glm-5", "claude-sonnet-5"]
    assert (await world.state.read()).models == {1: ListedModels(world.clock(), (SONNET,))}


async def test_the_log_counts_and_names_no_account(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kiro_rs_py")
    async with watching(two(), Service(_1=(SONNET,), _2=(OPUS,))) as watched:
        await watched.live.look(starting=True)
    assert "models known: 2, from accounts: 2" in caplog.messages


async def test_the_list_lives_as_long_as_the_block(autojump_clock: MockClock) -> None:
    world, service = world_of(), Service(_1=(SONNET,))
    async with world.open(background=False) as pool, open_models(pool, world.state, service.ask) as live:
        await trio.sleep(1)
        assert live.discovery.models == (SONNET,)
    await trio.sleep(10 * TIMINGS.fresh)
    assert service.asked == [1]


def test_what_is_known_without_asking(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    assert saved_discovery(path) == Discovery()
    path.write_text("{")
    assert saved_discovery(path) == Discovery()
    path.write_text(file_of(make_credential(1), make_credential(2), make_credential(3, disabled=True)))

    def change(state: State) -> None:
        state.models[1] = ListedModels(START, (SONNET,))
        state.models[3] = ListedModels(START, (OPUS,))
        state.models[4] = ListedModels(START, (GLM,))

    StateStore.beside(path).update_now(change)
    assert saved_discovery(path) == Discovery((SONNET,), complete=False)
    path.write_text(file_of(make_credential(1), make_credential(3, disabled=True)))
    assert saved_discovery(path) == Discovery((SONNET,), complete=True)


async def test_accounts_that_are_removed_while_others_are_asked(autojump_clock: MockClock) -> None:
    """The look-up goes on with those that are left; it found a bug in itself here."""
    world = two()

    class Removing(Service):
        async def ask(self, credential: Credential) -> tuple[DiscoveredModel, ...]:
            await watched.pool.edit(lambda document: document.remove(3 - credential.id))
            return await super().ask(credential)

    async with watching(world, Removing(_1=(OPUS,), _2=(GLM,))) as watched:
        await watched.live.look()
        assert watched.ids == ["claude-opus-5"]


async def test_an_account_that_is_removed_while_it_is_asked(autojump_clock: MockClock) -> None:
    class Removing(Service):
        async def ask(self, credential: Credential) -> tuple[DiscoveredModel, ...]:
            await watched.pool.edit(lambda document: document.remove(credential.id))
            return await super().ask(credential)

    service = Removing(_1=Throttled("x"))
    async with watching(world_of(), service) as watched:
        await watched.live.look()
    async with watching(World(make_credential(1, expires_at=STALE)), service) as watched:
        await watched.live.look()
    assert service.asked == [1, 1]


async def test_a_locked_account_is_found_here_too(autojump_clock: MockClock) -> None:
    async with watching(world_of(), Service(_1=AccountSuspended("x"))) as watched:
        await watched.live.look()
        assert watched.pool.snapshot()[0].state == "suspended"
