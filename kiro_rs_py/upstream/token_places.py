"""Where other programs keep their tokens on this machine: Kiro IDE's cache, kiro-cli's database (§5.4, §5.5).

Sections are upstream-protocol's. Everything is opened read-only; what is found is written in the way of
:mod:`kiro_rs_py.upstream.sources`.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

from kiro_rs_py.convert.anthropic import JsonObject, json_object
from kiro_rs_py.errors import UnusableSource
from kiro_rs_py.upstream.sources import EXTERNAL, Found, SourceName, found_in, from_cli_token, read_text

IDE_FILE = "kiro-auth-token.json"
CLI_DATABASES = ("data.sqlite3", "cache.db")
MAX_SOURCE_BYTES = 16 * 2**20
"""An export of a thousand accounts is a hundredth of this."""


# --- kiro-cli's database ----------------------------------------------------------------------------------------


def read_kiro_cli_database(path: Path) -> Found:
    """Tokens, registration and profile of kiro-cli's SQLite store, opened read-only (§5.5).

    Raises UnusableSource when it is missing, no such database, or holds no token. The tokens stay in use by
    kiro-cli too, so whoever imports them should be told that both rotate the same refresh token.
    """
    if not is_file(path):
        raise UnusableSource(f"There is no kiro-cli database at {path}. Run 'kiro-cli login', or give its path.")
    try:
        # as_uri() quotes what the path holds; mode=ro never creates and never takes a write lock.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            rows = dict(connection.execute("SELECT key, value FROM auth_kv").fetchall())
            profile = _state_value(connection, "api.codewhisperer.profile")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UnusableSource(f"{path} is no readable kiro-cli database ({error}).") from None
    tokens = {str(key): _object(value) for key, value in rows.items() if str(key).endswith(":token")}
    if any(key.startswith("kirocli:") for key in tokens):
        # What the older program left behind is the same login, spent long ago.
        tokens = {key: token for key, token in tokens.items() if not key.startswith("codewhisperer:")}
    return found_in("kiro-cli", [_from_cli_row(key, token, rows, profile) for key, token in sorted(tokens.items())])


def _from_cli_row(key: str, token: JsonObject, rows: Mapping[str, object], profile: str | None) -> JsonObject | str:
    if key.startswith("kirocli:external-idp"):
        return f"The kiro-cli token {EXTERNAL}"
    registration = _object(rows.get(key.removesuffix(":token") + ":device-registration"))
    entry = from_cli_token(token, registration)
    if isinstance(entry, dict) and profile and "profileArn" not in entry:
        entry["profileArn"] = profile
    return entry


def _state_value(connection: sqlite3.Connection, key: str) -> str | None:
    """The profile ARN in ``state``: JSON ``{"arn": …}`` or a bare string, stored as text or blob."""
    try:
        row = connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    except sqlite3.Error:
        return None
    if row is None:
        return None
    raw = row[0].decode("utf-8", "replace") if isinstance(row[0], bytes) else str(row[0])
    arn = (json_object(raw) or {"arn": raw.strip('"')}).get("arn")
    return arn if isinstance(arn, str) and arn.startswith("arn:") else None


def _object(value: object) -> JsonObject:
    return (json_object(value) if isinstance(value, str | bytes) else None) or {}


# --- files and folders --------------------------------------------------------------------------------------------


def read_kiro_ide(folder: Path) -> Found:
    """The token in the IDE's cache folder. Raises UnusableSource when there is none."""
    file = folder / IDE_FILE
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnusableSource(
            f"There is no Kiro IDE token at {file} ({error.strerror}). Sign in to Kiro IDE first, or give its folder."
        ) from None
    except UnicodeDecodeError:
        raise UnusableSource(f"{file} is no text. Sign in to Kiro IDE again.") from None
    return read_text(text, source="kiro-ide", folder=folder)


def read_path(path: Path, *, source: SourceName | None = None) -> Found:
    """Any file or folder that can be imported from, recognised by what it holds unless ``source`` says what it is.

    Raises UnusableSource: missing, unreadable, too large, or nothing usable in it.
    """
    try:
        if path.is_dir():
            database = next((path / name for name in CLI_DATABASES if is_file(path / name)), None)
            if source == "kiro-cli" or (source is None and database and not is_file(path / IDE_FILE)):
                return read_kiro_cli_database(database or path / CLI_DATABASES[0])
            return read_kiro_ide(path)
        with path.open("rb") as file:
            content = file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise UnusableSource(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if content.startswith(b"SQLite format 3\0"):
        return read_kiro_cli_database(path)
    if len(content) > MAX_SOURCE_BYTES:
        raise UnusableSource(
            f"{path} is larger than {MAX_SOURCE_BYTES >> 20} MiB. Give the file that holds the tokens."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableSource(f"{path} is neither text nor a kiro-cli database. Check the path.") from None
    return read_text(text, source=source, folder=path.parent)


def is_file(path: Path) -> bool:
    """Whether there is a file we may look at; one behind a closed folder is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def default_ide_folder(home: Path) -> Path:
    return home / ".aws" / "sso" / "cache"


def default_cli_databases(home: Path, environment: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, ...]:
    """Where kiro-cli keeps its database, most likely first (§5.5). Who names one means that one."""
    for variable in ("KIROCLI_DB_PATH", "KIRO_CLI_DB_FILE"):
        if named := environment.get(variable):
            return (Path(named),)
    candidates: list[Path] = []
    if platform == "darwin":
        support = home / "Library" / "Application Support"
        candidates += [support / "kiro-cli" / "data.sqlite3", support / "amazon-q" / "data.sqlite3"]
    elif platform == "win32":
        local = Path(environment.get("LOCALAPPDATA", str(home / "AppData" / "Local")))
        roaming = Path(environment.get("APPDATA", str(home / "AppData" / "Roaming")))
        candidates += [local / "Kiro-Cli" / "data.sqlite3", roaming / "kiro-cli" / "data.sqlite3"]
    else:
        share = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
        candidates += [share / "kiro-cli" / "data.sqlite3", share / "amazon-q" / "data.sqlite3"]
    return tuple(candidates)
