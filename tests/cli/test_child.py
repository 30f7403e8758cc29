"""A child process: its exit code, and what signals become of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from kiro_rs_py.cli.child import Child, with_signals
from tests.proxy import wait_for

# Makes a file when it is there, with a point for each signal it gets; ends at the second, or at SIGTERM.
TELLER = """
import signal, sys
seen = []
def tell(number, frame):
    seen.append(number)
    with open(sys.argv[1], "a") as file:
        file.write(".")
    if number == signal.SIGTERM or len(seen) > 1:
        sys.exit(40 + len(seen))
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, tell)
open(sys.argv[1], "w").close()
while True:
    signal.pause()
"""


async def run(*command: str, **environ: str) -> int:
    child = Child(command)

    async def work() -> None:
        await child.run({**os.environ, **environ})

    return await with_signals(child, work)


def python(script: str) -> tuple[str, str, str]:
    return sys.executable, "-c", script


async def test_exit_codes() -> None:
    assert await run(*python("pass")) == 0
    assert await run(*python("raise SystemExit(7)")) == 7
    assert await run(*python("import os; os.kill(os.getpid(), 15)")) == 128 + 15


async def test_it_has_the_given_environment_and_our_files(capfd: pytest.CaptureFixture[str]) -> None:
    assert await run(*python("import os; print(os.environ['COLOUR'])"), COLOUR="blue") == 0
    assert capfd.readouterr().out == "blue\n"


async def test_a_program_that_is_none() -> None:
    child = Child(["/dev/null"])
    with pytest.raises(OSError, match="denied"):
        await child.run({})
    assert child.code is None


async def tell(folder: Path, *numbers: int, is_foreground: bool = False) -> int:
    """Run the teller, send ourselves signals; its exit code."""
    heard = folder / "heard"
    child = Child([*python(TELLER), str(heard)], is_foreground=lambda: is_foreground)

    async def send() -> None:
        await wait_for(heard.exists)
        for count, number in enumerate(numbers, 1):
            signal.raise_signal(number)
            if not is_foreground:
                await wait_for(lambda: heard.read_text().count(".") >= count)  # noqa: B023

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await child.run(os.environ)
            nursery.cancel_scope.cancel()

    with trio.fail_after(60):
        return await with_signals(child, work)


@pytest.mark.parametrize(("numbers", "code"), [((signal.SIGINT, signal.SIGHUP), 42), ((signal.SIGTERM,), 41)])
async def test_signals_are_passed_on(numbers: tuple[int, ...], code: int, tmp_path: Path) -> None:
    assert await tell(tmp_path, *numbers) == code


async def test_what_is_typed_reaches_the_child_without_us(tmp_path: Path) -> None:
    """Here nobody has typed anything, so only SIGTERM arrives."""
    assert await tell(tmp_path, signal.SIGINT, signal.SIGINT, signal.SIGTERM, is_foreground=True) == 41


async def test_before_the_child_runs_a_signal_is_the_end() -> None:
    child = Child(python("raise SystemExit(3)"))

    async def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        await trio.sleep_forever()

    with trio.fail_after(20):
        assert await with_signals(child, work) == 128 + signal.SIGTERM


async def test_after_it_a_signal_does_not_wait_for_the_rest() -> None:
    child = Child(python("raise SystemExit(3)"))

    async def work() -> None:
        await child.run(os.environ)
        signal.raise_signal(signal.SIGINT)
        await trio.sleep_forever()

    with trio.fail_after(20):
        assert await with_signals(child, work) == 3


STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(600)"


@pytest.mark.parametrize("script", ["import time; time.sleep(600)", STUBBORN])
async def test_it_does_not_outlive_us(script: str) -> None:
    child = Child(python(script), patience=0.2)
    with trio.fail_after(20):
        with trio.move_on_after(0.5):
            await child.run(os.environ)
    assert child.code is None


def test_without_a_terminal_nobody_is_in_the_foreground() -> None:
    """With one it is tested by tests/cli/test_run.py."""
    script = "from kiro_rs_py.cli.child import in_foreground; print(in_foreground())"
    told = subprocess.run(python(script), stdout=subprocess.PIPE, start_new_session=True, check=True).stdout
    assert told == b"False\n"
