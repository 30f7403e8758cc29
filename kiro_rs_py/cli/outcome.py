"""How a run ends: exit codes, and errors as one sentence and one remedy on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import IntEnum

from kiro_rs_py.errors import (
    BindError,
    ConfigError,
    CredentialFileError,
    KiroError,
    NoUsableCredential,
    RefreshRejected,
    UnusableSource,
)


class ExitCode(IntEnum):
    """The exit codes of PRODUCT §1."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BAD_CONFIG = 3
    BAD_CREDENTIALS = 4
    CANNOT_BIND = 5
    SOME_ACCOUNTS_FAILED = 6
    INTERRUPTED = 130


def exit_code_of(error: KiroError) -> ExitCode:
    """The exit code of an error that ended a command."""
    match error:
        case ConfigError():
            return ExitCode.BAD_CONFIG
        case CredentialFileError():
            return ExitCode.BAD_CREDENTIALS
        case BindError():
            return ExitCode.CANNOT_BIND
        case _:
            return ExitCode.FAILED


def remedy_for(error: KiroError) -> str | None:
    """What to do about it, for errors whose own text does not say so."""
    match error:
        case ConfigError() if not any("`kiro-rs-py" in problem for problem in error.problems):
            return (
                "`kiro-rs-py config check` reads everything again, `kiro-rs-py config show` names each value's source."
            )
        case NoUsableCredential():
            return "`kiro-rs-py accounts list` shows every account's state, `kiro-rs-py login` adds one."
        case RefreshRejected():
            return "Log in again with `kiro-rs-py login`."
        case UnusableSource():
            return None
        case CredentialFileError():
            return "`kiro-rs-py config path` names the file."
        case _:
            return None


def _report(error: BaseException) -> int:
    """Write an error to stderr: a line for each problem, then the remedy. Returns the exit code."""
    if not isinstance(error, KiroError):
        return _report_bug(error)
    problems = error.problems if isinstance(error, ConfigError) else (str(error),)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    remedy = remedy_for(error)
    if remedy:
        print(f"hint: {remedy}", file=sys.stderr)
    return exit_code_of(error)


def warn(warnings: tuple[str, ...] | list[str]) -> None:
    """Write warnings to stderr, one a line."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def exit_code_of_run(run: Callable[[list[str]], int], args: list[str]) -> int:
    """Run the command line and turn every way to end into an exit code; no traceback reaches the user.

    A reader that has gone away (``… | head``) is not worth a word. An exception that is none of ours is a bug: its
    type is named, and its traceback goes to the log at debug.
    """
    try:
        code = run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The interpreter's own flush at exit must go nowhere, else it complains about the broken pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    except Exception as error:
        code = _report(_only_one(error))
    except BaseExceptionGroup as group:
        # Ctrl-C while nurseries are being left comes in groups, in the company of what it interrupted.
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        code = ExitCode.INTERRUPTED
    return code


def _only_one(error: BaseException) -> BaseException:
    """The error inside Trio's groups, if it is a single one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _report_bug(error: BaseException) -> int:
    from logging import getLogger

    getLogger("kiro_rs_py.cli").debug("Unexpected error", exc_info=error)
    print(
        f"error: This is a bug: unexpected {type(error).__name__}. "
        "Run the command again with --log-level debug and report what it writes.",
        file=sys.stderr,
    )
    return ExitCode.FAILED
