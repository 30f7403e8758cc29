from __future__ import annotations

import pytest
import trio
import trio.testing

from kiro_rs_py import __version__
from kiro_rs_py.config import Config
from kiro_rs_py.serve import health
from kiro_rs_py.serve.app import App
from kiro_rs_py.serve.health import Readiness, readiness_of
from tests.serve.in_memory import KEY, ask
from tests.upstream.pool_parts import file_of, make_credential
from tests.upstream.pool_world import World

US = {"name": "kiro-rs-py", "version": __version__}


def app(*obstacles: str) -> App:
    return App(health.routes(lambda: Readiness(obstacles)), Config(api_key=KEY))


@pytest.mark.parametrize("path", ["/", "/api/hello", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probes_need_no_key(method: str, path: str) -> None:
    answer = await ask(app(), method, path, key=None)
    assert answer.status == 200
    assert answer.headers["request-id"].startswith("req_")


async def test_they_say_who_is_there() -> None:
    assert (await ask(app(), "GET", "/", key=None)).json == US
    assert (await ask(app(), "GET", "/healthz", key=None)).json == {"status": "ok", **US}


async def test_unready_is_alive() -> None:
    answer = await ask(app("stopping"), "GET", "/readyz", key=None)
    assert (answer.status, answer.json) == (503, {"status": "not ready", "problems": ["stopping"]})
    assert (await ask(app("stopping"), "GET", "/healthz", key=None)).status == 200


async def test_other_methods_are_refused() -> None:
    answer = await ask(app(), "POST", "/healthz", key=None)
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


async def test_what_ready_means() -> None:
    world = World(make_credential(1), make_credential(2))
    async with world.open(background=False) as pool:
        assert readiness_of(pool, closing=False) == Readiness([], [])
        assert readiness_of(pool, closing=True) == Readiness(["stopping"], [])
        await pool.set_disabled(1, True)
        assert readiness_of(pool, closing=False).ready
        await pool.set_disabled(2, True)
        assert readiness_of(pool, closing=False) == Readiness(["no_usable_account"], [])


async def test_an_entry_that_is_left_out_is_told_but_does_no_harm() -> None:
    world = World(make_credential(1))
    world.store.replace(file_of(make_credential(1))[:-1].rstrip() + ', {"authMethod": "magic"}]')
    async with world.open(background=False) as pool:
        found = readiness_of(pool, closing=False)
        assert (found.ready, found.problems) == (True, ["credential_entries_left_out"])


async def test_tokens_that_cannot_be_saved_are_an_obstacle(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    async with world.open(background=False) as pool:
        world.store.read_only = world.store.hides_it = True
        await pool.force_refresh(1)
        assert readiness_of(pool, closing=False) == Readiness(["credentials_not_saved"], [])
        world.store.read_only = False
        await trio.sleep(120)
        assert readiness_of(pool, closing=False).ready
