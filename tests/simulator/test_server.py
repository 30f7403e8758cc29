from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import main, open_simulator
from tests.simulator.talk import chat_body, decode


@contextmanager
def running(*options: str) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """``python -m kiro_rs_py.simulator`` and the address it printed."""
    command = [sys.executable, "-m", "kiro_rs_py.simulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


async def test_a_simulator_of_its_own() -> None:
    async with open_simulator() as first, open_simulator() as second:
        assert first.url != second.url
        assert first.url.startswith("http://127.0.0.1:")
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{second.url}/healthz")).json() == {"status": "ok"}
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{first.url}/healthz")


async def test_errors_of_the_block_come_out_as_they_are() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_simulator():
            raise KeyError("mine")


async def crash(simulator: Simulator) -> None:
    headers = {"authorization": f"Bearer {simulator.credential_json()['accessToken']}"}
    async with open_simulator(simulator) as running_one, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{running_one.url}/getUsageLimits", headers=headers)
        assert answer.status_code == 500


async def test_a_crash_is_loud() -> None:
    simulator = Simulator()
    simulator.accounts["demo"].plan = "no longer there"
    with pytest.raises(RuntimeError, match="the simulator crashed"):
        await crash(simulator)
    assert [type(error) for error in simulator.crashes] == [KeyError]


async def test_ipv6() -> None:
    async with open_simulator(host="::1") as running_one, httpx.AsyncClient(trust_env=False) as client:
        assert running_one.url.startswith("http://[::1]:")
        assert (await client.get(f"{running_one.url}/healthz")).status_code == 200


def test_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "scenario.json").write_text(json.dumps([{"text": "from a file"}]))
    options = ["--scenario", str(tmp_path / "scenario.json")]
    with running(*options) as (url, process):
        headers = {"authorization": "Bearer ksk_simulated_demo_key", "tokentype": "API_KEY"}
        answer = httpx.post(f"{url}/generateAssistantResponse", json=chat_body(), headers=headers, trust_env=False)
        texts = [payload["content"] for kind, payload in decode(answer.content) if kind == "assistantResponseEvent"]
        assert texts == ["from a file"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "--scenario" in capsys.readouterr().out


def test_a_wrong_scenario_file(tmp_path: Path) -> None:
    (tmp_path / "scenario.json").write_text("[1]")
    with pytest.raises(ValueError, match="a step is an object"):
        main(["--scenario", str(tmp_path / "scenario.json")])


async def test_a_simulator_can_be_served_again() -> None:
    simulator = Simulator(Scenario.steps({"text": "a"}))
    for _ in range(2):
        async with open_simulator(simulator) as running_one, httpx.AsyncClient(trust_env=False) as client:
            headers = {"authorization": f"Bearer {simulator.credential_json()['accessToken']}"}
            url = f"{running_one.url}/generateAssistantResponse"
            assert (await client.post(url, json=chat_body(), headers=headers)).status_code == 200
