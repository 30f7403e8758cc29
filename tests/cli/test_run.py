"""``run`` as its users run it: a process, with a client for a child."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.running import MODULE, serving
from tests.cli.simulated import Kiro

SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if 'ANTHROPIC' in k}))"

# A client as people write them, with Anthropic's own library.
SDK = """
import anthropic, sys
client = anthropic.Anthropic()
with client.messages.stream(model="claude-sonnet-4-5", max_tokens=99,
                            messages=[{"role": "user", "content": "<<SAY hello>>"}]) as stream:
    print("".join(stream.text_stream))
sys.exit(9)
"""

# Counts the keyboard's interrupts; ends at the second one.
TYPED = """
import signal, sys
count = 0
def tell(number, frame):
    global count
    count += 1
    print(f"interrupt {count}", flush=True)
    if count == 2:
        sys.exit(42)
signal.signal(signal.SIGINT, tell)
print("ready", flush=True)
while True:
    signal.pause()
"""

# Makes the terminal at stdin its own, then becomes the program, as a shell on a new terminal does.
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def run(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [*MODULE, "run", *args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environ}
    )


def python(script: str) -> Sequence[str]:
    return ["--", sys.executable, "-c", script]


def test_a_client_of_a_demo(home: Path) -> None:
    """The child alone is told where the proxy is, and nothing is left of what would lead it elsewhere."""
    done = run("--demo", *python(SHOW), ANTHROPIC_API_KEY="sk-ant-mine", ANTHROPIC_BASE_URL="https://elsewhere")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told["ANTHROPIC_BASE_URL"])
    assert told["ANTHROPIC_AUTH_TOKEN"].startswith("sk-demo-")
    assert set(told) == {"ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"}


def test_the_sdk_as_the_client_and_its_exit_code(home: Path) -> None:
    done = run("--demo", *python(SDK))
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "", 9)


def test_the_cc_routes(home: Path) -> None:
    told = json.loads(run("--demo", "--cc", *python(SHOW)).stdout)
    assert told["ANTHROPIC_BASE_URL"].endswith("/cc")


def test_a_proxy_of_its_own_for_an_account(kiro: Kiro, tmp_path: Path) -> None:
    """Without any configuration: the accounts are where `login` puts them, the key is made up for this one client."""
    kiro.store(kiro.simulator.credential_json())
    log = tmp_path / "proxy.log"
    done = run("--log-file", str(log), "--log-format", "json", *python(SDK))
    assert (done.stdout, done.returncode) == ("hello\n", 9)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (request,) = [line for line in lines if line.get("route") == "/v1/messages"]
    assert (request["status"], request["credential"], request["mode"]) == (200, 1, "stream")
    assert request["request_id"].startswith("req_")
    assert log.stat().st_mode & 0o777 == 0o600
    assert any("stopping" in line["message"] for line in lines)


def test_an_account_in_the_environment(kiro: Kiro) -> None:
    done = run(*python(SDK), KIRO_API_KEY="ksk_simulated_demo_key")
    assert (done.stdout, done.returncode) == ("hello\n", 9)
    assert not kiro.path.exists()


def test_a_proxy_that_runs_already_is_used(kiro: Kiro, tmp_path: Path) -> None:
    kiro.store(kiro.simulator.credential_json())
    path = kiro.home / "work" / "config.json"
    path.touch(0o600)
    path.write_text(json.dumps({"apiKey": "sk-3f9c27d1b8a64e05", "port": 0}))
    with serving() as served:
        port = served.url.rpartition(":")[2]
        told = json.loads(run(*python(SHOW), KIRO_RS_PORT=port).stdout)
        assert told == {"ANTHROPIC_BASE_URL": served.url, "ANTHROPIC_AUTH_TOKEN": "sk-3f9c27d1b8a64e05"}
        assert run("--cc", *python(SDK), KIRO_RS_PORT=port).stdout == "hello\n"
        # One that does not know our key is a stranger.
        told = json.loads(run(*python(SHOW), KIRO_RS_PORT=port, KIRO_RS_API_KEY="sk-another-3f9c27d1b8").stdout)
        assert told["ANTHROPIC_BASE_URL"] != served.url
        assert served.end(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--demo", "--", "no-such-program-here"], 127, "there is no such command"),
        (["--demo", "--", "/dev/null"], 127, "there is no such command"),
        (["--", sys.executable, "-c", ""], 4, "kiro-rs-py login"),
        (["--demo"], 2, "COMMAND"),
        (["--demo", "--log-file", "/no/such/folder/log", "--", sys.executable, "-c", ""], 1, "cannot be written"),
    ],
)
def test_refusals(home: Path, args: list[str], code: int, words: str) -> None:
    done = run(*args, KIRO_API_KEY="")
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_options_behind_the_command_are_its_own(home: Path) -> None:
    done = run("--demo", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--help", "--demo", "-p")
    assert done.stdout == "['--help', '--demo', '-p']\n"


def test_a_signal_to_us_is_the_childs(home: Path) -> None:
    command = [*MODULE, "run", "--demo", *python("import time; print('ready', flush=True); time.sleep(600)")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signal.SIGTERM, b"")


def test_what_is_typed_comes_once(home: Path) -> None:
    """Ctrl-C reaches the whole foreground group: the child sees it once, and we leave the decision to it."""
    master, slave = pty.openpty()
    command = [sys.executable, "-c", ON_TERMINAL, *MODULE, "run", "--demo", *python(TYPED)]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    try:
        read_until(master, b"ready")
        os.write(master, b"\x03")
        told = read_until(master, b"interrupt 1")
        # Long enough for a second one to come, if we passed it on.
        time.sleep(0.3)
        assert process.poll() is None
        os.write(master, b"\x03")
        told += read_until(master, b"interrupt 2")
        assert process.wait(60) == 42
        assert b"Traceback" not in told
    finally:
        process.kill()
        process.wait()
        os.close(master)


def read_until(descriptor: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([descriptor], [], [], 60)
        assert ready, seen
        seen += os.read(descriptor, 4096)
    return seen


def test_claude_codes_own_settings_are_warned_of(home: Path) -> None:
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "https://elsewhere"}}')
    program = home / "claude"
    program.write_text("#!/bin/sh\nexit 5\n")
    program.chmod(0o755)
    done = run("--demo", "--", str(program))
    assert done.returncode == 5
    assert "settings.json sets ANTHROPIC_BASE_URL, which wins over the proxy of `run`" in done.stderr
    assert "settings.json" not in run("--demo", *python("")).stderr
