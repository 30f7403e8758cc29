"""``keys`` as a user types it."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from kiro_rs_py.cli.keys import row
from kiro_rs_py.serve.client_keys import MOST_KEYS, new_client_key, utc_now
from kiro_rs_py.serve.key_file import KeyFile
from tests.cli.conftest import RunCli


@pytest.fixture
def file(home: Path) -> KeyFile:
    return KeyFile.beside(home / ".local" / "share" / "kiro-rs-py" / "credentials.json")


def test_create_shows_the_key_once(cli: RunCli, file: KeyFile) -> None:
    result = cli("keys", "create", " my laptop ")
    [key] = file.load()
    secret = result.out.strip()
    assert (result.code, result.err) == (0, f"{key.id} (my laptop) is shown this once:\n")
    assert key.digest == sha256(secret.encode()).digest()
    assert (key.name, key.expires_at, key.models, key.enabled) == ("my laptop", None, None, True)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert secret not in file.path.read_text()
    listed = cli("keys", "list")
    assert secret not in listed.out
    assert f"{secret[:12]}…" in listed.out


def test_limits_of_a_key(cli: RunCli, file: KeyFile) -> None:
    result = cli(
        "keys", "create", "guest", "--expires", "30d", "--model", "m", "--model", "n", "--model", "m", "--json"
    )
    body = json.loads(result.out)
    [key] = file.load()
    assert body["key"]["id"] == key.id
    assert body["secret"].startswith(key.prefix)
    assert key.models == ("m", "n")
    assert key.expires_at
    assert (key.expires_at - key.created_at).days == 30
    assert json.loads(cli("keys", "list", "--json").out) == [body["key"]]


def test_disable_enable_revoke_one_of_two(cli: RunCli, file: KeyFile) -> None:
    cli("keys", "create", "one")
    cli("keys", "create", "two")
    one = file.load()[0].id
    assert cli("keys", "disable", one).out == f"{one}: disabled\n"
    assert [key.enabled for key in file.load()] == [False, True]
    assert cli("keys", "enable", one).out == f"{one}: enabled\n"
    assert [key.enabled for key in file.load()] == [True, True]
    assert cli("keys", "revoke", one).out == f"{one}: revoked\n"
    assert [key.name for key in file.load()] == ["two"]
    for command in ("disable", "enable", "revoke"):
        result = cli("keys", command, one)
        assert result.code == 1
        assert "keys list" in result.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([""], "1 to 64 printable"),
        (["x" * 65], "1 to 64 printable"),
        (["n", "--expires", "soon"], "no span of time"),
        (["n", "--expires", "0d"], "over at once"),
        (["n", "--model", ""], "names of models"),
        (["n", *["--model", "m"] * 51], "at most 50"),
    ],
)
def test_what_is_no_key(cli: RunCli, file: KeyFile, args: list[str], words: str) -> None:
    result = cli("keys", "create", *args)
    assert result.code == 2
    assert words in result.err
    assert not file.path.exists()


def test_there_is_a_limit(cli: RunCli, file: KeyFile) -> None:
    made = [new_client_key(f"key {number}", utc_now())[0] for number in range(MOST_KEYS)]
    file.update(lambda keys: keys.update({key.id: key for key in made}))
    result = cli("keys", "create", "one more")
    assert result.code == 1
    assert "Revoke one first" in result.err


def test_a_damaged_file_is_told_and_kept(cli: RunCli, file: KeyFile) -> None:
    cli("keys", "create", "one")
    file.path.write_text("damaged")
    for args in (["list"], ["create", "two"], ["revoke", "key_1"]):
        result = cli("keys", *args)
        assert result.code == 4
        assert "Repair it, or move it away" in result.err
    assert file.path.read_text() == "damaged"
    assert "credentials.keys.toml" in cli("config", "check").err


def test_an_empty_list(cli: RunCli) -> None:
    result = cli("keys", "list")
    assert (result.code, result.out) == (0, "")
    assert "keys create NAME" in result.err
    assert json.loads(cli("keys", "list", "--json").out) == []


NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_the_cells_of_a_key() -> None:
    key, secret = new_client_key("laptop", NOW)
    beginning = f"{secret[:12]}…"
    assert row(key, NOW) == (key.id, beginning, "laptop", "active", "-", "-", "0", "all")
    full = replace(
        key, name="a\x1bb", enabled=False, expires_at=NOW + timedelta(days=1), last_used_at=NOW, requests=3,
        models=("m", "n"),
    )  # fmt: skip
    assert row(full, NOW)[2:] == ("a?b", "disabled", "in 1 d 0 h", "2026-05-04", "3", "m, n")


def test_the_oldest_is_first(cli: RunCli, file: KeyFile) -> None:
    new, old = new_client_key("new", NOW + timedelta(days=1))[0], new_client_key("old", NOW)[0]
    file.update(lambda keys: keys.update({new.id: new, old.id: old}))
    lines = cli("keys", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", old.id, new.id]
