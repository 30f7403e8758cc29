from __future__ import annotations

from pathlib import Path

import pytest

from kiro_rs_py.cli.options import Common, inputs_of, open_settings
from tests.cli.conftest import RunCli


def test_inputs_of_this_user(home: Path) -> None:
    inputs = inputs_of(Common(log_format="json"), port=1)
    assert inputs.folders.working == home / "work"
    assert inputs.folders.user_config == home / ".config" / "kiro-rs-py"
    assert inputs.flags == {"log_format": "json", "port": 1}


def test_settings_set_up_logging_and_tell_warnings(
    home: Path, clean_logging: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIRO_RS_PROT", "1")
    monkeypatch.setenv("KIRO_RS_LOG", "loud")
    settings = open_settings(Common(config=None), port=9)
    assert settings.config.port == 9
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith('warning: KIRO_RS_LOG: "loud" is no log level')
    assert lines[1].startswith("warning: The environment variable KIRO_RS_PROT")


def test_options_before_and_after_the_command(cli: RunCli, home: Path) -> None:
    for name, port in (("outer", 1), ("inner", 2)):
        (home / f"{name}.toml").write_text(f"port = {port}")
    outer, inner = str(home / "outer.toml"), str(home / "inner.toml")
    assert inner in cli("config", "path", "-c", inner).out
    assert outer in cli("-c", outer, "config", "path").out
    assert inner in cli("-c", outer, "config", "path", "-c", inner).out


def test_a_wrong_log_level_is_a_usage_error(cli: RunCli) -> None:
    result = cli("count-tokens", "--text", "x", "--log-level", "loud")
    assert result.code == 2
    assert "is no log level" in result.err


def test_a_wrong_log_format_is_a_usage_error(cli: RunCli) -> None:
    result = cli("models", "--log-format", "xml")
    assert result.code == 2
    assert "xml" in result.err
