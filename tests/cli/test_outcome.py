from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kiro_rs_py.cli.outcome import ExitCode, exit_code_of, exit_code_of_run, remedy_for
from kiro_rs_py.errors import (
    BindError,
    ConfigError,
    CredentialFileError,
    KiroError,
    LoginFailed,
    NoUsableCredential,
    RefreshFailed,
    RefreshRejected,
    UnusableSource,
)

OUTCOMES = [
    (ConfigError(["config.toml: port must be a number."]), 3, "config check"),
    (ConfigError(["api_key is missing. `kiro-rs-py config init` makes one."]), 3, None),
    (CredentialFileError("credentials.json is no JSON."), 4, "config path"),
    (BindError("Port 80 is in use. Choose another with --port."), 5, None),
    (NoUsableCredential("No account is usable."), 1, "accounts list"),
    (RefreshRejected("The refresh token was refused."), 1, "kiro-rs-py login"),
    (UnusableSource("export.json holds no account. Export it again."), 4, None),
    (LoginFailed("The login was denied. Run it again.", code="access_denied"), 1, None),
    (RefreshFailed("The token service is down."), 1, None),
]


@pytest.mark.parametrize(("error", "code", "remedy"), OUTCOMES)
def test_exit_codes_and_remedies(error: KiroError, code: int, remedy: str | None) -> None:
    assert exit_code_of(error) == code
    told = remedy_for(error)
    assert (told is None) if remedy is None else (told is not None and remedy in told)


def raising(error: BaseException) -> int:
    def run(args: list[str]) -> int:
        raise error

    return exit_code_of_run(run, [])


def test_every_problem_is_a_line_and_the_hint_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(ConfigError(["one.", "two."])) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["error: one.", "error: two."]
    assert lines[2].startswith("hint: ")
    assert len(lines) == 3


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    in_nurseries = BaseExceptionGroup("", [ValueError(), BaseExceptionGroup("", [KeyboardInterrupt()])])
    for interrupt in (KeyboardInterrupt(), in_nurseries):
        assert raising(interrupt) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == ""
    with pytest.raises(BaseExceptionGroup):
        raising(BaseExceptionGroup("", [GeneratorExit()]))


def test_a_bug_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert raising(ZeroDivisionError("secret")) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "unexpected ZeroDivisionError" in told
    assert "secret" not in told
    assert "Traceback" not in told
    assert caplog.records[0].exc_info is not None


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        ended = subprocess.run(
            [sys.executable, "-m", "kiro_rs_py", "models"], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, b"")
