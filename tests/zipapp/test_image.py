"""What the Dockerfile does to the file, done here: the copy it prepares must serve a user who may write nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kiro_rs_py import __version__
from tests.packaging.test_dockerfile import FINAL
from tests.zipapp.conftest import Zipapp

pytestmark = pytest.mark.zipapp


def test_the_prepared_copy(zipapp: Zipapp, tmp_path: Path) -> None:
    root, programs = tmp_path / "prepared", tmp_path / "bin"
    programs.mkdir()
    shutil.copy(zipapp.path, programs / "kiro-rs-py")
    (programs / "python3").symlink_to(zipapp.command[0])
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path / "home"), "SHIV_ROOT": str(root)}
    steps = [step.strip() for step in FINAL.only("RUN").split("&&")]
    prepare = [step for step in steps if step.startswith(("kiro-rs-py", "python3", "chmod"))]
    assert len(prepare) == 3
    subprocess.run(["sh", "-euc", "umask 077; " + " && ".join(prepare)], env=environ, check=True)

    (copy,) = [path for path in root.iterdir() if path.is_dir()]
    for path in root.rglob("*"):
        wanted = 0o555 if path.is_dir() else 0o444
        assert path.stat().st_mode & wanted == wanted, path
        assert path.stat().st_mode & 0o022 == 0, path
    assert list(copy.rglob("kiro_rs_py/serve/__pycache__/*.pyc"))

    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    zipapp.environ["SHIV_ROOT"] = str(root)
    assert zipapp.output_of("--version") == f"kiro-rs-py {__version__}\n"
    assert zipapp.output_of("models")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert os.listdir(tmp_path / "tmp") == []
