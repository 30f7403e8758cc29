"""Several processes refresh one credentials file against a service that rotates and notices reuse."""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import RunningSimulator, open_simulator
from kiro_rs_py.upstream.document import CredentialDocument
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.locks import FileLock
from kiro_rs_py.upstream.pool import CredentialPool, open_pool
from kiro_rs_py.upstream.refresh import Refresher
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore
from tests.upstream.memory import MemoryStateStore

REFRESH = "/refreshToken"


def new_simulator() -> Simulator:
    return Simulator(accounts=[Account(name="social"), Account(name="builder", method="idc", provider="BuilderId")])


def write_accounts(path: Path, simulator: Simulator, *, expired: bool, names: tuple[str, ...]) -> None:
    entries: list[Json] = []
    for number, name in enumerate(names, 1):
        entries.append(simulator.credential_json(name, id=number, future=[number], expired=expired))
    path.touch(0o600)
    path.write_text(json.dumps(entries))


async def race(path: Path, running: RunningSimulator, processes: int, what: str, number: int) -> Counter[str]:
    """Run so many racers at once; what they saw, added up."""
    command = [sys.executable, "-W", "error", "-m", "tests.upstream.racer", str(path), running.url, what, str(number)]
    seen: Counter[str] = Counter()

    async def one() -> None:
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        seen.update(json.loads(done.stdout))

    async with trio.open_nursery() as nursery:
        for _ in range(processes):
            nursery.start_soon(one)
    return seen


def outcomes(simulator: Simulator) -> Counter[str]:
    return Counter(refresh.outcome for refresh in simulator.grants.refreshes)


async def refresh_all(path: Path, running: RunningSimulator) -> set[int]:
    """Prove that the tokens in the file are live: refresh each once more."""
    config = Config(upstream_url=running.url)
    http = HttpClients(config)
    async with (
        open_pool(config, CredentialStore(path), MemoryStateStore(), Refresher(http, config)) as pool,
    ):
        return {(await pool.force_refresh(status.id)).id for status in pool.snapshot()}


async def test_processes_that_force_refreshes_lose_and_reuse_no_token(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    simulator = new_simulator()
    write_accounts(path, simulator, expired=False, names=("social", "builder"))
    async with open_simulator(simulator) as running:
        seen: Counter[str] = Counter()

        async def edit() -> None:
            """An editor that changes other members of the same entries all the while."""
            store = CredentialStore(path)
            for number in range(30):

                def change(document: CredentialDocument, number: int = number) -> None:
                    document.patch(1, {"priority": number})

                await store.update(change)
                await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(edit)
            seen.update(await race(path, running, processes=4, what="force", number=15))
        assert dict(seen) == {"refreshed": 4 * 15 * 2}
        assert simulator.reuses == 0
        assert set(outcomes(simulator)) == {"rotated"}
        # Every process had to wait for others and took their tokens over instead of asking again.
        assert 2 * 15 <= outcomes(simulator)["rotated"] <= 4 * 15 * 2
        entries = json.loads(path.read_text())
        assert [entry["future"] for entry in entries] == [[1], [2]]
        assert entries[0]["priority"] == 29
        assert await refresh_all(path, running) == {1, 2}
    assert simulator.reuses == 0


async def test_one_call_for_one_expiry_whoever_asks(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    simulator = new_simulator()
    write_accounts(path, simulator, expired=True, names=("social",))
    async with open_simulator(simulator) as running:
        seen = await race(path, running, processes=3, what="lease", number=100)
    assert dict(seen) == {"leased": 300}
    assert outcomes(simulator) == {"rotated": 1}


async def test_a_single_object_is_shared_just_the_same(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    simulator = new_simulator()
    path.touch(0o600)
    path.write_text(json.dumps(simulator.credential_json("social", mine="kept")))
    async with open_simulator(simulator) as running:
        seen = await race(path, running, processes=2, what="force", number=8)
        assert dict(seen) == {"refreshed": 16}
        assert simulator.reuses == 0
        entry = json.loads(path.read_text())
        assert (entry["mine"], "id" in entry) == ("kept", False)
        assert await refresh_all(path, running) == {1}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
async def test_a_process_killed_while_it_asks_leaves_lock_and_token_to_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "credentials.json"
    simulator = new_simulator()
    write_accounts(path, simulator, expired=True, names=("social",))
    async with open_simulator(simulator) as running:
        hold = simulator.hold_next(REFRESH)
        simulator.fail_next(REFRESH, drop=True)  # what becomes of the held one: never rotated
        command = [sys.executable, "-m", "tests.upstream.racer", str(path), running.url, "lease", "1"]
        async with trio.open_nursery() as nursery:
            child = await nursery.start(partial(trio.run_process, command, check=False, capture_stdout=True))
            await hold.arrived.wait()
            lock = FileLock(tmp_path / ".credentials.json.refresh-1.lock")
            assert not lock.try_acquire()
            child.kill()
        hold.release.set()
        assert await refresh_all(path, running) == {1}
    assert "its last refresh was interrupted" in caplog.text
    assert outcomes(simulator) == {"rotated": 1}


async def test_a_client_that_hangs_up_during_a_refresh_loses_no_token(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    simulator = new_simulator()
    write_accounts(path, simulator, expired=True, names=("social",))
    async with open_simulator(simulator) as running:
        config = Config(upstream_url=running.url)
        http = HttpClients(config)
        async with (
            open_pool(config, CredentialStore(path), StateStore.beside(path), Refresher(http, config)) as pool,
            trio.open_nursery() as nursery,
        ):
            hold = simulator.hold_next(REFRESH)
            asker = trio.CancelScope()

            async def ask(pool: CredentialPool, asker: trio.CancelScope) -> None:
                with asker:
                    await pool.lease("m")

            nursery.start_soon(ask, pool, asker)
            await hold.arrived.wait()
            asker.cancel()
            hold.release.set()
            lease = await pool.lease("m")
            assert CredentialStore(path).load().credentials[0].refresh_token == lease.credential.refresh_token
    assert outcomes(simulator) == {"rotated": 1}
