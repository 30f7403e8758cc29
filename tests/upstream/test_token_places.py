"""Files of other programs as upstream-protocol §5.4 and §5.5 describe them; every token here is made up."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from kiro_rs_py.errors import UnusableSource
from kiro_rs_py.upstream.token_places import (
    default_cli_databases,
    default_ide_folder,
    read_kiro_cli_database,
    read_kiro_ide,
    read_path,
)

REFRESH = "aorAAAAAG" + "r" * 120
ACCESS = "aoa" + "a" * 60
HASH = "e909a0580879b06ece1202964fbe9dda95ea4ce3"


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


@pytest.mark.parametrize("content", [None, "not json", "[]", '{"clientId": "id"}'])
def test_ide_token_without_its_registration(tmp_path: Path, content: str | None) -> None:
    token = {"refreshToken": REFRESH, "clientIdHash": HASH, "authMethod": "IdC", "provider": "Enterprise"}
    (tmp_path / "kiro-auth-token.json").write_text(json.dumps(token))
    if content is not None:
        (tmp_path / f"{HASH}.json").write_text(content)
    with pytest.raises(UnusableSource, match="second file"):
        read_kiro_ide(tmp_path)


def test_ide_token_without_refresh_token_or_file(tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match="Sign in to Kiro IDE first"):
        read_kiro_ide(tmp_path)
    (tmp_path / "kiro-auth-token.json").write_text('{"accessToken": "x", "authMethod": "social", "provider": "Google"}')
    with pytest.raises(UnusableSource, match="no refresh token"):
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
    assert "company's own sign-in" in found.skipped[0]


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
    with pytest.raises(UnusableSource, match="device registration"):
        read_kiro_cli_database(make_database(tmp_path / "a", rows))
    with pytest.raises(UnusableSource, match="the list is empty"):
        read_kiro_cli_database(make_database(tmp_path / "b", {}))
    with pytest.raises(UnusableSource, match="no refresh token"):
        read_kiro_cli_database(make_database(tmp_path / "c", {"kirocli:social:token": "[]"}))


def test_kiro_cli_database_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match="no kiro-cli database"):
        read_kiro_cli_database(tmp_path / "missing")
    (tmp_path / "text").write_text("hello, this is text and no database at all" * 50)
    with pytest.raises(UnusableSource, match="no readable kiro-cli database"):
        read_kiro_cli_database(tmp_path / "text")
    sqlite3.connect(tmp_path / "empty").close()
    (tmp_path / "empty").touch()
    with pytest.raises(UnusableSource, match="auth_kv"):
        read_kiro_cli_database(tmp_path / "empty")


@pytest.mark.parametrize(
    ("platform", "environment", "first"),
    [
        ("linux", {}, "/home/u/.local/share/kiro-cli/data.sqlite3"),
        ("linux", {"XDG_DATA_HOME": "/x"}, "/x/kiro-cli/data.sqlite3"),
        ("darwin", {}, "/home/u/Library/Application Support/kiro-cli/data.sqlite3"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/Kiro-Cli/data.sqlite3"),
    ],
)
def test_where_kiro_cli_keeps_its_database(platform: str, environment: dict[str, str], first: str) -> None:
    home = Path("/home/u")
    assert str(default_cli_databases(home, environment, platform)[0]) == first
    assert default_ide_folder(home) == home / ".aws" / "sso" / "cache"


@pytest.mark.parametrize("variable", ["KIROCLI_DB_PATH", "KIRO_CLI_DB_FILE"])
def test_a_named_database_is_the_only_one(variable: str) -> None:
    """Or a misspelled path would bring in another account."""
    assert default_cli_databases(Path("/home/u"), {variable: "/db"}, "linux") == (Path("/db"),)


def test_what_an_older_program_left_behind_is_not_imported(tmp_path: Path) -> None:
    rows: dict[str, object] = {
        "codewhisperer:odic:token": {"refresh_token": REFRESH},
        "kirocli:social:token": {"refresh_token": REFRESH + "2"},
    }
    found = read_kiro_cli_database(make_database(tmp_path / "both", rows))
    assert [entry["refreshToken"] for entry in found.entries] == [REFRESH + "2"]
    del rows["kirocli:social:token"]
    assert len(read_kiro_cli_database(make_database(tmp_path / "old", rows)).entries) == 1


def test_a_path_is_recognised_by_what_it_holds(tmp_path: Path) -> None:
    rows: dict[str, object] = {"kirocli:social:token": {"refresh_token": REFRESH}}
    ide, cli = tmp_path / "ide", tmp_path / "cli"
    ide.mkdir()
    cli.mkdir()
    database = make_database(cli / "data.sqlite3", rows)
    (ide / "kiro-auth-token.json").write_text(
        json.dumps({"refreshToken": REFRESH, "authMethod": "social", "provider": "Google"})
    )
    (ide / "odd-name").write_bytes(database.read_bytes())
    assert read_path(cli).source == "kiro-cli"
    assert read_path(ide / "odd-name").source == "kiro-cli"
    assert read_path(ide).source == "kiro-ide"
    assert read_path(ide / "kiro-auth-token.json").source == "kiro-ide"
    (ide / "data.sqlite3").write_bytes(database.read_bytes())
    assert read_path(ide).source == "kiro-ide"
    assert read_path(ide, source="kiro-cli").source == "kiro-cli"
    (ide / "key").write_text("ksk_0123456789abcdef\n")
    assert read_path(ide / "key").source == "api-key"


def test_a_path_that_holds_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match="No such file"):
        read_path(tmp_path / "missing")
    with pytest.raises(UnusableSource, match="no Kiro IDE token"):
        read_path(tmp_path)
    with pytest.raises(UnusableSource, match="no kiro-cli database"):
        read_path(tmp_path, source="kiro-cli")
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UnusableSource, match="neither text nor"):
        read_path(tmp_path / "picture")
    (tmp_path / "kiro-auth-token.json").write_bytes(b"\xff\xff")
    with pytest.raises(UnusableSource, match="is no text"):
        read_path(tmp_path)
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(17 * 2**20)
    with pytest.raises(UnusableSource, match="larger than 16 MiB"):
        read_path(tmp_path / "huge")
