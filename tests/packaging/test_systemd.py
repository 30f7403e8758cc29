"""The systemd units: parsed, checked by systemd where it is installed, and in step with the program."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from kiro_rs_py.cli.app import app
from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.cli.wording import parse_duration
from kiro_rs_py.config import Config
from tests.packaging.commands import is_command_line

PACKAGING = Path(__file__).parent.parent.parent / "packaging"
SERVICES = ("kiro-rs-py.service", "kiro-rs-py-refresh.service")
TIMER = "kiro-rs-py-refresh.timer"
PROGRAM = "/usr/local/bin/kiro-rs-py"


def read_unit(name: str) -> configparser.ConfigParser:
    """Strict: no option twice in a section."""
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names are case-sensitive
    unit.read_string((PACKAGING / name).read_text())
    return unit


def seconds(text: str) -> float:
    """``2min``, ``30`` → seconds."""
    return parse_duration(re.sub(r"min$", "m", text) if not text.isdigit() else f"{text}s").total_seconds()


@pytest.mark.parametrize("name", SERVICES)
def test_runs_a_command_that_exists(name: str) -> None:
    command = shlex.split(read_unit(name)["Service"]["ExecStart"])
    assert command[0] == PROGRAM
    assert is_command_line(app, command)


@pytest.mark.parametrize("name", SERVICES)
def test_the_working_directory_holds_the_files(name: str) -> None:
    service = read_unit(name)["Service"]
    assert service["StateDirectoryMode"] == service["CacheDirectoryMode"] == "0700"
    assert service["WorkingDirectory"] == f"%S/{service['StateDirectory']}"
    # The launcher unpacks into kiro-rs-py below XDG_CACHE_HOME.
    assert "XDG_CACHE_HOME=%C" in service["Environment"].split()
    assert service["CacheDirectory"] == "kiro-rs-py"


@pytest.mark.parametrize("name", SERVICES)
def test_unprivileged_and_confined(name: str) -> None:
    service = read_unit(name)["Service"]
    assert service["User"] == service["Group"] == "kiro-rs-py"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["UMask"] == "0077"
    on = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces", "LockPersonality")
    assert {service[option] for option in on} == {"yes"}
    assert "AF_INET" in service["RestrictAddressFamilies"].split()


def test_both_services_are_confined_alike() -> None:
    one, other = (read_unit(name)["Service"] for name in SERVICES)
    alike = re.compile("Protect|Private|Restrict|SystemCall|Lock|Capability|UMask|User|Group|State|Cache|Working")
    shared = [{o: v for o, v in s.items() if alike.match(o) and o != "RestartPreventExitStatus"} for s in (one, other)]
    assert shared[0] == shared[1]


def test_the_server_is_given_time_to_stop_and_not_started_in_vain() -> None:
    service = read_unit("kiro-rs-py.service")["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert seconds(service["TimeoutStopSec"]) > Config().shutdown_grace_seconds
    assert service["ExecReload"].split()[1:] == ["-HUP", "$MAINPID"]
    assert service["Restart"] == "on-failure"
    hopeless = {ExitCode.USAGE, ExitCode.BAD_CONFIG, ExitCode.BAD_CREDENTIALS}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == {int(code) for code in hopeless}


def test_no_token_expires_between_two_refreshes() -> None:
    command = shlex.split(read_unit("kiro-rs-py-refresh.service")["Service"]["ExecStart"])
    within = parse_duration(command[command.index("--if-expiring") + 1])
    timer = read_unit(TIMER)["Timer"]
    between = seconds(timer["OnUnitActiveSec"]) + seconds(timer["RandomizedDelaySec"])
    assert timedelta(seconds=between) < within
    assert read_unit(TIMER)["Install"]["WantedBy"] == "timers.target"


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    program = tmp_path / "kiro-rs-py"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in (*SERVICES, TIMER):
        (tmp_path / name).write_text((PACKAGING / name).read_text().replace(PROGRAM, str(program)))
    units = [str(tmp_path / name) for name in (*SERVICES, TIMER)]
    ended = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
