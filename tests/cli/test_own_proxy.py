"""The parts of ``run`` in this process; all of it together is in tests/cli/test_run.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import pytest
import trio
import typer

from kiro_rs_py.cli.demo import open_demo
from kiro_rs_py.cli.own_proxy import find_program, open_proxy, run_client
from kiro_rs_py.cli.shared import Common
from kiro_rs_py.config.access_keys import hashed
from tests.cli.simulated import Kiro


def test_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_program("sh") == os.path.realpath("/bin/sh") or find_program("sh").endswith("/sh")
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(typer.Exit) as caught:
        find_program(str(plain))
    assert caught.value.exit_code == 126
    assert f"`chmod +x {plain}`" in capsys.readouterr().err


def test_claude_is_told_how_to_be_installed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(typer.Exit) as caught:
        find_program("claude")
    assert caught.value.exit_code == 127
    assert "npm install -g @anthropic-ai/claude-code" in capsys.readouterr().err


async def test_a_proxy_for_the_length_of_a_block() -> None:
    async with open_demo("127.0.0.1", 0) as config, httpx.AsyncClient() as client:
        async with open_proxy(config) as place:
            assert (await client.get(f"{place.url}/v1/models", headers={"x-api-key": place.key})).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{place.url}/healthz")


async def test_what_the_block_raises_comes_out_and_the_proxy_ends() -> None:
    async with open_demo("127.0.0.1", 0) as config:
        with trio.fail_after(30), pytest.raises(ExceptionGroup) as caught:
            async with open_proxy(config):
                raise ValueError("a bug")
    assert caught.group_contains(ValueError)


@pytest.mark.usefixtures("clean_logging")
def test_a_program_of_another_machine(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = home / "odd"
    program.write_bytes(b"\x7fELF, but not really")
    program.chmod(0o755)
    assert run_client([str(program)], Common(), cc=False, demo=True, log_file=None) == 126
    assert "cannot be run: Exec format error." in capsys.readouterr().err


def test_run_in_this_process(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json())
    result = kiro("run", "--log-level", "info", "--", "sh", "-c", "echo $ANTHROPIC_BASE_URL; exit 3")
    assert result.code == 3
    assert "serving on http://127.0.0.1:" in result.err


def test_a_key_of_its_own_where_only_the_hash_is_known(kiro: Kiro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRO_RS_API_KEY", hashed("sk-9f3kQm7Lr2ZxWv8TnB5y"))
    kiro.store(kiro.simulator.credential_json())
    script = (
        "import os, urllib.request as u\n"
        "key = os.environ['ANTHROPIC_AUTH_TOKEN']\n"
        "request = u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/models', headers={'x-api-key': key})\n"
        "raise SystemExit(7 if u.urlopen(request).status == 200 and 'sha256' not in key else 1)"
    )
    assert kiro("run", "--", sys.executable, "-c", script).code == 7
