"""Who holds a lock, as the doctor tells it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiro_rs_py.upstream.lock_holders import LockState, look_at_lock
from kiro_rs_py.upstream.locks import FileLock

HOLDER = """
import sys
from pathlib import Path
from kiro_rs_py.upstream.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.try_acquire()
lock.write_text(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path, text: str = "") -> Iterator[int]:
    """Another process holds the lock; its number."""
    command = [sys.executable, "-c", HOLDER, str(path), text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process.pid
        process.communicate()


def test_a_free_lock_and_one_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    assert look_at_lock(path) == LockState()
    assert not path.exists()
    path.touch()
    assert look_at_lock(path) == LockState()
    assert FileLock(path).try_acquire()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists its locks")
def test_the_system_tells_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with held_elsewhere(path) as pid:
        state = look_at_lock(path, seconds=0.05)
    assert (state.held, state.pid) == (True, pid)
    assert state.program.startswith("python")
    assert str(state) == f"process {pid} ({state.program})"


def test_elsewhere_the_file_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    no_list = tmp_path / "locks"
    with held_elsewhere(path, f"{2**22 + 1}\n"):
        state = look_at_lock(path, seconds=0.05, locks=no_list)
        no_list.write_text("1: FLOCK  ADVISORY  WRITE 77 00:00:1 0 EOF\n")
        assert look_at_lock(path, seconds=0.05, locks=no_list) == state
    assert state == LockState(held=True, pid=2**22 + 1)
    assert str(state) == f"process {2**22 + 1}"


def test_or_nobody_does(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with held_elsewhere(path, "something"):
        state = look_at_lock(path, seconds=0.05, locks=tmp_path / "none")
    assert state == LockState(held=True)
    assert str(state) == "another process"


def test_what_a_dead_holder_left(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.write_text(f"{os.getpid()}\n")
    assert look_at_lock(path) == LockState(left_over=True)
    assert path.read_text() == f"{os.getpid()}\n"
