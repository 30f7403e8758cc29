from __future__ import annotations

import json
from pathlib import Path

from kiro_rs_py.convert.models import catalog_from_settings
from tests.cli.conftest import RunCli


def test_table(cli: RunCli) -> None:
    result = cli("models")
    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0].split() == ["id", "window", "upstream", "id"]
    assert len(lines) - 1 == len(catalog_from_settings({}).list())


def test_json_with_the_users_additions(cli: RunCli, home: Path) -> None:
    (home / "work" / "config.toml").write_text(
        'thinking_suffix = ""\n[models]\naliases = { fast = "claude-haiku-4-5" }'
    )
    entries = {entry["id"]: entry for entry in json.loads(cli("models", "--json").out)}
    assert entries["fast"]["upstream_id"] == "claude-haiku-4.5"
    assert entries["fast"]["context_window"] == 200_000
    assert not any(name.endswith("-thinking") for name in entries)


def test_a_wrong_table(cli: RunCli, home: Path) -> None:
    (home / "work" / "config.toml").write_text("[models]\nalias = {}")
    result = cli("models")
    assert result.code == 3
    assert "models.alias" in result.err
