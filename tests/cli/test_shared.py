from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kiro_rs_py.cli.shared import (
    Common,
    account_config,
    environment_accounts,
    inputs_of,
    open_settings,
)
from kiro_rs_py.errors import ConfigError


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


@pytest.mark.parametrize(
    ("level", "variable", "expected"),
    [(None, None, logging.WARNING), ("info", None, logging.INFO), (None, "debug", logging.DEBUG)],
)
def test_the_log_is_quiet_unless_asked(
    level: str | None,
    variable: str | None,
    expected: int,
    home: object,
    clean_logging: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable:
        monkeypatch.setenv("KIRO_RS_LOG", variable)
    account_config(Common(log_level=level))
    assert logging.getLogger().level == expected


@pytest.mark.parametrize("environ", [{}, {"KIRO_API_KEY": ""}, {"KIRO_API_KEY": " \n"}])
def test_no_key_no_account(environ: dict[str, str]) -> None:
    assert environment_accounts(environ) == ()


def test_a_key_is_an_account() -> None:
    (account,) = environment_accounts({"KIRO_API_KEY": "ksk_0123456789\n"})
    assert (account.auth_method, account.bearer, account.problem()) == ("api_key", "ksk_0123456789", None)
    assert "ksk" not in repr(account)


def test_something_else_is_refused_unseen() -> None:
    with pytest.raises(ConfigError, match="KIRO_API_KEY is no API key") as caught:
        environment_accounts({"KIRO_API_KEY": "sk-ant-secret"})
    assert "secret" not in str(caught.value)
