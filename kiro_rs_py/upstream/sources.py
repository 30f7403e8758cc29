"""Where tokens can be imported from, and how each source writes them (upstream-protocol §5.4–5.6, operations §11).

Everything here ends in entries of the credentials file (camelCase JSON objects); nothing is sent anywhere and nothing
is written. A format is recognised by its content, never by a file's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import UnusableSource

SourceName: TypeAlias = Literal["kiro-ide", "kiro-cli", "kam", "kiro-rs", "api-key", "token"]

API_KEY = re.compile(r"ksk_[A-Za-z0-9_-]{8,}")
REFRESH_TOKEN = re.compile(r"aor[A-Za-z0-9_\-+/=:.]{20,}")
BUILDER_ID_START_URL = "https://view.awsapps.com/start"
IDC_NAMES = {"builderid", "builder-id", "enterprise", "internal", "idc", "iam"}
EXTERNAL_NAMES = {"external_idp", "externalidp", "azuread", "entra", "m365"}

# All that Kiro IDE writes into its token file (§5.4).
_IDE_MEMBERS = {"accessToken", "refreshToken", "expiresAt", "profileArn", "clientIdHash", "authMethod", "provider"}
_IDE_MEMBERS |= {"region", "startUrl", "tokenEndpoint", "issuerUrl", "clientId", "clientSecret", "scopes", "audience"}


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
    a second file beside it. Raises UnusableSource with the reason when nothing usable is found.
    """
    stripped = text.strip().strip("\"'").strip()
    if not stripped:
        raise UnusableSource("There is nothing to import. Give a file, a token or '-' with something on stdin.")
    if source in (None, "api-key") and API_KEY.fullmatch(stripped):
        return Found("api-key", ({"kiroApiKey": stripped, "authMethod": "api_key"},))
    if source == "api-key":
        raise UnusableSource("This is no API key: they start with 'ksk_'. Create one in Kiro's account settings.")
    if source in (None, "token") and stripped[0] not in "{[":
        return _bare_token(stripped)
    try:
        document: Json = json.loads(stripped)
    except (ValueError, RecursionError) as error:
        raise UnusableSource(f"This is neither a token nor JSON ({_json_reason(error)}). Export it again.") from None
    return _from_document(document, source, folder)


def _json_reason(error: Exception) -> str:
    # JSONDecodeError's own text is safe to show (position and expectation), the document is not.
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "nested too deeply"


def _bare_token(token: str) -> Found:
    if "..." in token:
        raise UnusableSource("This refresh token is cut ('...' inside). Copy the whole token from its file.")
    if not REFRESH_TOKEN.fullmatch(token):
        raise UnusableSource("This is no refresh token: they start with 'aor'. Export the account and import the file.")
    if len(token) < 100:
        raise UnusableSource(
            f"This refresh token is cut ({len(token)} characters, at least 100 expected). Copy the whole token."
        )
    return Found("token", ({"refreshToken": token, "authMethod": "social"},))


def _from_document(document: Json, source: SourceName | None, folder: Path | None) -> Found:
    recognised = source or _recognise(document)
    records = _records(document)
    if recognised == "kiro-ide":
        entries = [_from_ide(record, folder) for record in records]
        return found_in("kiro-ide", entries)
    if recognised == "kam":
        return found_in("kam", [_from_kam(record, number) for number, record in enumerate(records, 1)])
    if recognised == "kiro-cli":
        return found_in("kiro-cli", [from_cli_token(record, {}) for record in records])
    if recognised in ("kiro-rs", "api-key", "token"):
        return found_in("kiro-rs", [_from_kiro_rs(record, number) for number, record in enumerate(records, 1)])
    raise UnusableSource(
        "This JSON holds no Kiro account. Known are kiro-rs credentials, Kiro Account Manager exports, Kiro IDE's "
        "kiro-auth-token.json and kiro-cli tokens."
    )


def _recognise(document: Json) -> SourceName | None:
    records = _records(document)
    if isinstance(document, dict) and isinstance(document.get("accounts"), list):
        return "kam"
    for record in records:
        if isinstance(record.get("credentials"), dict) or {"nickname", "idp"} & set(record):
            return "kam"
        if "clientIdHash" in record or ({"provider", "authMethod"} <= set(record) <= _IDE_MEMBERS):
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


def found_in(source: SourceName, results: Iterable[JsonObject | str]) -> Found:
    """Entries and the sentences about those left out, apart. Raises UnusableSource when there is no entry."""
    entries: list[JsonObject] = []
    skipped: list[str] = []
    for result in results:
        if isinstance(result, str):
            skipped.append(result)
        else:
            entries.append(result)
    if not entries:
        raise UnusableSource(f"No usable account in it: {skipped[0] if skipped else 'the list is empty.'}")
    return Found(source, tuple(entries), tuple(skipped))


EXTERNAL = "belongs to a company's own sign-in, which cannot be used here; create an API key and import that."


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
    method = _method(_text(secrets, "authMethod", "provider", "idp"), secrets)
    if method is None:
        return f"{name} {EXTERNAL}"
    entry: JsonObject = {"refreshToken": token}
    _copy(secrets, entry, "accessToken", "clientId", "clientSecret", "profileArn", "startUrl", "machineId", "provider")
    _copy(record, entry, "email", "machineId")
    _copy_region(secrets, entry, method)
    if expiry := _expiry(secrets.get("expiresAt")):
        entry["expiresAt"] = expiry
    if label := _text(record, "nickname", "label"):
        entry["label"] = label
    entry["authMethod"] = method
    return entry


def _from_ide(record: JsonObject, folder: Path | None) -> JsonObject | str:
    """Kiro IDE's token file; an IdC token names its client registration by ``clientIdHash`` (§5.4)."""
    if not _text(record, "refreshToken"):
        return "The Kiro IDE token file has no refresh token. Sign in to the IDE again."
    method = _method(_text(record, "authMethod"), record)
    if method is None:
        return f"The Kiro IDE token {EXTERNAL}"
    entry: JsonObject = {}
    _copy(record, entry, "accessToken", "refreshToken", "profileArn", "provider", "startUrl")
    _copy(record, entry, "clientId", "clientSecret")
    if expiry := _expiry(record.get("expiresAt")):
        entry["expiresAt"] = expiry
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
    entry["authMethod"] = "idc" if entry.get("clientId") else method
    _copy_region(record, entry, str(entry["authMethod"]))
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


def from_cli_token(record: Mapping[str, Json], registration: Mapping[str, Json]) -> JsonObject | str:
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
    if entry.get("clientId") is None and (entry.get("startUrl") or _text(record, "oauth_flow", "oauthFlow")):
        return "The kiro-cli token lacks its device registration. Import the database instead of the token alone."
    method = "idc" if entry.get("clientId") else "social"
    _copy_region(record, entry, method)
    entry["authMethod"] = method
    return entry


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


def _copy_region(source: Mapping[str, Json], target: JsonObject, method: str) -> None:
    """Only AWS's sign-in has regions; Kiro's own, for social logins, is in one place (§4.2)."""
    region = _text(source, "region")
    if region and method == "idc":
        target["authRegion"] = region


def _method(named: str | None, record: Mapping[str, Json]) -> str | None:
    """``idc`` or ``social``; None for a company's own identity provider."""
    name = (named or "").lower()
    if name in EXTERNAL_NAMES:
        return None
    if record.get("clientId") and record.get("clientSecret"):
        return "idc"
    return "idc" if name in IDC_NAMES else "social"


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
