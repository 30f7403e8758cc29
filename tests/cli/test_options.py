from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import RunCli


def test_options_before_and_after_the_command(cli: RunCli, home: Path) -> None:
    for name, port in (("outer", 1), ("inner", 2)):
        (home / f"{name}.toml").write_text(f"port = {port}")
    outer, inner = str(home / "outer.toml"), str(home / "inner.toml")
    assert inner in cli("config", "path", "-c", inner).out
    assert outer in cli("-c", outer, "config", "path").out
    assert inner in cli("-c", outer, "config", "path", "-c", inner).out


def test_a_wrong_log_level_is_a_usage_error(cli: RunCli) -> None:
    after = cli("count-tokens", "--text", "x", "--log-level", "loud")
    before = cli("--log-level", "loud", "accounts", "list")
    for result in (after, before):
        assert result.code == 2
        assert "is no log level" in result.err


def test_a_wrong_log_format_is_a_usage_error(cli: RunCli) -> None:
    result = cli("models", "--log-format", "xml")
    assert result.code == 2
    assert "xml" in result.err
