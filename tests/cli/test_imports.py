"""What the quick commands may not import: start-up time is import time (stack.md A5)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# The engines of the server, the terminal's artists, and what they drag along.
ENGINES = {"trio", "httpx", "httpcore", "hypercorn", "h11", "h2", "rich", "ssl", "asyncio", "certifi", "truststore"}
ENGINES |= {"pypdf", "segno", "tomli_w", "sqlite3", "logging"}
# What reading the settings takes.
SETTINGS = {"tomllib", "platformdirs", "difflib", "kiro_rs_py.config"}
# Typer, and what only Typer needs. The zipapp's help pages are rendered when it is built, so they do without.
TYPER = {"typer", "click", "shellingham", "subprocess"}
# What once came along with something else: 2 to 4 ms each of the 10 that Python itself takes to start.
STOWAWAYS = {"hashlib", "tempfile", "shutil", "random", "difflib", "datetime"}
if sys.platform == "linux":
    STOWAWAYS.add("platformdirs")
# Rooms of ours that a quick answer has nothing to do in.
ROOMS = {"kiro_rs_py.serve", "kiro_rs_py.upstream", "kiro_rs_py.simulator", "kiro_rs_py.codec"}

PROBE = """
import sys
from kiro_rs_py.cli import front, run
front.PAGES, *args = sys.argv[1:]
before = set(sys.modules)
code = run(args)
print(*(set(sys.modules) - before), file=sys.stderr)
sys.exit(code)
"""


def imported_by(home: Path, *args: str, code: int = 0) -> set[str]:
    """Modules that running ``args``, which ends with ``code``, loads: of libraries the first name, of ours rooms too.

    The rendered help pages are in ``home / "pages"``, if there are any.
    """
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, str(home / "pages"), *args], capture_output=True, text=True, check=False
    )
    assert ended.returncode == code, ended.stderr
    names = [name.split(".") for name in ended.stderr.splitlines()[-1].split()]
    ours = [name for name in names if name[0] == "kiro_rs_py"]
    return {name[0] for name in names} | {".".join(name[:2]) for name in ours} | {".".join(name) for name in ours}


@pytest.fixture
def request_file(home: Path) -> str:
    path = home / "request.json"
    path.write_text('{"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "How many?"}]}')
    return str(path)


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["serve", "--help"], ["login", "--help"], ["config", "--help"]])
def test_help(args: list[str], home: Path) -> None:
    imported = imported_by(home, *args)
    assert "typer" in imported  # in a checkout there are no rendered pages
    assert not imported & (ENGINES | ROOMS | {"kiro_rs_py.convert", "kiro_rs_py.config"})


@pytest.mark.parametrize("args", [["--help"], ["serve", "--help"], ["--version"]])
def test_rendered_help_and_version(args: list[str], home: Path) -> None:
    pages = home / "pages"
    pages.mkdir()
    for name in ("_", "serve"):
        (pages / f"{name}.txt").write_text("Usage: …\n")
    assert not imported_by(home, *args) & (ENGINES | ROOMS | TYPER | SETTINGS | {"kiro_rs_py.convert", "dataclasses"})


@pytest.mark.parametrize("options", [[], ["--breakdown"], ["--json"], ["--model", "claude-opus-4-5"]])
def test_counting_a_request(options: list[str], home: Path, request_file: str) -> None:
    imported = imported_by(home, "count-tokens", request_file, *options)
    assert "kiro_rs_py.convert" in imported
    # The settings would lead to what a server has learnt about counting; here are none, and no state.
    assert not imported & (ENGINES | ROOMS | TYPER | STOWAWAYS)
    assert not imported & {
        f"kiro_rs_py.{name}" for name in ("convert.websearch", "convert.search_results", "config.reader")
    }


def test_counting_a_text(home: Path) -> None:
    assert not imported_by(home, "count-tokens", "--text", "one two") & (ENGINES | ROOMS | TYPER | SETTINGS)


@pytest.mark.parametrize("option", ["-c", "--config"])
def test_serving_until_it_listens(option: str, home: Path) -> None:
    """Seen by an address that cannot be had: what else ``serve`` needs is loaded while clients can connect already."""
    config = home / "config.json"
    config.write_text('{"apiKey": "sk-3f9c27d1b8a64e05"}')
    config.chmod(0o600)
    imported = imported_by(home, "serve", option, str(config), "--host", "192.0.2.1", "--port", "8123", code=5)
    assert "kiro_rs_py.serve" in imported
    assert not imported & ((ENGINES - {"logging"}) | (ROOMS - {"kiro_rs_py.serve"}) | TYPER | STOWAWAYS | {"tomllib"})
    assert not imported & {"kiro_rs_py.serve.run", "kiro_rs_py.convert"}


def test_counting_through_typer(home: Path) -> None:
    """Spellings that the front leaves to Typer are no excuse for the engines."""
    imported = imported_by(home, "count-tokens", "--text=one two")
    assert not imported & (ENGINES | ROOMS) - {"logging"}
