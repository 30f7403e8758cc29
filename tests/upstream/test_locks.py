"""Locks between processes, and between two holders in one process."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from kiro_rs_py.upstream.locks import FileLock, LockState, look_at_lock
from tests.upstream.children import run_unprivileged


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert first.try_acquire()
    assert first.held
    assert not second.try_acquire()
    assert not second.acquire(0.02)
    first.release()
    first.release()
    assert second.acquire(5)
    second.release()
    assert not second.held


async def test_a_task_waits_without_stopping_the_others(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert first.try_acquire()
    assert not await second.acquire_async(0.02)
    events: list[str] = []

    async def wait() -> None:
        assert await second.acquire_async(30)
        events.append("acquired")
        second.release()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(0.05)
        events.append("released")
        first.release()
    assert events == ["released", "acquired"]


def test_the_file_is_private_and_stays(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    assert lock.try_acquire()
    lock.release()
    assert lock.path.exists()
    if sys.platform != "win32":
        assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600


def test_a_text_for_the_next_holder(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    assert lock.peek_text() == ""
    assert lock.try_acquire()
    assert lock.read_text() == ""
    lock.write_text("a longer text")
    lock.write_text("short")
    lock.release()
    assert lock.peek_text() == "short"
    assert lock.try_acquire()
    assert lock.read_text() == "short"
    lock.release()


HOLD = """
import sys, time
from pathlib import Path
from kiro_rs_py.upstream.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.try_acquire(), flush=True)
time.sleep(600)
"""


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        lock = FileLock(path)
        assert not lock.try_acquire()
        child.kill()
        child.wait()
    assert lock.acquire(10)
    lock.release()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "missing" / "a.lock").try_acquire()


@pytest.mark.parametrize(
    ("code", "taken"), [(errno.ENOLCK, True), (errno.EAGAIN, False), (errno.EACCES, False), (errno.EIO, None)]
)
def test_a_file_system_that_refuses(
    code: int, taken: bool | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    lock = FileLock(tmp_path / "a.lock", lock=refuse)
    if taken is None:
        with pytest.raises(OSError, match=os.strerror(code)):
            lock.try_acquire()
    else:
        assert lock.try_acquire() is taken
    assert lock.held is bool(taken)
    assert ("no locks" in caplog.text) is bool(taken)
    lock.release()


# --- folders that take no files ---------------------------------------------------------------------------------

ELSEWHERE = """
import json, sys, tempfile
from pathlib import Path
from kiro_rs_py.upstream.locks import FileLock
folder = Path(sys.argv[1])
tempfile.tempdir = str(folder / "tmp")
drop()
(folder / "data").chmod(0o500)
PREPARE
first, second = FileLock(folder / "data" / "a.lock"), FileLock(folder / "data" / "a.lock")
try:
    results = [first.try_acquire(), second.try_acquire()]
    first.write_text("left")
    first.release()
    results.append(second.peek_text())
except OSError as error:
    results = [type(error).__name__]
found = [item for item in folder.rglob("*") if item.is_file()]
print(json.dumps([results, len(found), [oct(item.stat().st_mode & 0o777) for item in found]]))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "tmp").mkdir()
        yield folder
        (folder / "data").chmod(0o700)


def test_beside_a_read_only_folder_the_lock_lies_in_the_temporary_one(open_folder: Path) -> None:
    script = ELSEWHERE.replace("PREPARE", "")
    assert run_unprivileged(script, open_folder) == [[True, False, "left"], 1, ["0o600"]]


def test_a_temporary_folder_that_is_no_folder_is_not_trusted(open_folder: Path) -> None:
    script = ELSEWHERE.replace("PREPARE", "(folder / 'tmp' / f'kiro-rs-py-locks-{os.geteuid()}').symlink_to(folder)")
    assert run_unprivileged(f"import os\n{script}", open_folder) == [["PermissionError"], 0, []]


def test_a_lock_file_of_somebody_else_is_an_error_and_not_replaced_by_another(open_folder: Path) -> None:
    script = ELSEWHERE.replace(
        "PREPARE",
        "(folder / 'data').chmod(0o700); (folder / 'data' / 'a.lock').touch(); "
        "(folder / 'data' / 'a.lock').chmod(0o000)",
    )
    assert run_unprivileged(script, open_folder) == [["PermissionError"], 1, ["0o0"]]


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
