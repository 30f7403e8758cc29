from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from kiro_rs_py.cli.session import AT_ONCE, Session, for_each, open_offline_pool, run_command
from kiro_rs_py.config import Config
from kiro_rs_py.errors import LoginFailed, RefreshFailed
from tests.cli.conftest import RunCli


def test_a_result_and_an_error_come_out_as_they_are() -> None:
    async def work() -> int:
        await trio.lowlevel.checkpoint()
        return 7

    async def fail() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise LoginFailed("no", code="x")

    assert run_command(work) == 7
    with pytest.raises(LoginFailed):
        run_command(fail)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_and_what_is_shielded_ends(number: signal.Signals) -> None:
    done: list[str] = []

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            os.kill(os.getpid(), number)
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0.01)
                    done.append("saved")

    with pytest.raises(KeyboardInterrupt):
        run_command(work)
    assert done == ["saved"]


def test_what_was_done_before_the_signal_counts() -> None:
    async def work() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        with trio.CancelScope(shield=True):
            await trio.sleep(0.01)
        return "done"

    assert run_command(work) == "done"


def test_a_second_signal_does_not_wait() -> None:
    program = """
import os, signal, trio
from kiro_rs_py.cli.session import run_command
async def work():
    os.kill(os.getpid(), signal.SIGINT)
    with trio.CancelScope(shield=True):
        await trio.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()
run_command(work)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 130


async def test_a_few_at_a_time() -> None:
    running = most = 0

    async def work(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(0.001)
        running -= 1

    await for_each(range(20), work)
    assert most == AT_ONCE


def test_the_offline_pool_asks_nobody(home: Path) -> None:
    Path("credentials.json").write_text(json.dumps({"refreshToken": "r" * 120}))

    async def work() -> None:
        async with open_offline_pool(Config()) as pool:
            await pool.force_refresh(pool.snapshot()[0].id)

    with pytest.raises(RefreshFailed, match="does not refresh"):
        run_command(work)


def test_a_session_opens_nothing_by_itself(home: object) -> None:
    assert Session(Config()).store.path == Config().credentials_path
    assert os.listdir() == []


def test_offline_commands_do_not_import_httpx(cli: RunCli) -> None:
    program = "import sys; from kiro_rs_py.cli import run; run(['accounts', 'list']); sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, stderr=subprocess.DEVNULL).returncode == 0
