"""Who holds one of our locks (operations §10.3): for the doctor, who must not wait as long as others do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiro_rs_py.upstream.locks import FileLock

SECONDS: Final = 1.5
"""A lock is held for milliseconds, across a refresh for about a second."""

_LOCKS: Final = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class LockState:
    """``held`` for longer than :data:`SECONDS`, by ``pid`` and its ``program`` if the system tells. ``left_over``: the
    holder of a refresh died between asking for a token and saving it."""

    held: bool = False
    pid: int | None = None
    program: str = ""
    left_over: bool = False

    def __str__(self) -> str:
        if self.pid is None:
            return "another process"
        return f"process {self.pid} ({self.program})" if self.program else f"process {self.pid}"


def look_at_lock(path: Path, *, seconds: float = SECONDS, locks: Path = _LOCKS) -> LockState:
    """The state of the lock file at ``path``; one that is not there is free. Blocking. Raises OSError if it cannot be
    opened."""
    if not path.exists():
        return LockState()
    lock = FileLock(path)
    if lock.acquire(seconds):
        left_over = bool(lock.read_text().strip())
        lock.release()
        return LockState(left_over=left_over)
    pid = _holder(path, locks) or _written_pid(lock.peek_text())
    return LockState(held=True, pid=pid, program=_program(pid))


def _holder(path: Path, locks: Path) -> int | None:
    """Linux lists locks by device and inode."""
    try:
        found = path.stat()
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if name in words and "->" not in words:  # an arrow marks those who wait
            return int(words[words.index(name) - 1])
    return None


def _written_pid(text: str) -> int | None:
    """Whoever refreshes leaves its number in the file."""
    word = text.strip()
    return int(word) if word.isascii() and word.isdigit() else None


def _program(pid: int | None) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() if pid is not None else ""
    except OSError:
        return ""
