"""Formats as upstream-protocol §5.4–5.6 and operations §11 describe them; every token here is made up."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.sources import (
    default_cli_databases,
    default_ide_folder,
    read_kiro_cli_database,
    read_kiro_ide,
    read_text,
)

REFRESH = "aorAAAAAG" + "r" * 120
ACCESS = "aoa" + "a" * 60
HASH = "e909a0580879b06ece1202964fbe9dda95ea4ce3"


def test_api_key() -> None:
    found = read_text("  ksk_0123456789abcdef\n")
    assert (found.source, found.entries) == (
        "api-key",
        ({"kiroApiKey": "ksk_0123456789abcdef", "authMethod": "api_key"},),
    )


def test_bare_refresh_token_in_quotes() -> None:
    assert read_text(f'"{REFRESH}"').entries == ({"refreshToken": REFRESH, "authMethod": "social"},)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing to import"),
        ("   \n", "nothing to import"),
        ("aorAAAAAG..." + "r" * 100, "cut"),
        ("aorAAAAAG" + "r" * 40, "cut (49 characters"),
        ("hello", "starts with 'aor'".replace("starts", "start")),
        ('{"refreshToken": ', "line 1"),
        ("[" * 5000, "nested too deeply"),
        ("{}", "no Kiro account"),
        ("[]", "no Kiro account"),
        ("[1, 2]", "no Kiro account"),
        ('{"accounts": []}', "the list is empty"),
        ('{"accounts": [{"email": "a@example.com"}]}', "a@example.com has no refresh token"),
        ('[{"id": 1, "refreshToken": ""}]', "Entry 1 has neither"),
    ],
)
def test_unusable_text_gets_one_sentence(text: str, says: str) -> None:
    with pytest.raises(CredentialFileError) as caught:
        read_text(text)
    assert says in str(caught.value)
    assert "rrrr" not in str(caught.value)


def test_kiro_rs_array_keeps_its_fields_but_not_its_ids() -> None:
    document = [
        {"id": 7, "refreshToken": REFRESH, "authMethod": "social", "priority": 2, "surprise": {"kept": True}},
        {"id": 8, "kiroApiKey": "ksk_0123456789abcdef"},
        {"id": 9},
    ]
    found = read_text(json.dumps(document))
    assert found.source == "kiro-rs"
    assert found.entries == (
        {"refreshToken": REFRESH, "authMethod": "social", "priority": 2, "surprise": {"kept": True}},
        {"kiroApiKey": "ksk_0123456789abcdef"},
    )
    assert found.skipped == ("Entry 3 has neither refreshToken nor kiroApiKey.",)


def test_kam_export_old_and_new_style() -> None:
    nested: JsonObject = {
        "email": "a@example.com",
        "machineId": "f" * 64,
        "idp": "BuilderId",
        "credentials": {
            "accessToken": ACCESS,
            "refreshToken": REFRESH,
            "clientId": "id",
            "clientSecret": "secret",
            "region": "us-east-1",
            "expiresAt": 1_785_542_400_000,
        },
        "status": "active",
    }
    flat: JsonObject = {"label": "work", "refreshToken": REFRESH, "provider": "Google"}
    broken: JsonObject = {"nickname": "old", "credentials": {"refreshToken": REFRESH}, "status": "error"}
    found = read_text(json.dumps({"version": "1.8", "accounts": [nested, flat, broken]}))
    assert found.source == "kam"
    assert found.entries == (
        {
            "refreshToken": REFRESH,
            "accessToken": ACCESS,
            "clientId": "id",
            "clientSecret": "secret",
            "machineId": "f" * 64,
            "email": "a@example.com",
            "authRegion": "us-east-1",
            "expiresAt": "2026-08-01T00:00:00+00:00",
            "authMethod": "idc",
        },
        {"refreshToken": REFRESH, "provider": "Google", "label": "work", "authMethod": "social"},
    )
    assert found.skipped == ("old is marked as broken in the export.",)


def test_ide_folder_with_client_registration(tmp_path: Path) -> None:
    token = {
        "accessToken": ACCESS,
        "refreshToken": REFRESH,
        "expiresAt": "2026-08-01T12:00:00.000Z",
        "clientIdHash": HASH,
        "authMethod": "IdC",
        "provider": "BuilderId",
        "region": "us-east-1",
    }
    (tmp_path / "kiro-auth-token.json").write_text(json.dumps(token))
    registration = {"clientId": "id", "clientSecret": "secret", "expiresAt": "2026-09-01T00:00:00Z"}
    (tmp_path / f"{HASH}.json").write_text(json.dumps(registration))
    expected = {
        "accessToken": ACCESS,
        "refreshToken": REFRESH,
        "provider": "BuilderId",
        "expiresAt": "2026-08-01T12:00:00.000Z",
        "authRegion": "us-east-1",
        "clientId": "id",
        "clientSecret": "secret",
        "clientSecretExpiresAt": "2026-09-01T00:00:00Z",
        "startUrl": "https://view.awsapps.com/start",
        "authMethod": "idc",
    }
    assert read_kiro_ide(tmp_path).entries == (expected,)
    assert read_kiro_ide(tmp_path / "kiro-auth-token.json").entries == (expected,)


@pytest.mark.parametrize("content", [None, "not json", "[]", '{"clientId": "id"}'])
def test_ide_token_without_its_registration(tmp_path: Path, content: str | None) -> None:
    token = {"refreshToken": REFRESH, "clientIdHash": HASH, "authMethod": "IdC", "provider": "Enterprise"}
    (tmp_path / "kiro-auth-token.json").write_text(json.dumps(token))
    if content is not None:
        (tmp_path / f"{HASH}.json").write_text(content)
    with pytest.raises(CredentialFileError, match="second file"):
        read_kiro_ide(tmp_path)


def test_ide_social_token_pasted_as_text() -> None:
    token = {"accessToken": ACCESS, "refreshToken": REFRESH, "authMethod": "social", "provider": "Github"}
    token["profileArn"] = "arn:aws:codewhisperer:us-east-1:123456789012:profile/X"
    found = read_text(json.dumps(token))
    assert found.source == "kiro-ide"
    assert found.entries[0]["authMethod"] == "social"
    assert found.entries[0]["profileArn"] == token["profileArn"]


def test_ide_token_without_refresh_token_or_file(tmp_path: Path) -> None:
    with pytest.raises(CredentialFileError, match="Sign in to Kiro IDE first"):
        read_kiro_ide(tmp_path)
    (tmp_path / "kiro-auth-token.json").write_text('{"accessToken": "x", "authMethod": "social", "provider": "Google"}')
    with pytest.raises(CredentialFileError, match="no refresh token"):
        read_kiro_ide(tmp_path)


def make_database(path: Path, rows: dict[str, object], profile: object = None) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute("CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB)")
        for key, value in rows.items():
            text = value if isinstance(value, str) else json.dumps(value)
            connection.execute("INSERT INTO auth_kv VALUES (?, ?)", (key, text))
        if profile is not None:
            raw = profile if isinstance(profile, str) else json.dumps(profile).encode()
            connection.execute("INSERT INTO state VALUES ('api.codewhisperer.profile', ?)", (raw,))
    connection.close()
    return path


def test_kiro_cli_database(tmp_path: Path) -> None:
    token = {
        "access_token": ACCESS,
        "refresh_token": REFRESH,
        "expires_at": "2026-08-01T12:00:00.123456789Z",
        "region": "eu-central-1",
        "start_url": "https://d-1234567890.awsapps.com/start",
        "oauth_flow": "DeviceCode",
    }
    registration = {"client_id": "id", "client_secret": "secret", "client_secret_expires_at": "2026-09-01T00:00:00Z"}
    path = make_database(
        tmp_path / "data.sqlite3",
        {
            "kirocli:odic:token": token,
            "kirocli:odic:device-registration": registration,
            "kirocli:external-idp:token": {"refresh_token": REFRESH},
            "kirocli:social:token": {"refresh_token": REFRESH, "provider": "Google", "profile_arn": "arn:own"},
        },
        {"arn": "arn:aws:codewhisperer:eu-central-1:123456789012:profile/X", "profile_name": "x"},
    )
    before = path.read_bytes()
    found = read_kiro_cli_database(path)
    assert path.read_bytes() == before
    idc, social = found.entries
    assert idc == {
        "refreshToken": REFRESH,
        "accessToken": ACCESS,
        "expiresAt": "2026-08-01T12:00:00.123456789Z",
        "authRegion": "eu-central-1",
        "startUrl": "https://d-1234567890.awsapps.com/start",
        "clientId": "id",
        "clientSecret": "secret",
        "clientSecretExpiresAt": "2026-09-01T00:00:00Z",
        "authMethod": "idc",
        "profileArn": "arn:aws:codewhisperer:eu-central-1:123456789012:profile/X",
    }
    assert (social["authMethod"], social["profileArn"]) == ("social", "arn:own")
    assert found.skipped == ("The external identity provider's token of kiro-cli cannot be used here.",)


def test_kiro_cli_database_with_a_bare_profile(tmp_path: Path) -> None:
    arn = "arn:aws:codewhisperer:us-east-1:123456789012:profile/Y"
    rows: dict[str, object] = {"kirocli:social:token": {"refreshToken": REFRESH}}
    assert read_kiro_cli_database(make_database(tmp_path / "a", rows, arn)).entries[0]["profileArn"] == arn
    assert "profileArn" not in read_kiro_cli_database(make_database(tmp_path / "b", rows, "nonsense")).entries[0]


def test_kiro_cli_database_without_registration_or_tokens(tmp_path: Path) -> None:
    rows: dict[str, object] = {
        "kirocli:odic:token": {"refresh_token": REFRESH, "start_url": "https://d-1.awsapps.com/start"},
        "kirocli:odic:device-registration": "not json",
    }
    with pytest.raises(CredentialFileError, match="device registration"):
        read_kiro_cli_database(make_database(tmp_path / "a", rows))
    with pytest.raises(CredentialFileError, match="the list is empty"):
        read_kiro_cli_database(make_database(tmp_path / "b", {}))
    with pytest.raises(CredentialFileError, match="no refresh token"):
        read_kiro_cli_database(make_database(tmp_path / "c", {"kirocli:social:token": "[]"}))


def test_kiro_cli_database_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CredentialFileError, match="no kiro-cli database"):
        read_kiro_cli_database(tmp_path / "missing")
    (tmp_path / "text").write_text("hello, this is text and no database at all" * 50)
    with pytest.raises(CredentialFileError, match="no readable kiro-cli database"):
        read_kiro_cli_database(tmp_path / "text")
    sqlite3.connect(tmp_path / "empty").close()
    (tmp_path / "empty").touch()
    with pytest.raises(CredentialFileError, match="auth_kv"):
        read_kiro_cli_database(tmp_path / "empty")


def test_pasted_kiro_cli_token() -> None:
    found = read_text(json.dumps({"refresh_token": REFRESH, "expires_at": "2026-08-01T00:00:00Z"}))
    assert (found.source, found.entries[0]["authMethod"]) == ("kiro-cli", "social")


@pytest.mark.parametrize(
    ("platform", "environment", "first"),
    [
        ("linux", {}, "/home/u/.local/share/kiro-cli/data.sqlite3"),
        ("linux", {"XDG_DATA_HOME": "/x"}, "/x/kiro-cli/data.sqlite3"),
        ("linux", {"KIROCLI_DB_PATH": "/db"}, "/db"),
        ("darwin", {}, "/home/u/Library/Application Support/kiro-cli/data.sqlite3"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/Kiro-Cli/data.sqlite3"),
    ],
)
def test_where_kiro_cli_keeps_its_database(platform: str, environment: dict[str, str], first: str) -> None:
    home = Path("/home/u")
    assert str(default_cli_databases(home, environment, platform)[0]) == first
    assert default_ide_folder(home) == home / ".aws" / "sso" / "cache"


@pytest.mark.parametrize("expiry", [True, -1, 1e300, None, [], ""])
def test_odd_expiry_is_left_out(expiry: object) -> None:
    entry = read_text(json.dumps({"credentials": {"refreshToken": REFRESH, "expiresAt": expiry}})).entries[0]
    assert "expiresAt" not in entry
