"""Builds the zipapp once, the way everybody does: with ``scripts/build_zipapp.sh``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# A date for all builds here, so that a commit between two of them makes no difference.
EPOCH = "1767225600"

Build = Callable[[Path, Path], Path]


@dataclass
class Zipapp:
    """The file, started with the machine's Python: the virtual environment's has what the file may lack."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        return [os.path.realpath(sys.executable), str(self.path)]

    def start(self, *args: str, cwd: Path | str = "/", before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*before, *self.command, *args],
            cwd=cwd,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def output_of(self, *args: str, before: tuple[str, ...] = ()) -> str:
        """What it prints; it must end with 0 and say nothing on stderr."""
        process = self.start(*args, before=before)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        return out


@pytest.fixture(scope="session")
def build() -> Build:
    def run(checkout: Path, output: Path) -> Path:
        ended = subprocess.run(
            [checkout / "scripts" / "build_zipapp.sh", output],
            env={**os.environ, "BUILD_PYTHON": sys.executable, "SOURCE_DATE_EPOCH": EPOCH},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        assert "The demo answers: it works" in ended.stdout
        return output

    return run


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build needs of the checkout, copied, so that edits during the tests change nothing."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("kiro_rs_py", "scripts"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="session")
def built(checkout: Path, build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(checkout, tmp_path_factory.mktemp("dist") / "kiro-rs-py")


@pytest.fixture
def zipapp(built: Path, tmp_path: Path) -> Zipapp:
    """The built file with an empty home and an empty temporary folder of its own."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    return Zipapp(built, environ)
