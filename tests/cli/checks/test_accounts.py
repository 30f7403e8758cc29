from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from kiro_rs_py.cli.checks.accounts import check_accounts
from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.upstream.credential import format_time, parse_credential
from kiro_rs_py.upstream.state import SavedStanding, State, StateStore
from tests.cli.checks.settings import bad, write
from tests.upstream.children import run_mounted, run_unprivileged

NOW = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)
TOKEN = "aor" + "x" * 120


def entry(**fields: Json) -> dict[str, Json]:
    return {
        "id": 1,
        "refreshToken": TOKEN,
        "accessToken": "aoa",
        "expiresAt": format_time(NOW + timedelta(hours=1)),
        **fields,
    }


def file_with(folder: Path, *entries: dict[str, Json]) -> Config:
    return Config(credentials_path=write(folder / "credentials.json", json.dumps(list(entries))))


def of_accounts(found: list[Finding]) -> list[tuple[str, str]]:
    bad(found)
    return [(finding.level, finding.message) for finding in found if finding.topic in ("accounts", "proxy")]


def test_a_good_account(tmp_path: Path) -> None:
    accounts = check_accounts(file_with(tmp_path, entry(label="work")), {}, NOW)
    assert not bad(accounts.findings)
    assert of_accounts(accounts.findings) == [("ok", "Account #1 work: its token is good for 1 h 0 min.")]
    assert len(accounts.all) == 1


def test_no_account_and_one_in_the_environment(tmp_path: Path) -> None:
    config = Config(credentials_path=tmp_path / "none.json")
    accounts = check_accounts(config, {}, NOW)
    assert of_accounts(accounts.findings) == [("error", "There is no account.")]
    accounts = check_accounts(config, {"KIRO_API_KEY": "ksk_0123456789"}, NOW)
    assert of_accounts(accounts.findings) == [("ok", "Account KIRO_API_KEY: an API key, which does not expire.")]
    assert [account.in_memory_only for account in accounts.all] == [True]
    accounts = check_accounts(config, {"KIRO_API_KEY": "nonsense"}, NOW)
    assert [level for level, _ in of_accounts(accounts.findings)] == ["error", "error"]


@pytest.mark.parametrize(
    ("fields", "level", "words"),
    [
        ({"disabled": True}, "note", "is disabled"),
        ({"refreshToken": "aor..."}, "error", "has been truncated"),
        ({"authMethod": "idc"}, "error", "clientId and clientSecret"),
        (
            {"proxyUrl": "socks5://x", "proxyUsername": "u" * 256, "proxyPassword": "p"},
            "error",
            "may have 255 bytes",
        ),
        (
            {"authMethod": "idc", "clientId": "c", "clientSecret": "s", "clientSecretExpiresAt": int(NOW.timestamp())},
            "error",
            "its client registration expired on 2026-02-13",
        ),
        (
            {
                "authMethod": "idc",
                "clientId": "c",
                "clientSecret": "s",
                "clientSecretExpiresAt": int(NOW.timestamp()) + 3 * 86_400,
            },
            "warning",
            "ends in 3 d 0 h",
        ),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "ok", "the next request renews it"),
        ({"accessToken": None}, "ok", "the next request renews it"),
    ],
)
def test_what_the_file_tells(tmp_path: Path, fields: dict[str, Json], level: str, words: str) -> None:
    found = check_accounts(file_with(tmp_path, entry(**fields)), {}, NOW).findings
    ((got, message),) = of_accounts(found)
    assert (got, words in message) == (level, True), message


@pytest.mark.parametrize(
    ("state", "until", "level", "words"),
    [
        ("reauth_required", None, "error", "The token was refused"),
        ("suspended", None, "error", "The token was refused"),
        ("exhausted", NOW + timedelta(days=2), "warning", "asked again on 2026-02-15 10:00 UTC"),
        ("exhausted", NOW - timedelta(days=2), "ok", "good for"),
        ("cooling", None, "warning", "The token was refused"),
    ],
)
def test_what_the_last_server_learnt(
    tmp_path: Path, state: str, until: datetime | None, level: str, words: str
) -> None:
    config = file_with(tmp_path, entry())
    standing = SavedStanding(state, "The token was refused.", NOW, until, parse_credential(entry()).fingerprint)
    save(config, standing)
    ((got, message),) = of_accounts(check_accounts(config, {}, NOW).findings)
    assert (got, words in message) == (level, True), message
    if level == "error":
        (fix,) = (finding.fix for finding in check_accounts(config, {}, NOW).findings if finding.level == "error")
        # A new login does not help a suspended account.
        assert ("login" in fix) == (state == "reauth_required")
    save(config, replace(standing, fingerprint="of an older login"))
    assert [level for level, _ in of_accounts(check_accounts(config, {}, NOW).findings)] == ["ok"]


def save(config: Config, standing: SavedStanding) -> None:
    def change(state: State) -> None:
        state.accounts[1] = replace(state.record(1), standing=standing)

    StateStore.beside(config.credentials_path).update_now(change)


def test_entries_and_files_that_cannot_be_used(tmp_path: Path) -> None:
    found = check_accounts(file_with(tmp_path, entry(), {"id": 2, "authMethod": "magic"}), {}, NOW).findings
    (finding,) = bad(found)
    assert (finding.level, finding.topic) == ("error", "credentials")
    assert "entry 2: authMethod is unknown" in finding.message
    config = Config(credentials_path=write(tmp_path / "credentials.json", "{"))
    accounts = check_accounts(config, {}, NOW)
    (finding,) = bad(accounts.findings)
    assert finding.level == "error"
    assert accounts.all == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_loose_permissions_are_told_and_left(tmp_path: Path) -> None:
    config = file_with(tmp_path, entry())
    config.credentials_path.chmod(0o644)
    (finding,) = bad(check_accounts(config, {}, NOW).findings)
    assert (finding.level, finding.topic) == ("error", "permissions")
    assert finding.fix == f"`chmod 600 {config.credentials_path}`"
    assert config.credentials_path.stat().st_mode & 0o777 == 0o644


def only(told: object) -> list[str]:
    """The one finding a script printed: its level and its message."""
    assert isinstance(told, list)
    assert len(told) == 1
    return cast("list[str]", told[0])


SCRIPT = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from kiro_rs_py.cli.checks.accounts import check_accounts
from kiro_rs_py.config import Config

config = Config(credentials_path=Path(sys.argv[1]) / "credentials.json")
b"x".decode("utf-8-sig")  # imported while that is still allowed
DROP
found = check_accounts(config, {}, datetime.now(UTC)).findings
print(json.dumps([[finding.level, finding.message] for finding in found if finding.topic != "accounts"]))
"""


@pytest.mark.parametrize(
    ("mode", "level", "text"),
    [(0o600, "warning", "can only be rewritten in place"), (0o400, "error", "renewed tokens would be lost")],
)
def test_a_folder_that_takes_no_files(mode: int, level: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # another user cannot reach pytest's own
        folder = Path(name)
        file = file_with(folder, entry()).credentials_path
        close = f"drop(); os.chmod({str(file)!r}, {mode}); os.chmod(sys.argv[1], 0o500)"
        told = only(run_unprivileged(SCRIPT.replace("DROP", close), folder))
        folder.chmod(0o700)
    assert told[0] == level
    assert text in told[1]


def test_a_file_mounted_alone(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    config = file_with(tmp_path, entry())
    write(folder / "credentials.json", "")
    mounts = f'mount --bind {config.credentials_path} "$1/credentials.json"'
    told = only(run_mounted(mounts, SCRIPT.replace("DROP", ""), folder))
    assert told[0] == "warning"
    assert "mounted as a single file" in told[1]


def test_a_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    mounts = (
        'mount -t tmpfs -o size=1500k tmpfs "$1"; printf "[]" > "$1/credentials.json"; '
        'chmod 600 "$1/credentials.json"; head -c 1400000 /dev/zero > "$1/filler"'
    )
    told = only(run_mounted(mounts, SCRIPT.replace("DROP", ""), folder))
    assert told == ["error", f"The disk with {folder}/credentials.json is full, so renewed tokens would be lost."]
