"""Locks between processes (operations §10.3): one small file each, locked by the operating system.

The lock lies beside the data and is never the data file itself, which a rename replaces. It is created 0600, never
deleted, and freed by the system when its holder dies. It can carry a short text for the next holder.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import random
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

logger = logging.getLogger(__name__)

_SHORTEST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25
_TEXT_LIMIT = 4096
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_BUSY = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


if sys.platform == "win32":
    import msvcrt

    def lock_descriptor(descriptor: int) -> None:
        # Windows forbids others to read locked bytes, so one far behind the text is locked.
        os.lseek(descriptor, 2**30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def lock_descriptor(descriptor: int) -> None:
        # flock belongs to the open file: it also excludes a second pool in this process, which lockf would not.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """An exclusive lock; also between two of these in one process.

    Not reentrant. On a file system without locks acquiring succeeds without protection, after a warning, because a
    token that cannot be saved is worse than two that race.
    """

    def __init__(self, path: Path, *, lock: Callable[[int], None] = lock_descriptor) -> None:
        """``lock`` locks an open file or raises OSError at once."""
        self.path = path
        self._lock = lock
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """One try, without waiting. Raises OSError when the lock file cannot be opened."""
        assert self._descriptor is None
        descriptor = _open(self.path)
        try:
            self._lock(descriptor)
        except OSError as error:
            if error.errno in _BUSY or error.errno not in _UNSUPPORTED:
                os.close(descriptor)
                if error.errno in _BUSY:
                    return False
                raise
            logger.warning("%s: this file system has no locks; run one process at a time on it.", self.path.name)
        self._descriptor = descriptor
        return True

    def acquire(self, seconds: float) -> bool:
        """Try for at most ``seconds``, sleeping in between: for threads. False if somebody else still holds it."""
        deadline = time.monotonic() + seconds
        pause = _SHORTEST_PAUSE
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                return False
            pause = _next_pause(pause)
            time.sleep(pause)
        return True

    async def acquire_async(self, seconds: float) -> bool:
        """The same for tasks: each try runs in a thread, the pauses are the event loop's."""
        deadline = trio.current_time() + seconds
        pause = _SHORTEST_PAUSE
        while not await trio.to_thread.run_sync(self.try_acquire):
            if trio.current_time() >= deadline:
                return False
            pause = _next_pause(pause)
            await trio.sleep(pause)
        return True

    def release(self) -> None:
        """Let the next one in. Does nothing when the lock is not held."""
        if self._descriptor is not None:
            # Closing frees the lock, and there is no moment in between.
            os.close(self._descriptor)
            self._descriptor = None

    def read_text(self) -> str:
        """What the last holder wrote. Only while held."""
        assert self._descriptor is not None
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, _TEXT_LIMIT).decode("utf-8", "replace")

    def write_text(self, text: str) -> None:
        """Leave a text for the next holder. Only while held. A full disk is not worth an error here."""
        assert self._descriptor is not None
        try:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, text.encode()[:_TEXT_LIMIT])
            os.ftruncate(self._descriptor, len(text.encode()[:_TEXT_LIMIT]))
        except OSError as error:
            logger.warning("%s cannot be written: %s.", self.path.name, error.strerror)

    def peek_text(self) -> str:
        """What the last holder wrote, without taking the lock; empty when there is no lock file."""
        for path in (self.path, _fallback_path(self.path)):
            try:
                return path.read_bytes()[:_TEXT_LIMIT].decode("utf-8", "replace")
            except OSError:
                continue
        return ""


def _next_pause(pause: float) -> float:
    # Jitter, so that processes which met once do not keep meeting.
    return min(_LONGEST_PAUSE, pause * random.uniform(1.0, 2.0))  # noqa: S311 (not for secrets)


def _open(path: Path) -> int:
    try:
        return _open_private(path)
    except OSError as error:
        # A folder that takes no new files: a container with a read-only root. If it does take files, the lock file is
        # somebody else's, and a lock of our own elsewhere would protect nothing.
        if error.errno not in _REFUSED or os.access(path.parent, os.W_OK):
            raise
    fallback = _fallback_path(path)
    fallback.parent.mkdir(mode=0o700, exist_ok=True)
    found = fallback.parent.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        raise PermissionError(errno.EACCES, "the folder for locks belongs to somebody else", str(fallback.parent))
    return _open_private(fallback)


def _open_private(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Root's cron job must not lock out the user who runs the server.
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _fallback_path(path: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    return Path(tempfile.gettempdir()) / f"kiro-rs-py-locks-{user}" / f"{digest}.lock"


# --- who holds one: for the doctor, who must not wait as long as others do ----------------------------------------

LOOK_SECONDS = 1.5
"""A lock is held for milliseconds, across a refresh for about a second."""

_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class LockState:
    """``held`` for longer than :data:`LOOK_SECONDS`, by ``pid`` and its ``program`` if the system tells.
    ``left_over``: the holder of a refresh died between asking for a token and saving it."""

    held: bool = False
    pid: int | None = None
    program: str = ""
    left_over: bool = False

    def __str__(self) -> str:
        if self.pid is None:
            return "another process"
        return f"process {self.pid} ({self.program})" if self.program else f"process {self.pid}"


def look_at_lock(path: Path, *, seconds: float = LOOK_SECONDS, locks: Path = _LOCKS) -> LockState:
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
