"""Emergency copies: new tokens that the credentials file does not take are kept elsewhere until it does.

A refresh token that was rotated and not saved is a lost account (operations §10.3 step 6). The copy is a list of
entries as the credentials file has them, so ``import-token`` reads it too; ``replaces`` names, by their fingerprints,
the spent tokens in whose place each one comes. Blocking; nothing here is secret but the file itself, which is 0600.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kiro_rs_py.convert.anthropic import Json, JsonObject, list_in
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.atomic import make_private_folder, replace_file
from kiro_rs_py.upstream.credential import BadField, Credential, entry_of, parse_credential
from kiro_rs_py.upstream.locks import FileLock

logger = logging.getLogger(__name__)

MOST_COPIES = 100
LOCK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class EmergencyCopy:
    """An account with its newest token. ``replaces`` are fingerprints of the spent ones before it, oldest first;
    ``place`` is the file that it was read from."""

    credential: Credential
    replaces: tuple[str, ...]
    place: Path | None = None

    @property
    def fingerprint(self) -> str | None:
        return self.credential.fingerprint


class EmergencyCopies:
    """Those of one credentials file, in the first of ``folders`` that takes them."""

    def __init__(self, credentials_path: Path, folders: Sequence[Path] | None = None) -> None:
        """``folders`` default to the user's state directory and one of this user's own in the system's temp folder."""
        digest = hashlib.sha256(os.fsencode(os.path.realpath(credentials_path))).hexdigest()[:16]
        self._name = f"unsaved-{digest}.json"
        self._folders = folders

    def load(self) -> list[EmergencyCopy]:
        """All copies; what cannot be read is left out."""
        return [copy for path in self._paths() for copy in _read(path)]

    def keep(self, copy: EmergencyCopy) -> Path:
        """Write a copy in place of the account's older one; where it is. Raises CredentialFileError if nowhere."""

        def add(copies: list[EmergencyCopy]) -> list[EmergencyCopy]:
            older = {copy.fingerprint, *copy.replaces}
            return [*(other for other in copies if other.fingerprint not in older), copy][-MOST_COPIES:]

        reason = ""
        for path in self._paths():
            try:
                _change(path, add)
            except OSError as error:
                reason = f"{path.parent}: {error.strerror or error}"
            else:
                return path
        raise CredentialFileError(f"There is no other place for them either ({reason}).")

    def drop(self, fingerprints: Collection[str | None]) -> None:
        """Remove the copies of these tokens: they are saved, or spent. Trouble is logged."""
        for path in self._paths():
            if not path.exists():
                continue
            try:
                _change(path, lambda copies: [copy for copy in copies if copy.fingerprint not in fingerprints])
            except OSError as error:
                logger.warning("%s cannot be removed: %s.", path, error.strerror or error)

    def _paths(self) -> list[Path]:
        if self._folders is None:
            self._folders = _usual_folders()
        return [folder / self._name for folder in self._folders]


def _usual_folders() -> list[Path]:
    import platformdirs  # takes as long to import as a small file to write

    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    return [
        platformdirs.user_state_path("kiro-rs-py", appauthor=False),
        Path(tempfile.gettempdir(), f"kiro-rs-py-unsaved-{user}"),
    ]


def _is_ours(path: Path, *, is_kind: Callable[[int], bool]) -> bool:
    """In a folder that everybody may write to, somebody else's file could make us use their account."""
    found = path.lstat()
    return is_kind(found.st_mode) and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


def _read(path: Path) -> list[EmergencyCopy]:
    try:
        if not (_is_ours(path.parent, is_kind=stat.S_ISDIR) and _is_ours(path, is_kind=stat.S_ISREG)):
            return []
        entries: Json = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s cannot be read (%s).", path, type(error).__name__)
        return []
    copies = []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            replaces = tuple(mark for mark in list_in(entry, "replaces") if isinstance(mark, str))
            with suppress(BadField):
                copies.append(EmergencyCopy(parse_credential(entry), replaces, path))
    return copies


def _change(path: Path, change: Callable[[list[EmergencyCopy]], list[EmergencyCopy]]) -> None:
    """Read, change, write, under a lock; without copies there is no file. Raises OSError."""
    make_private_folder(path.parent)
    if not _is_ours(path.parent, is_kind=stat.S_ISDIR):
        raise PermissionError(f"{path.parent} belongs to somebody else")
    lock = FileLock(path.with_suffix(".lock"))
    if not lock.acquire(LOCK_SECONDS):
        raise TimeoutError(f"{lock.path} is locked by another process")
    try:
        copies = change(_read(path))
        if not copies:
            path.unlink(missing_ok=True)
            return
        entries: list[Json] = [_entry(copy) for copy in copies]
        replace_file(path, json.dumps(entries, indent=2).encode(), backup=False)
    finally:
        lock.release()


def _entry(copy: EmergencyCopy) -> JsonObject:
    marks: list[Json] = list(copy.replaces)
    return {**entry_of(copy.credential), "replaces": marks}
