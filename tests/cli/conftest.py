"""Runs the command line in this process, in an empty home and working directory."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from kiro_rs_py.cli import run

if TYPE_CHECKING:
    from tests.cli.simulated import Kiro


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


class RunCli(Protocol):
    def __call__(self, *args: str, stdin: str = "") -> Result: ...


@pytest.fixture
def clean_logging() -> Iterator[None]:
    """Undo what setting up logging changes for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.NOTSET)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, its sub-folder ``work`` as the working directory, and no settings in the environment."""
    for name in list(os.environ):
        if name.startswith(("KIRO_RS_", "XDG_", "RUST_LOG", "_KIRO", "NO_COLOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


@pytest.fixture
def cli(home: Path, clean_logging: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCli:
    def run_cli(*args: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin.encode())))
        code = run(list(args))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run_cli


@pytest.fixture
def kiro(cli: RunCli, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiro]:
    """The command line with a simulated Kiro behind it; nothing of this machine's own accounts is seen."""
    from kiro_rs_py.simulator.app import Simulator
    from tests.cli.simulated import Kiro, simulator_in_thread

    for name in ("KIRO_API_KEY", "KIROCLI_DB_PATH", "KIRO_CLI_DB_FILE", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    simulator = Simulator()
    simulator.oidc.interval = 0.02
    with simulator_in_thread(simulator) as (url, token):
        monkeypatch.setenv("KIRO_RS_UPSTREAM_URL", url)
        yield Kiro(simulator, url, home, cli, token)
