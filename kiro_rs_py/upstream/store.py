"""CredentialStore: the only reader and writer of the credentials file (operations §10.3).

Every write is read-merge-write under an OS lock: the file is read again, one change is applied to it, and it is
replaced as a whole, so that an editor, a cron job and a second server lose nothing of each other's work. Two levels of
locks: the store's, held for milliseconds, and one per credential, held across a refresh; the latter is taken first.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar, cast, get_args

import trio

from kiro_rs_py.convert.anthropic import json_object
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.atomic import Stamp, make_private_folder, probe_write, replace_file, stamp_of, tighten
from kiro_rs_py.upstream.document import CredentialDocument, Origin, StoredCredentials
from kiro_rs_py.upstream.emergency import EmergencyCopies, EmergencyCopy
from kiro_rs_py.upstream.locks import FileLock

logger = logging.getLogger(__name__)

T = TypeVar("T")

STORE_LOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Updated(Generic[T]):
    """What a change returned, and what the file holds after it."""

    value: T
    stored: StoredCredentials


class RefreshTurn:
    """The right to refresh one credential. ``held`` is False when another process kept it too long.

    What :meth:`started` leaves in the lock file is found by the next holder if this one dies before :meth:`finished`.
    """

    def __init__(self, lock: FileLock | None, *, held: bool = True) -> None:
        self._lock = lock if held else None
        self.held = held

    def interrupted(self) -> bool:
        """Whether the previous holder died between asking for a token and saving it."""
        return bool(self._lock and self._lock.read_text())

    def started(self) -> None:
        """The token service is about to be asked."""
        if self._lock:
            self._lock.write_text(f"{os.getpid()}\n")

    def finished(self) -> None:
        """The answer is on disk, or there was none."""
        if self._lock:
            self._lock.write_text("")


class CredentialStore:
    """One credentials file. A missing file is an empty list; nothing is created before the first change."""

    def __init__(
        self, path: Path, *, lock_seconds: float = STORE_LOCK_SECONDS, emergency_folders: Sequence[Path] | None = None
    ) -> None:
        self.path = path
        self._copies = EmergencyCopies(path, emergency_folders)
        self._lock_seconds = lock_seconds
        self._given: dict[str, int] = {}
        """The ids, by fingerprint, of entries that have none in the file: they keep them while it takes none."""
        self._threads = trio.CapacityLimiter(2)
        self._said: set[str] = set()

    def load(self) -> StoredCredentials:
        """Read the file; blocking. Raises CredentialFileError if it cannot be read or is not a credentials file."""
        text = self._read_text()
        memory = _remembered(self._lock().peek_text())
        try:
            return self._parse(text, memory).stored()
        except CredentialFileError:
            # A file that is rewritten in place (see atomic.py) may be met half way; under the lock it is whole.
            lock = self._lock()
            if text is None or not self._acquire(lock, 1.0):
                raise
            try:
                return self._parse(self._read_text(), memory).stored()
            finally:
                lock.release()

    def peek(self) -> StoredCredentials:
        """Like :meth:`load`, but without touching anything, not even permissions that are too wide."""
        return self._parse(self._decoded_text(), _remembered(self._lock().peek_text())).stored()

    def lock_path(self, credential_id: int | None = None) -> Path:
        """The lock file of this store, or of the refreshes of one account."""
        # Beside the target of a symbolic link: two links to one file must share its locks.
        target = Path(os.path.realpath(self.path))
        name = target.name
        return target.with_name(f"{name}.lock" if credential_id is None else f".{name}.refresh-{credential_id}.lock")

    def update_now(self, change: Callable[[CredentialDocument], T]) -> Updated[T]:
        """Read, apply ``change``, write if it changed anything; blocking.

        An exception of ``change`` passes through and nothing is written. Raises CredentialFileError, with a remedy,
        if the file cannot be locked, read or written; it then still holds what it held before.
        """
        with self._locked() as lock:
            before = lock.read_text()
            memory = _remembered(before)
            document = self._parse(self._read_text(), memory)
            value = change(document)
            document.complete_ids()
            if document.changed:
                present = _Memory(document.last_id, document.origin)
                if present != memory:
                    # Before the file: a gap is harmless, a second use is not.
                    lock.write_text(json.dumps(present._asdict()))
                try:
                    self._write(document.to_text())
                except CredentialFileError:
                    # No id was given out after all. With a gap, other processes would number the entries otherwise,
                    # and lock other files for the same account.
                    lock.write_text(before)
                    raise
            return Updated(value, document.stored())

    def check_writable(self) -> None:
        """Find out whether a change could be saved now; blocking. Raises CredentialFileError, with a remedy."""
        with self._locked():
            try:
                probe_write(self.path)
            except OSError as error:
                raise self._explain(error, "written") from error

    async def read(self) -> StoredCredentials:
        """:meth:`load` in a thread."""
        return await trio.to_thread.run_sync(self.load, limiter=self._threads)

    async def update(self, change: Callable[[CredentialDocument], T]) -> Updated[T]:
        """:meth:`update_now` in a thread, not interrupted by cancellation once it runs."""
        return await trio.to_thread.run_sync(self.update_now, change, abandon_on_cancel=False, limiter=self._threads)

    async def probe(self) -> None:
        """:meth:`check_writable` in a thread."""
        await trio.to_thread.run_sync(self.check_writable, limiter=self._threads)

    async def stamp(self) -> Stamp | None:
        """The file's present state, None while it is missing or out of reach."""
        return await trio.to_thread.run_sync(stamp_of, self.path, limiter=self._threads)

    @asynccontextmanager
    async def refresh_turn(self, credential_id: int, seconds: float) -> AsyncIterator[RefreshTurn]:
        """Wait at most ``seconds`` for the right to refresh one credential, among all processes on this file.

        Raises CredentialFileError if there can be no lock file.
        """
        lock = FileLock(self.lock_path(credential_id))
        try:
            held = await lock.acquire_async(seconds)
        except OSError as error:
            raise self._explain(error, "locked") from error
        try:
            yield RefreshTurn(lock, held=held)
        finally:
            lock.release()

    # --- new tokens that the file does not take (emergency.py), in threads ---

    async def emergency_copies(self) -> list[EmergencyCopy]:
        """Those that wait to be saved."""
        return await trio.to_thread.run_sync(self._copies.load, limiter=self._threads)

    async def keep_copy(self, copy: EmergencyCopy) -> Path:
        """Where it is kept. Raises CredentialFileError if nowhere."""
        return await trio.to_thread.run_sync(self._copies.keep, copy, limiter=self._threads)

    async def drop_copies(self, fingerprints: Collection[str | None]) -> None:
        """These tokens are saved, or spent."""
        await trio.to_thread.run_sync(self._copies.drop, fingerprints, limiter=self._threads)

    # --- the file itself ---

    def _lock(self) -> FileLock:
        return FileLock(self.lock_path())

    def _acquire(self, lock: FileLock, seconds: float) -> bool:
        try:
            make_private_folder(lock.path.parent)
            return lock.acquire(seconds)
        except OSError as error:
            raise self._explain(error, "locked") from error

    @contextmanager
    def _locked(self) -> Iterator[FileLock]:
        lock = self._lock()
        if not self._acquire(lock, self._lock_seconds):
            raise CredentialFileError(
                f"{self.path} has been locked by another process for {self._lock_seconds:.0f} seconds. "
                "Look for a kiro-rs-py that hangs and end it."
            )
        try:
            yield lock
        finally:
            lock.release()

    def _parse(self, text: str | None, memory: _Memory) -> CredentialDocument:
        document = CredentialDocument(
            text, name=str(self.path), last_id=memory.last_id, origin=memory.origin, given=self._given
        )
        self._given = document.given
        return document

    def _read_text(self) -> str | None:
        try:
            if tighten(self.path):
                logger.warning("%s was readable by others; it is now private (0600).", self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say_once(f"{self.path} may be readable by others and cannot be made private: {error.strerror}.")
        return self._decoded_text()

    def _decoded_text(self) -> str | None:
        try:
            return self.path.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise CredentialFileError(f"{self.path} is not UTF-8 text. Save it as UTF-8.") from error
        except OSError as error:
            raise self._explain(error, "read") from error

    def _write(self, text: str) -> None:
        try:
            written = replace_file(self.path, text.encode())
        except OSError as error:
            raise self._explain(error, "written") from error
        if written.in_place:
            self._say_once(
                f"{self.path} can only be rewritten in place, which a power cut may damage: "
                "a container should mount its folder, not the single file."
            )
        if written.backup_failed:
            self._say_once(f"{self.path}.bak cannot be written: {written.backup_failed.strerror}.")

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            logger.warning("%s", sentence)

    def _explain(self, error: OSError, action: str) -> CredentialFileError:
        return CredentialFileError(f"{self.path} cannot be {action}: {error.strerror or error}. {_remedy(error)}")


def _remedy(error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "Free some space."
        case errno.EROFS:
            return "Mount its folder writable; rotated tokens have to be saved in it."
        case errno.EISDIR:
            return "It is a folder: Docker creates one when the file to mount does not exist. Replace it by a file."
        case errno.EACCES | errno.EPERM:
            return "Give it and its folder to the user who runs this program (chown, chmod u+rwx)."
        case _:
            return "Check the path."


class _Memory(NamedTuple):
    """What the lock file keeps of the document, since the credentials file has no place for it."""

    last_id: int = 0
    origin: Origin | None = None


def _remembered(text: str) -> _Memory:
    """A lock file that is empty, or nobody's, remembers nothing."""
    table = json_object(text) or {}
    last_id, origin = table.get("last_id"), table.get("origin")
    return _Memory(
        last_id if isinstance(last_id, int) and last_id > 0 else 0,
        cast("Origin", origin) if origin in get_args(Origin) else None,
    )
