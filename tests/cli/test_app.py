from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from kiro_rs_py import __version__
from kiro_rs_py.cli.app import app, run_app
from tests.cli.conftest import RunCli


def command_lines() -> Iterator[tuple[list[str], bool]]:
    """The words of every command and group, and whether it is a group."""
    waiting: list[tuple[list[str], object]] = [([], typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        children = getattr(command, "commands", {})
        yield words, bool(children)
        waiting.extend(([*words, name], child) for name, child in children.items())


COMMANDS = list(command_lines())


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS], ids=" ".join)
def test_every_help_text_teaches(words: list[str], cli: RunCli) -> None:
    result = cli(*words, "--help")
    lines = [line.strip() for line in result.out.splitlines()]
    assert result.code == 0
    examples = lines[lines.index("Examples:") + 1 :]
    assert examples[0].startswith(" ".join(["kiro-rs-py", *words]))
    assert max(map(len, result.out.splitlines())) <= 80
    # the one-line summaries of the command list are not cut
    assert not any(line.endswith("...") for line in lines if "COMMAND" not in line)


@pytest.mark.parametrize("words", [words for words, group in COMMANDS if not group], ids=" ".join)
def test_an_unknown_option_is_a_usage_error(words: list[str], cli: RunCli) -> None:
    result = cli(*words, "--no-such-option")
    assert result.code == 2
    assert "No such option" in result.err
    assert result.out == ""


def test_an_unknown_command_names_the_help(cli: RunCli) -> None:
    result = cli("sevre")
    assert result.code == 2
    assert "kiro-rs-py -h" in result.err


def test_no_command_shows_the_help(cli: RunCli) -> None:
    result = cli()
    assert result.code == 0
    assert result.out == cli("--help").out


def test_version_through_typer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["--version"]) == 0
    assert capsys.readouterr().out == f"kiro-rs-py {__version__}\n"


def test_version_for_bug_reports(cli: RunCli) -> None:
    result = cli("version")
    assert result.code == 0
    assert result.out.startswith(f"kiro-rs-py {__version__} (Python {platform.python_version()}, ")
    assert json.loads(cli("version", "--json").out)["version"] == __version__


def test_options_without_a_command_mean_serve(cli: RunCli, home: Path) -> None:
    (home / "config.json").write_text("{}")
    result = cli("-c", str(home / "config.json"), "--credentials", "credentials.json")
    assert result.code == 3
    assert "api_key is missing" in result.err


def test_python_m(home: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "kiro_rs_py", "--version"], capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"kiro-rs-py {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("se", {"serve"}), ("", {"serve", "count-tokens", "models", "config"}), ("config s", {"show"})],
)
def test_shell_completion(typed: str, offered: set[str], home: Path) -> None:
    words = f"kiro-rs-py {typed}"
    environ = {
        **os.environ,
        "_KIRO_RS_PY_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "kiro_rs_py"], capture_output=True, text=True, check=True, env=environ
    )
    assert offered <= set(ended.stdout.split())


def test_characters_that_the_terminal_has_not_are_spelled_out(home: Path) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "kiro_rs_py", "config", "path", "-c", "m\u00fcll.toml"]
    ended = subprocess.run(command, capture_output=True, check=False, env=environ)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"m\\xfcll.toml" in ended.stdout


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_with_help_needs_no_markdown(shell: str, home: Path) -> None:
    """The zipapp has nothing to draw it with."""
    environ = {
        **os.environ,
        "_KIRO_RS_PY_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "kiro-rs-py acc",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    program = "import sys; sys.modules['markdown_it'] = None; from kiro_rs_py.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert ended.stderr == ""
    assert "accounts" in ended.stdout
    assert "List and change the stored accounts" in ended.stdout


def test_the_shell_gets_a_completion_script(home: Path) -> None:
    environ = {**os.environ, "_KIRO_RS_PY_COMPLETE": "source_bash"}
    ended = subprocess.run(
        [sys.executable, "-m", "kiro_rs_py"], capture_output=True, text=True, check=True, env=environ
    )
    assert "complete" in ended.stdout
    assert "_KIRO_RS_PY_COMPLETE=complete_bash" in ended.stdout
