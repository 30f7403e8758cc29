"""Replacing small private files so that a reader, a crash or a full disk never sees half of one (operations §10.3).

Blocking; call it in a thread and under the file's lock. Everything written here is readable by its owner only.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

# The folder or the mount refuses a rename, yet the file itself may be open to us: a container with a single
# bind-mounted file answers EBUSY (or EXDEV on some file systems), one with a read-only root around it EROFS or EACCES.
_IN_PLACE = frozenset({errno.EBUSY, errno.EXDEV, errno.EROFS, errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class Written:
    """How a file was written. ``in_place``: without the protection of a rename, since the mount allows none."""

    in_place: bool = False
    backup_failed: OSError | None = None


class Stamp(NamedTuple):
    """Tells one state of a file from another; every rename gives a new inode."""

    modified_ns: int
    size: int
    inode: int


def stamp_of(path: Path) -> Stamp | None:
    """The file's present state, None while it is missing or out of reach."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def make_private_folder(folder: Path) -> None:
    """Create a missing folder, 0700. One that exists is the user's and keeps its mode. Raises OSError."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def tighten(path: Path) -> bool:
    """Take group's and others' permissions off a file; True if there were any. Raises OSError if that is refused."""
    if os.name == "nt":  # Windows has no such bits; the user's profile folder is private by its own rules
        return False
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) or not mode & 0o077:
        return False
    path.chmod(mode & 0o700)
    return True


def replace_file(path: Path, content: bytes, *, backup: bool = True) -> Written:
    """Make ``content`` the file's content, whole or not at all, and keep the previous one as ``<name>.bak``.

    A symbolic link stays one: its target is replaced. Raises OSError when nothing could be written; the old content
    is then untouched.
    """
    target = Path(os.path.realpath(path))
    make_private_folder(target.parent)
    backup_failed = _keep_backup(target) if backup else None
    try:
        _discard_leftovers(target)
        _write_and_rename(target, content)
    except OSError as error:
        if error.errno not in _IN_PLACE or not target.exists():
            raise
        if backup and backup_failed is None and _backup_of(target).samefile(target):
            backup_failed = _copy_backup(target)
        rewrite_in_place(target, content)
        return Written(in_place=True, backup_failed=backup_failed)
    return Written(backup_failed=backup_failed)


def probe_write(path: Path, *, spare: int = 4096) -> None:
    """Find out whether :func:`replace_file` could write the file now, and ``spare`` bytes more than it has.

    Only a temporary file beside it is written, and removed. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    make_private_folder(target.parent)
    size = target.stat().st_size if target.exists() else 0
    temporary = _temporary(target)
    try:
        _write_new(temporary, b"\n" * (size + spare))
    except OSError as error:
        if error.errno not in _IN_PLACE or not target.exists():
            raise
        os.close(os.open(target, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)))
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def rewrite_in_place(target: Path, content: bytes) -> None:
    """Overwrite without a moment in which the file is empty, cut, or holds the tail of the old text.

    Line ends, which JSON and TOML both ignore, make old and new text equally long: at the end of the old one first,
    so that a full disk is noticed while that is still whole, or at the end of the new one, to be cut off afterwards.
    Raises OSError.
    """
    descriptor = os.open(target, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(descriptor).st_size
        os.lseek(descriptor, 0, os.SEEK_END)
        try:
            _write_all(descriptor, b"\n" * (len(content) - size))
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        os.lseek(descriptor, 0, os.SEEK_SET)
        _write_all(descriptor, content + b"\n" * (size - len(content)))
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_backup(target: Path) -> OSError | None:
    """A second name for the old file, which takes no room on a disk that may be full; where that is refused, a copy."""
    backup, temporary = _backup_of(target), _temporary(target)
    try:
        os.link(target, temporary)
    except FileNotFoundError:
        return None
    except OSError:
        return _copy_backup(target)
    try:
        temporary.chmod(PRIVATE_FILE)
        temporary.replace(backup)
    except OSError as error:
        # Losing the backup is bad luck, losing the new token to save the backup would be a mistake.
        return error
    finally:
        # Still there if it failed, or if both names meant one file already: then a rename does nothing.
        with contextlib.suppress(OSError):
            temporary.unlink()
    return None


def _copy_backup(target: Path) -> OSError | None:
    try:
        _write_and_rename(_backup_of(target), target.read_bytes())
    except OSError as error:
        return error
    return None


def _backup_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.bak")


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")


def _write_and_rename(target: Path, content: bytes) -> None:
    temporary = _temporary(target)
    try:
        _write_new(temporary, content, owner_of=target)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _write_new(path: Path, content: bytes, *, owner_of: Path | None = None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        _write_all(descriptor, content)
        if owner_of is not None:
            _keep_owner(descriptor, owner_of)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _keep_owner(descriptor: int, target: Path) -> None:
    """Root, in a container or a cron job, must not take the file away from the user whose folder it is in."""
    if not hasattr(os, "fchown"):
        return
    with contextlib.suppress(OSError):
        owner = (target if target.exists() else target.parent).stat()
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable. Some systems cannot sync a folder; the rename is done all the same."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _discard_leftovers(target: Path) -> None:
    """Temporary files of processes that were killed; the caller holds the lock, so nobody is writing one now."""
    for folder_entry in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            folder_entry.unlink()
