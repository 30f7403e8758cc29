"""Where tokens can be imported from, and how each source writes them (upstream-protocol §5.4–5.6, operations §11).

Everything here ends in entries of the credentials file (camelCase JSON objects); nothing is sent anywhere and nothing
is written. A format is recognised by its content, never by a file's name.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import CredentialFileError

SourceName: TypeAlias = Literal["kiro-ide", "kiro-cli", "kam", "kiro-rs", "api-key", "token"]

API_KEY = re.compile(r"ksk_[A-Za-z0-9_-]{8,}")
REFRESH_TOKEN = re.compile(r"aor[A-Za-z0-9_\-+/=:.]{20,}")
BUILDER_ID_START_URL = "https://view.awsapps.com/start"
SOCIAL_NAMES = {"google", "github", "social"}
IDC_NAMES = {"builderid", "builder-id", "enterprise", "internal", "idc", "iam"}


@dataclass(frozen=True, slots=True)
class Found:
    """What one source held: ``entries`` for the credentials file, ``skipped`` one sentence per record left out."""

    source: SourceName
    entries: tuple[JsonObject, ...]
    skipped: tuple[str, ...] = ()


# --- text: files, stdin, prompts --------------------------------------------------------------------------------


def read_text(text: str, *, source: SourceName | None = None, folder: Path | None = None) -> Found:
    """Recognise pasted or read text: an API key, a bare refresh token, or JSON of one of the known formats.

    ``source`` forces a format; ``folder`` is where a Kiro IDE token came from, since its client registration lies in
    a second file beside it. Raises CredentialFileError with the reason when nothing usable is found.
    """
    stripped = text.strip().strip("\"'").strip()
    if not stripped:
        raise CredentialFileError("There is nothing to import. Give a file, a token or '-' with something on stdin.")
    if source in (None, "api-key") and API_KEY.fullmatch(stripped):
        return Found("api-key", ({"kiroApiKey": stripped, "authMethod": "api_key"},))
    if source in (None, "token") and stripped[0] not in "{[":
        return _bare_token(stripped)
    try:
        document: Json = json.loads(stripped)
    except (ValueError, RecursionError) as error:
        raise CredentialFileError(
            f"This is neither a token nor JSON ({_json_reason(error)}). Export it again."
        ) from None
    return _from_document(document, source, folder)


def _json_reason(error: Exception) -> str:
    # JSONDecodeError's own text is safe to show (position and expectation), the document is not.
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "nested too deeply"


def _bare_token(token: str) -> Found:
    if "..." in token:
        raise CredentialFileError("This refresh token is cut ('...' inside). Copy the whole token from its file.")
    if not REFRESH_TOKEN.fullmatch(token):
        raise CredentialFileError(
            "This is no refresh token: they start with 'aor'. Export the account and import the file."
        )
    if len(token) < 100:
        raise CredentialFileError(
            f"This refresh token is cut ({len(token)} characters, at least 100 expected). Copy the whole token."
        )
    return Found("token", ({"refreshToken": token, "authMethod": "social"},))


def _from_document(document: Json, source: SourceName | None, folder: Path | None) -> Found:
    recognised = source or _recognise(document)
    records = _records(document)
    if recognised == "kiro-ide":
        entries = [_from_ide(record, folder) for record in records]
        return _found("kiro-ide", entries)
    if recognised == "kam":
        return _found("kam", [_from_kam(record, number) for number, record in enumerate(records, 1)])
    if recognised == "kiro-cli":
        return _found("kiro-cli", [_from_cli_token(record, {}) for record in records])
    if recognised in ("kiro-rs", "api-key", "token"):
        return _found("kiro-rs", [_from_kiro_rs(record, number) for number, record in enumerate(records, 1)])
    raise CredentialFileError(
        "This JSON holds no Kiro account. Known are kiro-rs credentials, Kiro Account Manager exports, Kiro IDE's "
        "kiro-auth-token.json and kiro-cli tokens."
    )


def _recognise(document: Json) -> SourceName | None:
    records = _records(document)
    if isinstance(document, dict) and isinstance(document.get("accounts"), list):
        return "kam"
    for record in records:
        if isinstance(record.get("credentials"), dict):
            return "kam"
        if "clientIdHash" in record or ("provider" in record and "authMethod" in record and "id" not in record):
            return "kiro-ide"
        if "refresh_token" in record and ("expires_at" in record or "oauth_flow" in record):
            return "kiro-cli"
        if {"refreshToken", "refresh_token", "kiroApiKey", "kiro_api_key"} & set(record):
            return "kiro-rs"
    return None


def _records(document: Json) -> list[JsonObject]:
    if isinstance(document, dict) and isinstance(document.get("accounts"), list):
        document = document["accounts"]
    items = document if isinstance(document, list) else [document]
    return [item for item in items if isinstance(item, dict)]


def _found(source: SourceName, results: Iterable[JsonObject | str]) -> Found:
    entries: list[JsonObject] = []
    skipped: list[str] = []
    for result in results:
        if isinstance(result, str):
            skipped.append(result)
        else:
            entries.append(result)
    if not entries:
        raise CredentialFileError(f"No usable account in it: {skipped[0] if skipped else 'the list is empty.'}")
    return Found(source, tuple(entries), tuple(skipped))


# --- one record of each format ----------------------------------------------------------------------------------


def _from_kiro_rs(record: JsonObject, number: int) -> JsonObject | str:
    if _text(record, "kiroApiKey", "kiro_api_key") or _text(record, "refreshToken", "refresh_token"):
        return {key: value for key, value in record.items() if key != "id"}
    return f"Entry {number} has neither refreshToken nor kiroApiKey."


def _from_kam(record: JsonObject, number: int) -> JsonObject | str:
    """Old exports nest the secrets under ``credentials``, newer ones are flat (operations §11.1, §11.3)."""
    nested = record.get("credentials")
    secrets: JsonObject = {**record, **nested} if isinstance(nested, dict) else record
    name = _text(record, "email") or _text(record, "nickname", "label") or f"account {number}"
    token = _text(secrets, "refreshToken")
    if not token:
        return f"{name} has no refresh token."
    if record.get("status") == "error":
        return f"{name} is marked as broken in the export."
    entry: JsonObject = {"refreshToken": token}
    _copy(secrets, entry, "accessToken", "clientId", "clientSecret", "profileArn", "startUrl", "machineId", "provider")
    _copy(record, entry, "email", "machineId")
    if region := _text(secrets, "region"):
        entry["authRegion"] = region
    if expiry := _expiry(secrets.get("expiresAt")):
        entry["expiresAt"] = expiry
    if label := _text(record, "nickname", "label"):
        entry["label"] = label
    entry["authMethod"] = _method(_text(secrets, "authMethod", "provider", "idp"), entry)
    return entry


def _from_ide(record: JsonObject, folder: Path | None) -> JsonObject | str:
    """Kiro IDE's token file; an IdC token names its client registration by ``clientIdHash`` (§5.4)."""
    if not _text(record, "refreshToken"):
        return "The Kiro IDE token file has no refresh token. Sign in to the IDE again."
    entry: JsonObject = {}
    _copy(
        record, entry, "accessToken", "refreshToken", "profileArn", "provider", "startUrl", "tokenEndpoint", "issuerUrl"
    )
    _copy(record, entry, "clientId", "clientSecret", "scopes")
    if expiry := _expiry(record.get("expiresAt")):
        entry["expiresAt"] = expiry
    if region := _text(record, "region"):
        entry["authRegion"] = region
    digest = _text(record, "clientIdHash")
    if digest and not entry.get("clientId"):
        registration = _client_registration(folder, digest)
        if registration is None:
            return (
                "The Kiro IDE token needs its client registration, which lies in a second file of the same folder. "
                "Import the folder instead of the pasted text."
            )
        entry.update(registration)
    if _text(record, "provider") == "BuilderId":
        entry.setdefault("startUrl", BUILDER_ID_START_URL)
    entry["authMethod"] = _method(_text(record, "authMethod"), entry)
    return entry


def _client_registration(folder: Path | None, digest: str) -> JsonObject | None:
    if folder is None or not re.fullmatch(r"[0-9a-fA-F]{8,128}", digest):
        return None
    try:
        record = json.loads((folder / f"{digest}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not (_text(record, "clientId") and _text(record, "clientSecret")):
        return None
    registration: JsonObject = {"clientId": record["clientId"], "clientSecret": record["clientSecret"]}
    if expiry := _expiry(record.get("expiresAt")):
        registration["clientSecretExpiresAt"] = expiry
    return registration


def _from_cli_token(record: Mapping[str, Json], registration: Mapping[str, Json]) -> JsonObject | str:
    """kiro-cli's token row, in its snake_case or rewritten to camelCase by other tools (§5.5)."""
    token = _text(record, "refresh_token", "refreshToken")
    if not token:
        return "The kiro-cli token has no refresh token. Run 'kiro-cli login' again."
    entry: JsonObject = {"refreshToken": token}
    if access := _text(record, "access_token", "accessToken"):
        entry["accessToken"] = access
    if expiry := _expiry(record.get("expires_at", record.get("expiresAt"))):
        entry["expiresAt"] = expiry
    for target, *names in (
        ("profileArn", "profile_arn", "profileArn"),
        ("authRegion", "region"),
        ("startUrl", "start_url", "startUrl"),
        ("provider", "provider"),
    ):
        if value := _text(record, *names):
            entry[target] = value
    for target, *names in (("clientId", "client_id", "clientId"), ("clientSecret", "client_secret", "clientSecret")):
        if value := _text(registration, *names) or _text(record, *names):
            entry[target] = value
    if expiry := _expiry(registration.get("client_secret_expires_at")):
        entry["clientSecretExpiresAt"] = expiry
    if entry.get("clientId") is None and entry.get("startUrl"):
        return "The kiro-cli token lacks its device registration. Import the database instead of the token alone."
    entry["authMethod"] = _method(None, entry)
    return entry


# --- kiro-cli's database ----------------------------------------------------------------------------------------


def read_kiro_cli_database(path: Path) -> Found:
    """Tokens, registration and profile of kiro-cli's SQLite store, opened read-only (§5.5).

    Raises CredentialFileError when it is missing, no such database, or holds no token. The tokens stay in use by
    kiro-cli too, so whoever imports them should be told that both rotate the same refresh token.
    """
    if not path.is_file():
        raise CredentialFileError(f"There is no kiro-cli database at {path}. Run 'kiro-cli login', or give its path.")
    try:
        # as_uri() quotes what the path holds; mode=ro never creates and never takes a write lock.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            rows = dict(connection.execute("SELECT key, value FROM auth_kv").fetchall())
            profile = _state_value(connection, "api.codewhisperer.profile")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise CredentialFileError(f"{path} is no readable kiro-cli database ({error}).") from None
    tokens = {key: _object(value) for key, value in rows.items() if str(key).endswith(":token")}
    return _found("kiro-cli", [_from_cli_row(key, token, rows, profile) for key, token in sorted(tokens.items())])


def _from_cli_row(key: str, token: JsonObject, rows: Mapping[str, object], profile: str | None) -> JsonObject | str:
    if key.startswith("kirocli:external-idp"):
        return "The external identity provider's token of kiro-cli cannot be used here."
    registration = _object(rows.get(key.removesuffix(":token") + ":device-registration"))
    entry = _from_cli_token(token, registration)
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
    try:
        value = json.loads(raw)
    except ValueError:
        value = raw
    if isinstance(value, dict):
        value = value.get("arn")
    return value if isinstance(value, str) and value.startswith("arn:") else None


def _object(value: object) -> JsonObject:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    try:
        parsed = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


# --- where the sources lie --------------------------------------------------------------------------------------


def read_kiro_ide(folder: Path) -> Found:
    """The IDE's token cache folder (or the token file itself). Raises CredentialFileError when there is none."""
    file = folder if folder.is_file() else folder / "kiro-auth-token.json"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CredentialFileError(
            f"There is no Kiro IDE token at {file} ({error.strerror}). Sign in to Kiro IDE first, or give its folder."
        ) from None
    return read_text(text, source="kiro-ide", folder=file.parent)


def default_ide_folder(home: Path) -> Path:
    return home / ".aws" / "sso" / "cache"


def default_cli_databases(home: Path, environment: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, ...]:
    """Where kiro-cli keeps its database, most likely first (§5.5)."""
    named = [environment.get(variable) for variable in ("KIROCLI_DB_PATH", "KIRO_CLI_DB_FILE")]
    candidates = [Path(value) for value in named if value]
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


# --- small readers ----------------------------------------------------------------------------------------------


def _text(record: Mapping[str, Json], *names: str) -> str | None:
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _copy(source: Mapping[str, Json], target: JsonObject, *names: str) -> None:
    for name in names:
        if value := _text(source, name):
            target[name] = value


def _method(named: str | None, entry: Mapping[str, Json]) -> str:
    if entry.get("clientId") and entry.get("clientSecret"):
        return "idc"
    return "idc" if named and named.lower() in IDC_NAMES else "social"


def _expiry(value: Json) -> str | None:
    """RFC 3339 of an ISO text or of epoch seconds or milliseconds (KAM exports use the latter)."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        seconds = value / 1000 if value > 1e11 else value
        try:
            return datetime.fromtimestamp(seconds, UTC).isoformat()
        except (OverflowError, ValueError, OSError):
            return None
    return None
