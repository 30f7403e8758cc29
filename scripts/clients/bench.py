"""What every check needs: installing, running, a place to work, a word to look for, and the demo server."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(__file__).resolve().parent / "programs"
STEP_SECONDS = 240


class CheckFailed(Exception):
    """A client did not do what it should have."""


@dataclass(frozen=True)
class Target:
    """Where the proxy listens, and where clients are kept: ``base_url`` ends in nothing or in ``/cc``."""

    base_url: str
    key: str
    cache: Path


@dataclass(frozen=True)
class Place:
    """Folders for one run of a client, gone afterwards."""

    home: Path
    work: Path


@contextmanager
def place() -> Iterator[Place]:
    # A client's own daemon may still write there for a moment.
    with tempfile.TemporaryDirectory(prefix="check-client-", ignore_cleanup_errors=True) as folder:
        made = Place(Path(folder, "home"), Path(folder, "work"))
        made.home.mkdir()
        made.work.mkdir()
        yield made


def new_word() -> str:
    """Something that can be in an answer only if the client's tool has really run."""
    return f"word{secrets.token_hex(8)}"


def expect(found: bool, what: str, answer: str = "") -> None:
    if not found:
        raise CheckFailed(f"{what}; answer: {answer[-800:]!r}")


def call(name: str, **arguments: object) -> str:
    """The directive that makes the demo's model call a tool; ``name`` may be ``A|B``."""
    return f"<<CALL {name} {json.dumps(arguments)}>>"


def environment(home: Path, **extra: str) -> dict[str, str]:
    """The caller's, without anything that would steer an Anthropic client elsewhere or send it through a proxy."""
    steering = ("ANTHROPIC_", "CLAUDE", "OPENCODE", "CLINE", "KIRO_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(steering)}
    return kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), **extra}


def run(command: list[str], *, cwd: Path, env: dict[str, str]) -> str:
    """Run one client to its end and return what it printed; its own error text is part of a failure."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env | {"PWD": str(cwd)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CheckFailed(f"{command[0]} did not end in {STEP_SECONDS} seconds") from None
    if done.returncode != 0:
        raise CheckFailed(f"{command[0]} exited {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def run_program(command: list[str], target: Target, **extra: str) -> str:
    """Run one of the small programs of ``programs/``; returns the ways it went, as it names them.

    It reads the address and the key from the SDK's usual variables and the word from ``WORD``, and prints one line for
    each way: its name, a colon, the model's last answer.
    """
    word = new_word()
    with place() as here:
        env = environment(
            here.home, ANTHROPIC_BASE_URL=target.base_url, ANTHROPIC_API_KEY=target.key, WORD=word, **extra
        )
        answer = run(command, cwd=here.work, env=env)
    lines = answer.splitlines()
    expect(bool(lines) and all(word in line for line in lines), "an answer does not show the tool's result", answer)
    return ", ".join(line.partition(":")[0] for line in lines)


# --- installing -------------------------------------------------------------------------------------------------------


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[None]:
    """An installation that fails leaves nothing that the next run would take for a good one."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def npm_install(cache: Path, name: str, *packages: str) -> Path:
    """The ``node_modules`` that hold the packages; installed once."""
    folder = cache / name
    if not (folder / "node_modules").is_dir():
        with _whole_or_nothing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "init", "-y"], cwd=folder, check=True, capture_output=True)
            quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(["npm", "install", *quiet, *packages], cwd=folder, check=True)
    return folder / "node_modules"


def npm_program(modules: Path, name: str) -> list[str]:
    """The command that runs a program beside the packages it imports, as node wants it."""
    copy = modules.parent / name
    copy.write_text((PROGRAMS / name).read_text())
    return ["node", str(copy)]


def pip_environment(cache: Path, name: str, *packages: str) -> Path:
    """The Python of an environment that holds the packages; installed once."""
    python = cache / name / "bin" / "python"
    if not python.exists():
        with _whole_or_nothing(cache / name):
            subprocess.run([sys.executable, "-m", "venv", str(cache / name)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return python


def pip_program(python: Path, name: str) -> list[str]:
    return [str(python), str(PROGRAMS / name)]


# --- the server -------------------------------------------------------------------------------------------------------


@contextmanager
def demo_server(cache: Path) -> Iterator[Target]:
    """``serve --demo`` on a free port; the address and key are read from what it prints."""
    command = [sys.executable, "-m", "kiro_rs_py", "serve", "--demo", "--port", "0", "--log-level", "warning"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        url = key = ""
        for line in process.stdout:
            url = url or next(iter(re.findall(r"ANTHROPIC_BASE_URL=[\"']?(http://[^\s\"']+)", line)), "")
            key = key or next(iter(re.findall(r"ANTHROPIC_AUTH_TOKEN=[\"']?([^\s\"']+)", line)), "")
            if url and key:
                break
        else:
            raise CheckFailed("serve --demo ended before it printed its address")
        yield Target(url.rstrip("/"), key, cache)
    finally:
        process.terminate()
        process.wait(timeout=60)
