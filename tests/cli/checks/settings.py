"""What the checks are given in these tests: an empty machine, and files on it."""

from __future__ import annotations

from pathlib import Path

from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.config.files import Folders
from kiro_rs_py.config.reader import Inputs

GOOD_KEY = "sk-3f9c27d1b8a64e05"


def inputs_in(folder: Path, **environ: str) -> Inputs:
    """A machine on which ``folder`` is the working directory."""
    return Inputs(folders=Folders(folder, folder / "config", folder / "data"), environ=environ)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode)
    path.chmod(mode)
    path.write_text(text)
    return path


def bad(found: list[Finding]) -> list[Finding]:
    """All but what is fine; each of them says what to do."""
    for finding in found:
        assert finding.fix or finding.level == "ok", finding
    return [finding for finding in found if finding.level != "ok"]
