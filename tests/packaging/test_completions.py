"""The completion files, tried in the shells that are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPLETIONS = Path(__file__).parent.parent.parent / "packaging" / "completions"
FILES = {"bash": "kiro-rs-py.bash", "zsh": "_kiro-rs-py", "fish": "kiro-rs-py.fish"}

IN_BASH = """
source "$1"
complete -p kiro-rs-py
COMP_WORDS=(kiro-rs-py config s) COMP_CWORD=2
_kiro_rs_py_completion kiro-rs-py
printf '%s\\n' "${COMPREPLY[@]}"
"""

IN_FISH = "source $argv[1]; complete -C 'kiro-rs-py config s'"

# Without a terminal there is no completion to run in zsh; what it would do is shown instead.
IN_ZSH = """
compdef() { print registered $2 }
source "$1"
words="kiro-rs-py config s" CURRENT=19
eval() { print "$@" }
_kiro_rs_py_completion
"""


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """The program on the path, as ``kiro-rs-py``."""
    program = home / "bin" / "kiro-rs-py"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kiro_rs_py "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(home)}


@pytest.mark.parametrize(
    ("shell", "arguments"),
    [
        ("bash", ["--norc", "-c", IN_BASH, "bash"]),
        ("zsh", ["-f", "-c", IN_ZSH, "zsh"]),
        ("fish", ["--no-config", "-c", IN_FISH]),
    ],
)
def test_offers_what_fits(shell: str, arguments: list[str], environ: dict[str, str]) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    ended = subprocess.run(
        [program, *arguments, str(COMPLETIONS / FILES[shell])], env=environ, capture_output=True, text=True, check=True
    )
    assert "show" in ended.stdout
    assert "serve" not in ended.stdout
    if shell != "fish":
        assert "kiro-rs-py" in ended.stdout.splitlines()[0]


@pytest.mark.parametrize("shell", FILES)
def test_speaks_as_the_programs_own_script_does(shell: str, environ: dict[str, str]) -> None:
    """What the shell is to put into the environment changes with the library that makes it."""
    own = subprocess.run(
        ["kiro-rs-py"],
        env={**environ, "_KIRO_RS_PY_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    variables = {word.partition("=")[0] for word in own.replace('"', " ").replace("(", " ").split() if "=" in word}
    variables = {name for name in variables if name.isupper()} - {"IFS", "COMPREPLY"}
    assert f"_KIRO_RS_PY_COMPLETE=complete_{shell}" in own
    assert variables
    text = (COMPLETIONS / FILES[shell]).read_text()
    assert not [name for name in variables if name not in text]


def test_zsh_finds_the_file_by_its_first_line() -> None:
    assert (COMPLETIONS / FILES["zsh"]).read_text().startswith("#compdef kiro-rs-py\n")
