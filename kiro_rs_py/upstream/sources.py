"""Where tokens can be imported from, and how each source writes them (upstream-protocol §5.4–5.6, operations §11).

Everything here ends in entries of the credentials file (camelCase JSON objects); nothing is sent anywhere and nothing
is written. A format is recognised by its content, never by a file's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from kiro_rs_py.convert.anthropic import Json, JsonObject, json_object, text_in
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

# What makes up a login, as the credentials file names it; other tools know some of it by the same names.
_LOGIN = ("refreshToken", "accessToken", "expiresAt", "profileArn", "clientId", "clientSecret", "startUrl", "provider")
_TIMES = ("expiresAt", "clientSecretExpiresAt")


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
    if source in (None, "api-key") and stripped.startswith("ksk_"):
        raise UnusableSource("This API key is cut, or has other characters in it. Copy it whole, or create a new one.")
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
    if text_in(record, "kiroApiKey", "kiro_api_key") or text_in(record, "refreshToken", "refresh_token"):
        return {key: value for key, value in record.items() if key != "id"}
    return f"Entry {number} has neither refreshToken nor kiroApiKey."


def _from_kam(record: JsonObject, number: int) -> JsonObject | str:
    """Old exports nest the secrets under ``credentials``, newer ones are flat (operations §11.1, §11.3)."""
    nested = record.get("credentials")
    secrets: JsonObject = {**record, **nested} if isinstance(nested, dict) else record
    name = text_in(record, "email") or text_in(record, "nickname", "label") or f"account {number}"
    if not text_in(secrets, "refreshToken"):
        return f"{name} has no refresh token."
    if record.get("status") == "error":
        return f"{name} is marked as broken in the export."
    method = _method(text_in(secrets, "authMethod", "provider", "idp"), secrets)
    if method is None:
        return f"{name} {EXTERNAL}"
    entry = _copied(secrets, *_LOGIN, "machineId") | _copied(record, "email", "machineId")
    if provider := text_in(secrets, "provider", "idp"):
        entry["provider"] = provider
    if label := text_in(record, "nickname", "label"):
        entry["label"] = label
    return entry | _region(secrets, method)


def _from_ide(record: JsonObject, folder: Path | None) -> JsonObject | str:
    """Kiro IDE's token file; an IdC token names its client registration by ``clientIdHash`` (§5.4)."""
    if not text_in(record, "refreshToken"):
        return "The Kiro IDE token file has no refresh token. Sign in to the IDE again."
    method = _method(text_in(record, "authMethod"), record)
    if method is None:
        return f"The Kiro IDE token {EXTERNAL}"
    entry = _copied(record, *_LOGIN)
    digest = text_in(record, "clientIdHash")
    if digest and not entry.get("clientId"):
        registration = _client_registration(folder, digest)
        if registration is None:
            return (
                "The Kiro IDE token needs its client registration, which lies in a second file of the same folder. "
                "Import the folder instead of the pasted text."
            )
        entry |= registration
    if text_in(record, "provider") == "BuilderId":
        entry.setdefault("startUrl", BUILDER_ID_START_URL)
    return entry | _region(record, "idc" if entry.get("clientId") else method)


def _client_registration(folder: Path | None, digest: str) -> JsonObject | None:
    if folder is None or not re.fullmatch(r"[0-9a-fA-F]{8,128}", digest):
        return None
    try:
        record = json_object((folder / f"{digest}.json").read_bytes()) or {}
    except OSError:
        return None
    registration = _copied(record, "clientId", "clientSecret")
    if len(registration) < 2:
        return None
    return registration | ({"clientSecretExpiresAt": record["expiresAt"]} if record.get("expiresAt") else {})


def from_cli_token(record: Mapping[str, Json], registration: Mapping[str, Json]) -> JsonObject | str:
    """kiro-cli's token row, in its snake_case or rewritten to camelCase by other tools (§5.5)."""
    entry = _copied(record, *_LOGIN) | _copied(registration, "clientId", "clientSecret", "clientSecretExpiresAt")
    if "refreshToken" not in entry:
        return "The kiro-cli token has no refresh token. Run 'kiro-cli login' again."
    if "clientId" not in entry and ("startUrl" in entry or text_in(record, "oauth_flow", "oauthFlow")):
        return "The kiro-cli token lacks its device registration. Import the database instead of the token alone."
    if entry.get("startUrl") == BUILDER_ID_START_URL:
        entry.setdefault("provider", "BuilderId")
    return entry | _region(record, "idc" if "clientId" in entry else "social")


# --- small readers ----------------------------------------------------------------------------------------------


def _copied(record: Mapping[str, Json], *members: str) -> JsonObject:
    """Those of the (camelCase) members that are texts, or numbers for a time, however they are spelled."""
    copied: JsonObject = {}
    for member in members:
        snake = re.sub("[A-Z]", r"_\g<0>", member).lower()
        value: Json = text_in(record, member, snake)
        if value is None and member in _TIMES:
            value = record.get(member) or record.get(snake)
        if value:
            copied[member] = value
    return copied


def _region(record: Mapping[str, Json], method: str) -> JsonObject:
    """How it signs in, and where: only AWS's sign-in has regions; Kiro's own, for social logins, is in one place
    (§4.2)."""
    region = text_in(record, "region") if method == "idc" else None
    return {"authMethod": method, "authRegion": region} if region else {"authMethod": method}


def _method(named: str | None, record: Mapping[str, Json]) -> str | None:
    """``idc`` or ``social``; None for a company's own identity provider."""
    name = (named or "").lower()
    if name in EXTERNAL_NAMES:
        return None
    if record.get("clientId") and record.get("clientSecret"):
        return "idc"
    return "idc" if name in IDC_NAMES else "social"
