from __future__ import annotations

from pathlib import Path

import pytest

from kiro_rs_py.cli.shared import Common, inputs_of, open_settings


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
