from __future__ import annotations

import ast
import json
import re
import shlex
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from kiro_rs_py.cli.serving import client_settings
from kiro_rs_py.config.access_keys import hashed
from kiro_rs_py.simulator.accounts import Account
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
        path = write_files(home, running.url, simulator.credential_json(), adminApiKey=f"admin-{KEY}")

        def use() -> None:
            with serving("-c", str(path), "--log-format", "json") as served:
                assert served.say("<<SAY hello>>", KEY) == "hello"
                assert f"Admin page: {served.url}/admin\n" in served.told
                assert KEY not in served.told
                assert f"YOUR_API_KEY stands for your api_key (from {path})." in served.told
                served.process.send_signal(signal.SIGHUP)
                code, err = served.end(signal.SIGTERM)
            assert code == 0
            lines = [json.loads(line) for line in err.splitlines()]
            request = next(line for line in lines if "/v1/messages" in line["message"])
            assert request["request_id"].startswith("req_")
            assert (request["status"], request["mode"], request["credential"]) == (200, "plain", 1)
            assert KEY not in err

        await trio.to_thread.run_sync(use)


async def test_serves_with_hashed_keys_only(home: Path) -> None:
    import trio

    simulator = Simulator()
    async with open_simulator(simulator) as running:
        path = write_files(home, running.url, simulator.credential_json(), apiKey=hashed(KEY))

        def use() -> None:
            with serving("-c", str(path)) as served:
                assert served.say("<<SAY hello>>", KEY) == "hello"
                assert (
                    f"YOUR_API_KEY stands for your api_key, of which only the hash is known (from {path})."
                    in served.told
                )
                assert hashed(KEY) not in served.told
                served.end(signal.SIGTERM)

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


# Of letters and digits that no id, hash or word in the output has in this order.
PLANTED = {
    "apiKey": "QvZk9XwJp5HbLd3TgRf8",
    "adminApiKey": "WzPm4KyVq7CxNs2BjGt6",
    "metricsKey": "HdLw8RbXz3FkTp5VnQc9",
    "countTokensApiKey": "YgTs6DvMx9WrZj4KpLf2",
}
ACCOUNT_KEY = "ksk_NbRq5ZtGw7XcVk2HmPj8LsDf"
WRONG_KEY = "JxVb7QmZr4TwKp9LdGn3"


@pytest.mark.parametrize("level", ["error", "info", "debug"])
async def test_no_more_than_four_characters_of_a_key_are_told_anywhere(level: str, home: Path) -> None:
    """operations §10.1 S6: neither the banner nor the log, in success and in failure."""
    import trio

    simulator = Simulator(accounts=(Account(name="keyed", method="api_key", api_key=ACCOUNT_KEY),))
    async with open_simulator(simulator) as running:
        credential = {"authMethod": "api_key", "kiroApiKey": ACCOUNT_KEY}
        path = write_files(home, running.url, credential, **PLANTED)

        def use() -> tuple[str, str]:
            with serving("-c", str(path), "--log-level", level) as served:
                assert served.say("<<SAY hello>>", PLANTED["apiKey"]) == "hello"
                assert status_of(served, WRONG_KEY) == 401
                for route, key in (
                    ("/api/admin/config", PLANTED["adminApiKey"]),
                    ("/api/admin/credentials", PLANTED["adminApiKey"]),
                    ("/api/admin/credentials/1/balance", PLANTED["adminApiKey"]),
                    ("/metrics", PLANTED["metricsKey"]),
                ):
                    request = urllib.request.Request(served.url + route, headers={"x-api-key": key})
                    with urllib.request.urlopen(request, timeout=60) as response:
                        assert response.status == 200
                served.process.send_signal(signal.SIGHUP)
                return served.told, served.end(signal.SIGTERM)[1]

        told, log = await trio.to_thread.run_sync(use)
    assert "Listening on" in told
    assert ("POST /v1/messages" in log) == (level != "error")
    for key in (*PLANTED.values(), ACCOUNT_KEY.removeprefix("ksk_"), WRONG_KEY):
        for at in range(len(key) - 4):
            assert key[at : at + 5] not in told + log


async def test_the_administration_s_own_address_is_told(home: Path) -> None:
    import trio

    path = write_files(home, "http://127.0.0.1:9", {}, adminApiKey=PLANTED["adminApiKey"], adminListen="127.0.0.1:0")

    def use() -> None:
        with serving("-c", str(path)) as served:
            found = re.search(r"The administration has its own address: (http://127\.0\.0\.1:\d+)", served.told)
            assert found
            with urllib.request.urlopen(f"{found[1]}/admin", timeout=60) as response:
                assert response.status == 200
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{served.url}/admin", timeout=60)
            refused.value.close()
            assert served.end(signal.SIGTERM)[0] == 0

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


def test_sighup_finds_no_change_that_nobody_made(home: Path) -> None:
    """Where no system_version is set, one of two is drawn, but not anew at each reload."""
    path = write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120})
    with serving("-c", str(path)) as served:
        for _ in range(8):
            served.process.send_signal(signal.SIGHUP)
            assert "has changed" not in wait_for(served, "reloaded")
        write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120}, systemVersion="linux#6.1")
        served.process.send_signal(signal.SIGHUP)
        assert "system_version has changed" in wait_for(served, "reloaded")


def status_of(served: Served, key: str) -> int:
    try:
        served.say("hello", key)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    return 200


def wait_for(served: Served, words: str) -> str:
    """All lines up to the first one with ``words``."""
    assert served.process.stderr
    seen = ""
    for line in served.process.stderr:
        seen += line
        if words in line:
            return seen
    raise AssertionError(seen)


@pytest.mark.parametrize(
    ("settings", "args", "code", "words"),
    [
        ({"apiKey": None}, [], 3, "config init"),
        ({"apiKey": "changeme"}, ["--host", "0.0.0.0"], 3, "well-known keys of examples"),
        ({"apiKey": "short"}, ["--host", "0.0.0.0"], 3, "shorter than 16"),
        ({"prot": 1, "region": "mars"}, [], 3, 'did you mean "port"?'),
        ({"models": {"alias": {}}}, [], 3, "models.alias"),
        ({}, ["--port", "70000"], 2, "70000 is not in the range"),
        ({}, ["--port", "many"], 2, "many"),
        ({}, ["--host", "192.0.2.1"], 5, "--host"),
        ({"adminListen": "192.0.2.1:8991"}, [], 5, "admin_listen"),
        ({"adminListen": "unix:none/admin.sock"}, [], 5, "There is no folder"),
        ({"adminListen": "8991"}, [], 3, "127.0.0.1:8991"),
        ({"adminListen": "0.0.0.0:0", "adminApiKey": "short"}, [], 3, "admin_api_key is shorter"),
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


URL, ODD_KEY = "http://127.0.0.1:8080", "sk-it's $odd"


def indented(block: str, title: str) -> str:
    """The lines below a title."""
    return re.sub(r"^  ", "", block.split(f"{title}", 1)[1].split("\n\n")[0].partition("\n")[2], flags=re.MULTILINE)


def test_shell_lines_survive_the_shell() -> None:
    words = shlex.split(indented(client_settings(URL, ODD_KEY), "Claude Code:"))
    assert words == ["export", f"ANTHROPIC_BASE_URL={URL}", "export", f"ANTHROPIC_AUTH_TOKEN={ODD_KEY}", "claude"]


def test_curl_sends_a_message() -> None:
    words = shlex.split(indented(client_settings(URL, ODD_KEY), "curl:"))
    assert words[:2] == ["curl", f"{URL}/v1/messages"]
    assert f"x-api-key: {ODD_KEY}" in words
    assert json.loads(words[-1])["messages"] == [{"role": "user", "content": "Hello"}]


def test_the_python_lines_are_python() -> None:
    tree = ast.parse(indented(client_settings(URL, "sk-plain"), "Python SDK (pip install anthropic):"))
    assert len(tree.body) == 4


def test_the_base_url_has_v1_only_where_clients_want_it() -> None:
    text = client_settings(URL, ODD_KEY)
    assert [line for line in text.splitlines() if line.endswith("/v1")] == [text.splitlines()[-1]]
