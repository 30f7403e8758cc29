from __future__ import annotations

import json
from pathlib import Path

from kiro_rs_py.cli.checking import Findings, check_all
from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.config.access_keys import hashed
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


def test_a_bad_entry_beside_good_ones_is_only_a_warning(tmp_path: Path) -> None:
    """`serve` works with the others (PRODUCT §2)."""
    good = [{"refreshToken": letter * 120, "authMethod": "social"} for letter in "xy"]
    found = check(tmp_path, KEY, json.dumps([*good, {"refreshToken": 7}]))
    assert (found.config_problems, found.credential_problems, found.exit_code) == ([], [], ExitCode.DONE)
    assert found.warnings[-1].startswith(f"{tmp_path}/credentials.json: entry 3: refreshToken ")


def test_one_stage_does_not_hide_the_next(tmp_path: Path) -> None:
    wrong = {"apiKey": "sk-abcdefghijklmnopqrst", "models": {"aliases": {"a": 1}}, "porrt": 1}
    found = check(tmp_path, wrong, "[]{")
    assert [word in found.config_problems[i] for i, word in enumerate(("porrt", "aliases"))] == [True, True]
    assert (len(found.config_problems), len(found.credential_problems)) == (2, 1)


def test_what_only_follows_from_a_problem_is_not_told(tmp_path: Path) -> None:
    found = check(tmp_path, {"apiKey": "two words", "credentialsPath": 7}, "[]{")
    assert (len(found.config_problems), found.credential_problems) == (2, [])
    assert len(check(tmp_path, {"port": 1, "porrt": 1}, "[]").config_problems) == 2  # and api_key is missing
    (tmp_path / "config.json").write_text("{")
    inputs = Inputs(folders=Folders(tmp_path, tmp_path, tmp_path), config=tmp_path / "config.json")
    assert len(check_all(inputs).config_problems) == 1


def test_of_a_hashed_key_nobody_can_say_how_strong_it_is(tmp_path: Path) -> None:
    found = check(tmp_path, {"apiKey": hashed("short"), "host": "0.0.0.0"}, "[]")
    assert found.exit_code is ExitCode.DONE
    assert "Of api_key only the hash is known: how strong it is cannot be checked." in found.warnings
    (tmp_path / "credentials.keys.toml").write_text("damaged")
    found = check(tmp_path, {"apiKey": hashed("short")[:-1]}, "[]")
    assert "config hash-key" in found.config_problems[0]
    assert check(tmp_path, KEY, "[]").exit_code is ExitCode.BAD_CREDENTIALS
