from __future__ import annotations

import json
import signal
import socket
import urllib.error
from pathlib import Path

import pytest

from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from tests.cli.conftest import RunCli
from tests.cli.running import Served, serving

KEY = "sk-3f9c27d1b8a64e05"


def write_files(folder: Path, upstream_url: str, credential: object, **settings: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({"apiKey": KEY, "port": 0, "upstreamUrl": upstream_url, **settings}))
    path.chmod(0o600)
    (folder / "credentials.json").write_text(json.dumps([credential]))
    (folder / "credentials.json").chmod(0o600)
    return path


async def test_serves_with_a_kiro_rs_configuration(home: Path) -> None:
    import trio

    simulator = Simulator()
    async with open_simulator(simulator) as running:
        path = write_files(home, running.url, simulator.credential_json())

        def use() -> None:
            with serving("-c", str(path), "--log-format", "json") as served:
                assert served.say("<<SAY hello>>", KEY) == "hello"
                assert KEY not in served.told
                assert f"YOUR_API_KEY stands for your api_key: {path}." in served.told
                served.process.send_signal(signal.SIGHUP)
                code, err = served.end(signal.SIGTERM)
            assert code == 0
            lines = [json.loads(line) for line in err.splitlines()]
            request = next(line for line in lines if "/v1/messages" in line["message"])
            assert request["request_id"].startswith("req_")
            assert (request["status"], request["mode"], request["credential"]) == (200, "plain", 1)
            assert KEY not in err

        await trio.to_thread.run_sync(use)


async def test_serves_with_a_key_from_the_environment(home: Path) -> None:
    """KIRO_API_KEY is an account that no file knows of."""
    import trio

    simulator = Simulator()
    async with open_simulator(simulator) as running:
        path = write_files(home, running.url, {})
        (home / "credentials.json").unlink()

        def use() -> None:
            with serving("-c", str(path), KIRO_API_KEY="ksk_simulated_demo_key") as served:
                assert served.say("<<SAY hello>>", KEY) == "hello"
                code, err = served.end(signal.SIGTERM)
            assert code == 0
            assert "ksk_" not in err + served.told
            assert not (home / "credentials.json").exists()

        await trio.to_thread.run_sync(use)


def test_sighup_reads_the_files_again(home: Path) -> None:
    path = write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120})
    with serving("-c", str(path)) as served:
        assert status_of(served, KEY) != 401
        write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120}, apiKey="sk-another-3f9c27d1b8")
        served.process.send_signal(signal.SIGHUP)
        wait_for(served, "reloaded")
        assert status_of(served, KEY) == 401
        path.write_text("{")
        served.process.send_signal(signal.SIGHUP)
        wait_for(served, "not reloaded")
        assert status_of(served, "sk-another-3f9c27d1b8") != 401


def status_of(served: Served, key: str) -> int:
    try:
        served.say("hello", key)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    return 200


def wait_for(served: Served, words: str) -> None:
    assert served.process.stderr
    assert any(words in line for line in served.process.stderr)


@pytest.mark.parametrize(
    ("settings", "args", "code", "words"),
    [
        ({"apiKey": None}, [], 3, "config init"),
        ({"apiKey": "changeme"}, ["--host", "0.0.0.0"], 3, "well-known example key"),
        ({"apiKey": "short"}, ["--host", "0.0.0.0"], 3, "shorter than 16"),
        ({"prot": 1, "region": "mars"}, [], 3, 'did you mean "port"?'),
        ({"models": {"alias": {}}}, [], 3, "models.alias"),
        ({}, ["--port", "70000"], 3, "--port must be a whole number"),
        ({}, ["--port", "many"], 2, "many"),
        ({}, ["--host", "192.0.2.1"], 5, "--host"),
    ],
)
def test_refusals(cli: RunCli, home: Path, settings: dict[str, object], args: list[str], code: int, words: str) -> None:
    path = write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120}, **settings)
    result = cli("serve", "-c", str(path), *args)
    assert result.code == code
    assert words in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_a_busy_port(cli: RunCli, home: Path) -> None:
    path = write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120})
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = cli("serve", "-c", str(path), "--port", str(other.getsockname()[1]))
    assert result.code == 5
    assert "in use" in result.err


def test_broken_credentials(cli: RunCli, home: Path) -> None:
    path = write_files(home, "http://127.0.0.1:9", {})
    (home / "credentials.json").write_text("{")
    result = cli("serve", "-c", str(path))
    assert result.code == 4
    assert "credentials.json" in result.err


def test_a_weak_key_on_loopback_only_warns(home: Path) -> None:
    path = write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120}, apiKey="short-key")
    with serving("-c", str(path)) as served:
        code, err = served.end(signal.SIGINT)
    assert code == 0
    assert "warning: api_key is shorter than 16 characters" in err


def test_the_key_counts(home: Path) -> None:
    with serving("--demo", "--port", "0") as served:
        assert status_of(served, "sk-wrong") == 401
        assert status_of(served, served.key) == 200
