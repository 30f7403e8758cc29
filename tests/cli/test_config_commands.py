from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from kiro_rs_py.config.access_keys import hashed
from tests.cli.conftest import RunCli
from tests.cli.simulated import Terminal

GOOD_KEY = "sk-3f9c27d1b8a64e05"


def test_init_writes_a_private_file_that_passes_the_check(cli: RunCli, home: Path) -> None:
    result = cli("config", "init")
    path = home / ".config" / "kiro-rs-py" / "config.toml"
    assert result.code == 0
    assert result.out == f"{path}\n"
    assert "Next: `kiro-rs-py login`, then `kiro-rs-py serve`." in result.err
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    keys = tomllib.loads(path.read_text())
    assert len({keys["api_key"], keys["admin_api_key"]}) == 2
    assert keys["api_key"] not in result.out + result.err
    checked = cli("config", "check")
    assert checked.code == 0
    assert checked.out == f"{path}: no problems.\n"


def test_init_keeps_what_is_there_unless_forced(cli: RunCli, home: Path) -> None:
    target = home / "mine.toml"
    target.write_text("port = 1")
    refused = cli("config", "init", "-c", str(target))
    assert refused.code == 1
    assert "--force" in refused.err
    assert target.read_text() == "port = 1"
    assert cli("config", "init", "-c", str(target), "--force").code == 0
    assert "api_key" in tomllib.loads(target.read_text())
    assert (home / "mine.toml.bak").read_text() == "port = 1"


def test_init_refuses_json_and_impossible_places(cli: RunCli, home: Path) -> None:
    assert "Name a .toml file" in cli("config", "init", "-c", "config.json").err
    (home / "file").touch()
    result = cli("config", "init", "-c", str(home / "file" / "config.toml"))
    assert (result.code, "Traceback" in result.err) == (1, False)
    assert "cannot be written" in result.err


def test_init_does_not_need_the_folder_it_stands_in(home: Path) -> None:
    """As another user in somebody's home: `sudo -u kiro-rs-py kiro-rs-py config init -c …`."""
    (home / "work").chmod(0o700)
    program = """
import os, sys
from kiro_rs_py.cli import run as answer
from kiro_rs_py.cli import app, folders, front
from kiro_rs_py.config import files, reader, template
from kiro_rs_py.upstream import atomic
os.setgroups([]), os.setgid(65534), os.setuid(65534)
sys.exit(answer(["config", "init", "-c", sys.argv[1]]))
"""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory() as name:  # others cannot reach pytest's own
        Path(name).chmod(0o777)
        ended = subprocess.run(
            [sys.executable, "-c", program, f"{name}/config.toml"], capture_output=True, text=True, check=False
        )
    assert (ended.returncode, ended.stdout) == (0, f"{name}/config.toml\n")
    assert "Next: `kiro-rs-py login -c" in ended.stderr


def test_path_names_the_files_of_a_wrong_configuration(cli: RunCli, home: Path) -> None:
    (home / "work" / "config.toml").write_text('port = "x"')
    result = cli("config", "path", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["config"] == str(home / "work" / "config.toml")


def test_check_calls_a_broken_credentials_file_an_error(cli: RunCli, home: Path) -> None:
    (home / "work" / "config.toml").write_text(f'api_key = "{GOOD_KEY}"')
    (home / "work" / "config.toml").chmod(0o600)
    (home / "work" / "credentials.json").write_text("{")
    result = cli("config", "check")
    assert result.code == 4
    assert result.err.startswith("error: ")
    assert "hint" not in result.err


def test_init_tells_when_another_file_is_read_first(cli: RunCli, home: Path) -> None:
    (home / "work" / "config.json").write_text("{}")
    assert "is read first" in cli("config", "init").err


def test_check_lists_everything(cli: RunCli, home: Path) -> None:
    (home / "work" / "config.json").write_text('{"prot": 1, "port": "x"}')
    result = cli("config", "check")
    assert result.code == 3
    assert result.err.count("error: ") == 3  # and there is no api_key
    as_json = cli("config", "check", "--json")
    assert as_json.code == 3
    told = json.loads(as_json.out)
    assert told["ok"] is False
    assert len(told["problems"]) == 3


def test_check_without_any_file(cli: RunCli) -> None:
    result = cli("config", "check")
    assert result.code == 3
    assert "api_key is missing" in result.err
    assert "config init" in result.err


def test_check_of_bad_credentials_is_4(cli: RunCli, home: Path) -> None:
    (home / "work" / "config.json").write_text(json.dumps({"apiKey": GOOD_KEY}))
    (home / "work" / "credentials.json").write_text("{")
    result = cli("config", "check")
    assert result.code == 4
    assert "credentials.json" in result.err
    assert json.loads(cli("config", "check", "--json").out)["ok"] is False


def test_show_names_sources_and_masks_secrets(cli: RunCli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRO_RS_PORT", "9")
    monkeypatch.setenv("KIRO_RS_PROXY_URL", "http://u:hunter2@proxy.example")
    path = home / "work" / "config.toml"
    path.write_text(f'api_key = "{GOOD_KEY}"\nno_proxy = ["a", "b"]\nping_interval_seconds = 2.5\n')
    result = cli("config", "show")
    assert result.code == 0
    lines = {line.split()[0]: line.split() for line in result.out.splitlines()}
    assert lines["port"] == ["port", "9", "environment", "KIRO_RS_PORT"]
    assert lines["api_key"] == ["api_key", "********", str(path)]
    assert lines["no_proxy"][1:3] == ["a,", "b"]
    assert lines["ping_interval_seconds"][1] == "2.5"
    assert lines["region"] == ["region", "us-east-1", "default"]
    assert lines["cors_origins"][1] == lines["auth_region"][1] == "-"
    settings = json.loads(cli("config", "show", "--json").out)
    assert settings["config_file"] == str(path)
    assert settings["settings"]["port"] == {"value": 9, "source": "environment KIRO_RS_PORT"}
    for secret in (GOOD_KEY, "hunter2"):
        assert secret not in result.out + result.err + json.dumps(settings)


def test_path(cli: RunCli, home: Path) -> None:
    assert [line.split()[-3:] for line in cli("config", "path").out.splitlines()[1:]] == [["not", "there", "yet"]] * 2
    (home / "work" / "config.toml").touch()
    found = json.loads(cli("config", "path", "--json").out)
    assert found == {
        "config": str(home / "work" / "config.toml"),
        "credentials": str(home / "work" / "credentials.json"),
    }


def test_no_sub_command_shows_help(cli: RunCli) -> None:
    result = cli("config")
    assert "Usage: kiro-rs-py config" in result.out + result.err


@pytest.mark.parametrize(("args", "name"), [([], "api_key"), (["--admin"], "admin_api_key")])
def test_the_line_to_paste(cli: RunCli, args: list[str], name: str) -> None:
    result = cli("config", "hash-key", *args, stdin=f"{GOOD_KEY}\n")
    assert (result.code, result.err) == (0, "")
    assert tomllib.loads(result.out) == {name: hashed(GOOD_KEY)}


def test_a_weak_key_is_warned_of(cli: RunCli) -> None:
    result = cli("config", "hash-key", stdin="tooshort")
    assert result.code == 0
    assert "shorter than 16 characters" in result.err
    assert "tooshort" not in result.out + result.err


@pytest.mark.parametrize(
    ("text", "words"), [("", "There is none"), ("two words", "printable ASCII"), (hashed(GOOD_KEY), "a hash already")]
)
def test_what_is_no_key(cli: RunCli, text: str, words: str) -> None:
    result = cli("config", "hash-key", stdin=text)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_a_person_is_asked_without_showing_the_answer() -> None:
    terminal = Terminal("config", "hash-key")
    terminal.wait_for("Key \\(hidden\\): ")
    terminal.type(GOOD_KEY)
    code, seen = terminal.end()
    assert code == 0
    assert hashed(GOOD_KEY) in seen
    assert GOOD_KEY not in seen
