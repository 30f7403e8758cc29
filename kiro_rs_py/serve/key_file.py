"""The file with the client keys' hashes: beside the credentials, 0600, written whole and under a lock.

The command line and any number of running servers write it, each by reading it again under the lock and changing one
thing. No backup is kept: it would bring deleted keys back to life. A file that cannot be understood is an error and
stays as it is, since to take it for an empty one would lock everybody out, and to write it would make that final.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from kiro_rs_py.config.files import beside
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.serve.client_keys import ClientKey
from kiro_rs_py.upstream.atomic import Stamp, make_private_folder, replace_file, stamp_of, tighten
from kiro_rs_py.upstream.locks import FileLock

LOCK_SECONDS = 5.0

_MEMBERS = frozenset(
    {"id", "name", "prefix", "sha256", "enabled", "created_at", "expires_at", "models", "last_used_at", "requests"}
)


class KeyFile:
    """One file; all methods are blocking and raise CredentialFileError with a remedy."""

    def __init__(self, path: Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self.path = path
        self._lock_seconds = lock_seconds

    @classmethod
    def beside(cls, credentials_path: Path) -> KeyFile:
        """``credentials.json`` → ``credentials.keys.toml`` in the same folder."""
        return cls(beside(credentials_path, "keys"))

    def stamp(self) -> Stamp | None:
        """The file's present state, None while it is missing or out of reach."""
        return stamp_of(self.path)

    def load(self) -> list[ClientKey]:
        """Its keys; none if there is no file."""
        try:
            return self._read()
        except CredentialFileError:
            # A file that is rewritten in place (see atomic.py) may be met half way; under the lock it is whole.
            lock = self._lock()
            try:
                return self._read()
            finally:
                lock.release()

    def update(self, change: Callable[[dict[str, ClientKey]], None]) -> list[ClientKey]:
        """Read, let ``change`` work on the keys by id, write; the keys as they are then.

        An exception of ``change`` passes through, and nothing is written.
        """
        lock = self._lock()
        try:
            keys = {key.id: key for key in self._read()}
            before = dict(keys)
            change(keys)
            if keys != before:
                self._write(keys.values())
            return list(keys.values())
        finally:
            lock.release()

    def _lock(self) -> FileLock:
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))
        try:
            make_private_folder(self.path.parent)
            if lock.acquire(self._lock_seconds):
                return lock
        except OSError as error:
            raise self._explain(error, "locked") from error
        raise CredentialFileError(
            f"{self.path} has been locked by another process for {self._lock_seconds:.0f} seconds. "
            "Look for a kiro-rs-py that hangs and end it."
        )

    def _read(self) -> list[ClientKey]:
        # Where its mode cannot be changed, it is read all the same: it holds no secrets, only hashes.
        with suppress(OSError):
            tighten(self.path)
        try:
            document = tomllib.loads(self.path.read_text("utf-8"))
            return _keys_of(document)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._explain(error, "read") from error
        # TOMLDecodeError and UnicodeDecodeError are ValueErrors; a date may overflow when it is taken to UTC.
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise CredentialFileError(
                f"{self.path} is no file of client keys that this version understands ({type(error).__name__}). "
                "Repair it, or move it away: then no created key is valid any more."
            ) from error

    def _write(self, keys: Iterable[ClientKey]) -> None:
        # Creating keys is rare, and every start of a server would wait for it.
        import tomli_w

        try:
            replace_file(self.path, tomli_w.dumps({"keys": [_to_toml(key) for key in keys]}).encode(), backup=False)
        except OSError as error:
            raise self._explain(error, "written") from error

    def _explain(self, error: OSError, action: str) -> CredentialFileError:
        return CredentialFileError(
            f"{self.path} cannot be {action}: {error.strerror or error}. "
            "Check the disk, and that it and its folder belong to the user who runs this program."
        )


# --- TOML -------------------------------------------------------------------------------------------------------


def _keys_of(document: Mapping[str, object]) -> list[ClientKey]:
    """Raises ValueError, KeyError or TypeError for anything that is not what :func:`_to_toml` makes."""
    tables = document.get("keys", [])
    if not isinstance(tables, list) or document.keys() - {"keys"}:
        raise TypeError("keys")
    keys = [_key_of(table) for table in tables]
    if len({key.id for key in keys}) < len(keys) or len({key.digest for key in keys}) < len(keys):
        raise ValueError("twins")
    return keys


def _key_of(table: Mapping[str, object]) -> ClientKey:
    # An unknown member may be a limit of a later version: without it the key would open more than it should.
    if not isinstance(table, dict) or table.keys() - _MEMBERS:
        raise TypeError("key")
    digest = bytes.fromhex(_text(table["sha256"]))
    if len(digest) != 32:
        raise ValueError("sha256")
    enabled, requests = table["enabled"], table.get("requests", 0)
    if not isinstance(enabled, bool) or not isinstance(requests, int):
        raise TypeError("enabled, requests")
    models = table.get("models")
    if models is not None and not isinstance(models, list):
        raise TypeError("models")
    created_at = _time(table["created_at"])
    if created_at is None:
        raise TypeError("created_at")
    return ClientKey(
        id=_text(table["id"]),
        name=_text(table["name"]),
        prefix=_text(table["prefix"]),
        digest=digest,
        created_at=created_at,
        enabled=enabled,
        expires_at=_time(table.get("expires_at")),
        models=None if models is None else tuple(_text(model) for model in models),
        last_used_at=_time(table.get("last_used_at")),
        requests=requests,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise TypeError("time")
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _to_toml(key: ClientKey) -> dict[str, object]:
    table: dict[str, object] = {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "sha256": key.digest.hex(),
        "enabled": key.enabled,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "models": None if key.models is None else list(key.models),
        "last_used_at": key.last_used_at,
        "requests": key.requests,
    }
    return {name: value for name, value in table.items() if value is not None}
