"""Render every help page to a text file, so that the zipapp shows help without importing Typer.

render_help.py SITE_PACKAGES FOLDER
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def command_lines() -> Iterator[list[str]]:
    """The words of every command and group: ``[]``, ``["serve"]``, ``["config"]``, ``["config", "init"]``, …"""
    import typer.main

    from kiro_rs_py.cli.app import app

    waiting: list[tuple[list[str], object]] = [([], typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        yield words
        waiting.extend(([*words, name], child) for name, child in getattr(command, "commands", {}).items())


def main(folder: Path) -> None:
    """Write ``_.txt``, ``serve.txt``, ``config_init.txt``, … into ``folder``."""
    from kiro_rs_py.cli.app import run_app

    folder.mkdir(parents=True, exist_ok=True)
    for words in command_lines():
        page = io.StringIO()
        with contextlib.redirect_stdout(page):
            run_app([*words, "--help"])
        (folder / f"{'_'.join(words) or '_'}.txt").write_text(page.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"  # the width that the front takes pages for
    sys.path.insert(0, sys.argv[1])
    main(Path(sys.argv[2]))
