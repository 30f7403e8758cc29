"""Broken set-ups as people have them, each with what to do about it; and that nothing is changed by looking."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.cli.terminal import is_fancy
from tests.cli.simulated import Kiro
from tests.upstream.test_locks import held_elsewhere

KEY = "sk-3f9c27d1b8a64e05"


def configure(kiro: Kiro, **settings: Any) -> Path:
    """A configuration that can serve on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = kiro.home / "work" / "config.json"
    path.touch(0o600)
    path.write_text(json.dumps({"apiKey": KEY, "port": port, **settings}))
    return path


@pytest.fixture
def healthy(kiro: Kiro, monkeypatch: pytest.MonkeyPatch) -> Kiro:
    """A machine on which everything works, and the shell of a Claude Code user."""
    kiro.store(kiro.simulator.credential_json())
    path = configure(kiro)
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "CLAUDE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{json.loads(path.read_text())['port']}")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)
    return kiro


def findings(kiro: Kiro, *args: str, code: int) -> list[dict[str, str]]:
    """All but what is fine; each says what to do."""
    result = kiro("doctor", "--json", *args)
    assert result.code == code, result.out
    told = json.loads(result.out)
    assert told["ok"] is (code == 0)
    for finding in told["findings"]:
        assert finding["fix"] or finding["level"] == "ok", finding
        assert KEY not in str(finding)
    return [finding for finding in told["findings"] if finding["level"] != "ok"]


def state_of(folder: Path) -> dict[str, tuple[int, float]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mode, path.stat().st_mtime) for path in files}


def test_a_healthy_machine(healthy: Kiro) -> None:
    before = state_of(healthy.home)
    result = healthy("doctor")
    assert result.code == 0, result.out
    lines = result.out.splitlines()
    topics = {line.split()[1].rstrip(":") for line in lines if line.startswith("ok")}
    assert topics >= {"configuration", "credentials", "accounts", "locks", "port", "clients", "network"}
    assert lines[-1] == "Nothing is broken."
    assert not is_fancy()
    assert "\x1b" not in result.out
    assert state_of(healthy.home) == before
    assert not any("refresh" in request.path.lower() for request in healthy.simulator.requests)


def test_offline(healthy: Kiro) -> None:
    assert [finding["topic"] for finding in findings(healthy, "--offline", code=0)] == ["network", "clock"]
    assert not healthy.simulator.requests


def test_nothing_set_up_yet(kiro: Kiro) -> None:
    found = findings(kiro, "--offline", code=1)
    fixes = " ".join(finding["fix"] for finding in found if finding["level"] == "error")
    assert "config init" in fixes
    assert "kiro-rs-py login" in fixes


def test_a_bad_configuration(healthy: Kiro) -> None:
    configure(healthy, prot=1, region="mars")
    found = findings(healthy, code=1)
    assert [finding["level"] for finding in found] == ["error", "error", "note"]
    assert 'unknown key "prot"' in found[0]["message"]
    assert "config check" in found[1]["fix"]


def test_loose_permissions(healthy: Kiro) -> None:
    healthy.path.chmod(0o644)
    configure(healthy).chmod(0o644)
    found = [finding for finding in findings(healthy, "--offline", code=1) if finding["level"] == "error"]
    assert [finding["topic"] for finding in found if finding["topic"] == "permissions"] == ["permissions"] * 2
    assert f"`chmod 600 {healthy.path}`" in str(found)
    assert healthy.path.stat().st_mode & 0o777 == 0o644


def test_a_dead_login(healthy: Kiro) -> None:
    """The service has refused the refresh token; the state file remembers, so it is known without a network."""
    healthy.store(healthy.simulator.credential_json(expired=True))
    healthy.simulator.grants.revoke(healthy.simulator.accounts["demo"])
    assert healthy("refresh", "--all").code == 6
    (finding,) = [finding for finding in findings(healthy, "--offline", code=1) if finding["level"] == "error"]
    assert finding["topic"] == "accounts"
    assert "og in again" in finding["fix"]


def test_an_expired_client_registration(healthy: Kiro) -> None:
    ended = int((datetime.now(UTC) - timedelta(days=1)).timestamp())
    healthy.store(healthy.simulator.credential_json("builder", clientSecretExpiresAt=ended))
    (finding,) = [finding for finding in findings(healthy, "--offline", code=1) if finding["level"] == "error"]
    assert "client registration expired" in finding["message"]
    assert "kiro-rs-py login" in finding["fix"]


def test_a_port_in_use(healthy: Kiro) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        configure(healthy, port=port)
        found = findings(healthy, "--offline", code=1)
    (finding,) = [finding for finding in found if finding["topic"] == "port"]
    assert f"Port {port} on 127.0.0.1 is in use" in finding["message"]
    assert "--port" in finding["fix"]


def test_variables_that_lead_elsewhere(healthy: Kiro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", "1")
    found = [finding for finding in findings(healthy, "--offline", code=1) if finding["level"] == "error"]
    assert [finding["topic"] for finding in found] == ["clients", "clients"]
    assert "unset CLAUDE_CODE_USE_BEDROCK" in str(found)


def test_claude_codes_settings(healthy: Kiro) -> None:
    folder = healthy.home / "work" / ".claude"
    folder.mkdir()
    (folder / "settings.local.json").write_text('{"env": {"ANTHROPIC_AUTH_TOKEN": "sk-other-secret"}}')
    (finding,) = [finding for finding in findings(healthy, "--offline", code=1) if finding["level"] == "error"]
    assert "settings.local.json sets ANTHROPIC_AUTH_TOKEN" in finding["message"]
    assert "secret" not in str(finding)


def test_a_lock_that_is_held(healthy: Kiro) -> None:
    with held_elsewhere(healthy.path.with_name("credentials.json.lock")) as pid:
        found = [finding for finding in findings(healthy, "--offline", code=1) if finding["level"] == "error"]
    assert [finding["topic"] for finding in found] == ["locks"]
    assert f"`kill {pid}`" in found[0]["fix"]


def test_lines_for_people(healthy: Kiro) -> None:
    healthy.store(healthy.simulator.credential_json("builder", clientSecretExpiresAt=1))
    result = healthy("doctor", "--offline")
    assert result.code == 1
    lines = result.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("error    accounts: Account #1"))
    assert lines[at + 1] == "         fix: Log in again with `kiro-rs-py login`."
    assert lines[-1] == "1 error."


def test_a_hostile_label_does_not_steer_the_terminal(healthy: Kiro) -> None:
    healthy.store(healthy.simulator.credential_json(label="\x1b[2J"))
    assert "\x1b" not in healthy("doctor", "--offline").out
