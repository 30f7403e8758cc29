"""The image: what the Dockerfile says, and that its health check tells a running program from none.

There need be no Docker engine: the file is parsed. What it runs is tried in tests/zipapp/test_image.py.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kiro_rs_py.cli.app import app
from kiro_rs_py.config.keys import KEYS
from tests.cli.running import serving
from tests.packaging.commands import is_command_line

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = ROOT / "packaging" / "Dockerfile"


@dataclass
class Stage:
    """One ``FROM`` and what follows it, as (instruction, argument)."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [argument for name, argument in self.steps if name == instruction]

    def only(self, instruction: str) -> str:
        (argument,) = self.all(instruction)
        return argument

    @property
    def environment(self) -> dict[str, str]:
        words = [word for argument in self.all("ENV") for word in shlex.split(argument)]
        return {name: value for name, _, value in (word.partition("=") for word in words)}


def instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for statement in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, argument = statement.partition(" ")
        yield name, argument.strip()


def read_stages() -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage with their defaults, and the stages."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for name, argument in instructions(DOCKERFILE.read_text()):
        if name == "FROM":
            base, _, rest = argument.partition(" AS ")
            stages.append(Stage(base, rest))
        elif stages:
            stages[-1].steps.append((name, argument))
        else:
            assert name == "ARG"
            key, _, value = argument.partition("=")
            arguments[key] = value
    return arguments, stages


ARGUMENTS, (BUILD, FINAL) = read_stages()


def test_both_stages_are_slim_and_of_one_python() -> None:
    assert BUILD.base == FINAL.base == "${PYTHON}"
    found = re.fullmatch(r"python:3\.(\d+)-slim", ARGUMENTS["PYTHON"])
    assert found
    assert int(found[1]) >= 11


def test_the_image_holds_one_file_of_ours() -> None:
    assert FINAL.only("COPY").split() == [f"--from={BUILD.name}", "/kiro-rs-py", "/usr/local/bin/kiro-rs-py"]
    assert FINAL.all("ADD") == BUILD.all("ADD") == []
    script, output = BUILD.only("RUN").split()
    assert os.access(ROOT / script, os.X_OK)
    assert output == "/kiro-rs-py"


def test_what_is_copied_exists_and_nothing_else_reaches_the_build() -> None:
    ignore = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {source for argument in BUILD.all("COPY") for source in argument.split()[:-1]}
    assert let_in == copied
    assert all((ROOT / source).exists() for source in copied)


def test_nobody_runs_as_root_and_the_data_are_in_one_directory() -> None:
    user, _, group = FINAL.only("USER").partition(":")
    assert user.isdigit()
    assert int(user) >= 10_000
    assert group == user
    directory = FINAL.only("VOLUME")
    assert FINAL.only("WORKDIR") == FINAL.environment["HOME"] == directory
    assert Path(FINAL.environment["KIRO_RS_CREDENTIALS_PATH"]).parent == Path(directory)
    assert f"install -d -m 700 -o {user} -g {group} {directory}" in FINAL.only("RUN")
    # A volume forgets what is done to its directory after it was declared.
    names = [name for name, _ in FINAL.steps]
    assert names.index("RUN") < names.index("VOLUME")


def test_the_environment_is_of_settings_and_holds_no_secret() -> None:
    known = {key.env: key for key in KEYS.values()}
    ours = [name for name in FINAL.environment if name.startswith("KIRO_RS_")]
    assert set(ours) <= set(known)
    assert not [name for name in ours if known[name].secret or name == "KIRO_RS_LOG"]


def test_it_listens_where_the_port_can_be_published() -> None:
    assert FINAL.environment["KIRO_RS_HOST"] == "0.0.0.0"
    assert FINAL.environment["KIRO_RS_PORT"] == FINAL.only("EXPOSE")
    assert int(FINAL.only("EXPOSE")) >= 1024, "root's ports need root"


def test_it_starts_the_server_and_stops_it_in_peace() -> None:
    command = [*json.loads(FINAL.only("ENTRYPOINT")), *json.loads(FINAL.only("CMD"))]
    assert is_command_line(app, command)
    assert FINAL.only("STOPSIGNAL") == "SIGTERM"


def health_check() -> list[str]:
    _, _, command = FINAL.only("HEALTHCHECK").partition("CMD ")
    program, *arguments = json.loads(command)
    assert program == "python3"
    return [sys.executable, *arguments]


def check_health(port: str) -> int:
    # A proxy for the way out must not be asked for the way to ourselves.
    environ = {"PATH": os.environ["PATH"], "KIRO_RS_PORT": port, "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(health_check(), env=environ, stderr=subprocess.DEVNULL, check=False).returncode


def test_the_health_check_passes_while_it_runs(home: Path) -> None:
    with serving("--demo", "--port", "0") as served:
        port = served.url.rpartition(":")[2]
        assert check_health(port) == 0
    assert check_health(port) != 0


@pytest.mark.parametrize(("option", "least", "most"), [("interval", 10, 60), ("timeout", 2, 30), ("retries", 2, 5)])
def test_the_health_check_is_patient(option: str, least: int, most: int) -> None:
    found = re.search(rf"--{option}=(\d+)", FINAL.only("HEALTHCHECK"))
    assert found
    assert least <= int(found[1]) <= most
