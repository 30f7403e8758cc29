from __future__ import annotations

import json
from pathlib import Path

from kiro_rs_py.cli.checking import Findings, check_all
from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.config.files import Folders
from kiro_rs_py.config.reader import Inputs

KEY: dict[str, object] = {"apiKey": "sk-3f9c27d1b8a64e05"}


def check(folder: Path, config: dict[str, object], credentials: str | None = None) -> Findings:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    if credentials is not None:
        (folder / "credentials.json").write_text(credentials)
    return check_all(Inputs(folders=Folders(folder, folder / "c", folder / "d"), config=path))


def test_all_is_well(tmp_path: Path) -> None:
    account = {"refreshToken": "x" * 120, "authMethod": "social"}
    found = check(tmp_path, KEY, json.dumps([account]))
    assert (found.config_problems, found.credential_problems, found.exit_code) == ([], [], ExitCode.DONE)
    assert found.place == str(tmp_path / "config.json")


def test_no_account_yet_is_only_a_warning(tmp_path: Path) -> None:
    found = check(tmp_path, KEY)
    assert found.exit_code is ExitCode.DONE
    assert "kiro-rs-py login" in found.warnings[0]


def test_models_are_checked_too(tmp_path: Path) -> None:
    found = check(tmp_path, {**KEY, "models": {"alias": {}, "extra": "x"}})
    assert found.exit_code is ExitCode.BAD_CONFIG
    assert len(found.config_problems) == 2


def test_problems_of_every_part_at_once(tmp_path: Path) -> None:
    found = check(tmp_path, {"host": "0.0.0.0", "apiKey": "changeme"}, "[]{")
    assert found.exit_code is ExitCode.BAD_CONFIG
    assert len(found.config_problems) == 1
    assert len(found.credential_problems) == 1


def test_bad_entries_are_named(tmp_path: Path) -> None:
    found = check(tmp_path, KEY, '[{"refreshToken": 3}]')
    assert found.exit_code is ExitCode.BAD_CREDENTIALS
    assert "credentials.json: entry 1" in found.credential_problems[0]
