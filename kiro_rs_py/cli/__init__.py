"""The command line: options → Config → one function → print → exit code. Alone prints and reads the environment.

What a command needs is imported inside that command, since most of the start-up time is imports (stack.md A5).
"""

from __future__ import annotations

import gc
import io
import sys


def main() -> None:
    """Run the command line of ``sys.argv`` and end the process with its exit code."""
    # There is no garbage in what is imported, and looking for it, now and at the end, is a tenth of a short command.
    gc.disable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has every character
    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def run(args: list[str]) -> int:
    """Run one command line; returns the exit code (PRODUCT §1). Nothing is raised, errors are told on stderr."""
    from kiro_rs_py.cli.outcome import exit_code_of_run

    return exit_code_of_run(_answer, args)


def _answer(args: list[str]) -> int:
    from kiro_rs_py.cli.front import answer_at_once

    code = answer_at_once(args)
    if code is not None:
        return code
    from kiro_rs_py.cli.app import run_app

    gc.enable()
    return run_app(args)
