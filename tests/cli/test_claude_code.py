from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiro_rs_py.cli.claude_code import (
    ClaudeSettings,
    avoids_proxy,
    child_environment,
    find_settings,
    managed_settings,
    overruling,
)

URL = "http://127.0.0.1:4711"


def test_the_child_gets_the_two_settings_and_nothing_that_contradicts() -> None:
    environ = {
        "HOME": "/home/me",
        "ANTHROPIC_API_KEY": "sk-ant",
        "ANTHROPIC_AUTH_TOKEN": "old",
        "ANTHROPIC_BASE_URL": "https://elsewhere",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CODE_USE_VERTEX": "1",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "ANTHROPIC_MODEL": "claude-opus-4-6",
    }
    assert child_environment(environ, URL, "key") == {
        "HOME": "/home/me",
        "ANTHROPIC_MODEL": "claude-opus-4-6",
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "key",
    }
    assert environ["ANTHROPIC_API_KEY"] == "sk-ant"


@pytest.mark.parametrize(
    ("environ", "exceptions"),
    [
        ({"https_proxy": "http://proxy"}, "localhost,127.0.0.1"),
        ({"HTTP_PROXY": "http://proxy", "NO_PROXY": "corp.example,localhost"}, "corp.example,localhost,127.0.0.1"),
    ],
)
def test_an_outgoing_proxy_is_not_for_this_machine(environ: dict[str, str], exceptions: str) -> None:
    child = child_environment(environ, URL, "key")
    assert child["NO_PROXY"] == exceptions
    assert not avoids_proxy(environ, "127.0.0.1")
    assert avoids_proxy(child, "127.0.0.1")


def test_without_one_there_is_nothing_to_avoid() -> None:
    assert "NO_PROXY" not in child_environment({}, URL, "key")
    assert avoids_proxy({}, "127.0.0.1")
    assert avoids_proxy({"HTTP_PROXY": "http://proxy", "no_proxy": "*"}, "127.0.0.1")


def test_settings_files(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    (home / ".claude").mkdir(parents=True)
    (project / ".claude").mkdir(parents=True)
    assert find_settings({}, home, project) == []
    user = home / ".claude" / "settings.json"
    user.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://x", "N": 1}, "apiKeyHelper": "./key.sh"}))
    local = project / ".claude" / "settings.local.json"
    local.write_text("{")
    shared = project / ".claude" / "settings.json"
    shared.write_text("[]")
    found = find_settings({}, home, project)
    assert found == [
        ClaudeSettings(user, {"ANTHROPIC_BASE_URL": "https://x", "N": "1"}, has_key_helper=True),
        ClaudeSettings(shared, problem="is no JSON object"),
        ClaudeSettings(local, problem="is not valid JSON"),
    ]
    assert overruling(found[0]) == ["ANTHROPIC_BASE_URL"]
    assert overruling(found[1]) == []
    user.write_text(json.dumps({"env": "odd"}))
    assert find_settings({}, home, tmp_path) == [ClaudeSettings(user)]


def test_another_settings_folder_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "settings.json").mkdir()
    (found,) = find_settings({"CLAUDE_CONFIG_DIR": str(tmp_path / "other")}, tmp_path, tmp_path)
    assert found.problem == "cannot be read: Is a directory"


def test_where_administrators_rule() -> None:
    assert managed_settings("linux") == Path("/etc/claude-code/managed-settings.json")
    assert "Application Support" in str(managed_settings("darwin"))
    assert "Program Files" in str(managed_settings("win32"))
