"""The file on a Python that has nothing but its standard library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.cli.running import serving
from tests.zipapp.conftest import Zipapp

pytestmark = pytest.mark.zipapp

LIBRARIES = ("trio", "httpx", "typer", "hypercorn", "rich", "pip")

# What may not be imported, whatever the file contains (see tests/cli/test_imports.py).
HEAVY = {"trio", "httpx", "hypercorn", "typer", "click", "rich", "asyncio", "ssl", "pypdf", "segno"}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The Python of an empty virtual environment."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    find = "import importlib.util, sys; print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    found = subprocess.run([python, "-c", find, *LIBRARIES], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
    return python


def test_every_kind_of_command(zipapp: Zipapp, bare: Path, tmp_path: Path) -> None:
    def run(*args: str) -> str:
        ended = subprocess.run(
            [bare, zipapp.path, *args], cwd=tmp_path, env=zipapp.environ, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    assert run("--help").startswith("Usage: kiro-rs-py")
    assert run("count-tokens", "--text", "one two three").strip().isdigit()
    assert json.loads(run("models", "--json"))
    assert json.loads(run("accounts", "list", "--json", "--credentials", "none.json")) is not None


def test_a_conversation(zipapp: Zipapp, bare: Path, tmp_path: Path) -> None:
    program = [str(bare), str(zipapp.path)]
    with serving("--demo", "--port", "0", program=program, cwd=tmp_path, **zipapp.environ) as served:
        assert served.say("<<SAY nothing else is needed>>") == "nothing else is needed"
        code, err = served.end(signal.SIGTERM)
    assert (code, "Traceback" in err) == (0, False)


@pytest.mark.parametrize("args", [["--help"], ["serve", "--help"], ["--version"], ["count-tokens", "--text", "a"]])
def test_quick_answers_load_nothing_heavy(args: list[str], zipapp: Zipapp) -> None:
    zipapp.output_of("--version")
    command = [os.path.realpath(sys.executable), "-X", "importtime", str(zipapp.path), *args]
    ended = subprocess.run(command, env=zipapp.environ, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "kiro_rs_py" in imported
    assert not imported & HEAVY
