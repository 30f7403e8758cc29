"""What is in the file, and that it works anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.running import serving
from tests.cli.test_app import COMMANDS
from tests.cli.test_counting import REQUEST, TOTAL
from tests.zipapp.conftest import Build, Zipapp

pytestmark = pytest.mark.zipapp


def test_pure_python_and_no_trace_of_the_build(built: Path, checkout: Path) -> None:
    with zipfile.ZipFile(built) as archive, zipfile.ZipFile(archive.open("site-packages.zip")) as packages:
        # Python reads this directory at each start.
        assert len(archive.namelist()) < 10
        names = packages.namelist()
        assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib", ".pyc", ".pth"))]
        traces = (str(checkout).encode(), str(built.parent).encode(), str(Path.home()).encode() + b"/.")
        for opened in (archive, packages):
            assert not [name for name in opened.namelist() if any(trace in opened.read(name) for trace in traces)]
            assert {member.date_time for member in opened.infolist()} == {(2026, 1, 1, 0, 0, 0)}
        assert not [name for name in names if "/tests/" in name or "cache" in name.rpartition("/")[0]]
        # whoever passes the file on passes on the licences
        assert "site-packages/kiro_rs_py/LICENSE" in names
        assert [name for name in names if "trio-" in name and "LICENSE" in name]
    assert built.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert os.access(built, os.X_OK)


def test_two_builds_are_equal(built: Path, checkout: Path, build: Build, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(checkout, tmp_path / "another checkout")
    other = build(elsewhere, tmp_path / "another name")
    assert hashlib.sha256(other.read_bytes()).digest() == hashlib.sha256(built.read_bytes()).digest()


def test_a_conversation_from_an_empty_folder(zipapp: Zipapp, tmp_path: Path) -> None:
    with serving("--demo", "--port", "0", program=zipapp.command, cwd=tmp_path / "tmp", **zipapp.environ) as served:
        assert served.say("<<SAY from the file>>") == "from the file"
        code, err = served.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in err


def test_help_pages_are_those_of_typer(zipapp: Zipapp, checkout: Path) -> None:
    for words, _ in COMMANDS:
        ended = subprocess.run(
            [sys.executable, "-m", "kiro_rs_py", *words, "--help"],
            cwd=checkout,
            env={**os.environ, "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert zipapp.output_of(*words, "--help") == ended.stdout


def test_commands_that_draw_and_parse(zipapp: Zipapp, tmp_path: Path) -> None:
    assert "claude-sonnet-4-5" in zipapp.output_of("models")
    assert json.loads(zipapp.output_of("config", "show", "--json"))["config_file"] is None
    request = tmp_path / "request.json"
    request.write_text(json.dumps(REQUEST))
    assert zipapp.output_of("count-tokens", str(request)) == f"{TOTAL}\n"


WITHOUT_NETWORK = """
import ctypes, os, sys
CLONE_NEWNET = 0x40000000
if ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
    os._exit(77)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_first_start_without_a_network(zipapp: Zipapp) -> None:
    before = (sys.executable, "-c", WITHOUT_NETWORK)
    process = zipapp.start("models", "--json", before=before)
    out, err = process.communicate(timeout=60)
    if process.returncode == 77:
        pytest.skip("may not make a network namespace here")
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)
