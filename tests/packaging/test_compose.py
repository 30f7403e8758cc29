"""The compose file: reachable from this machine only, unprivileged, and in step with the image and the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

from kiro_rs_py.cli.logs import parse_log_filter
from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import KEYS
from tests.packaging.test_dockerfile import FINAL, ROOT

COMPOSE = ROOT / "packaging" / "docker-compose.yml"

Node: TypeAlias = "str | list[str] | dict[str, Node]"


def read_yaml(lines: list[str]) -> Node:
    """The little of YAML that the file uses: maps, lists of scalars, quoted or plain scalars, one pair a line."""
    if lines[0].startswith("- "):
        assert all(line.startswith("- ") for line in lines)
        return [scalar(line[2:]) for line in lines]
    found: dict[str, Node] = {}
    at = 0
    while at < len(lines):
        pair = re.fullmatch(r"([\w.-]+):(?: (.+))?", lines[at])
        assert pair, lines[at]
        name, value = pair.groups()
        assert name not in found, f"{name} is given twice"
        below = at + 1
        while below < len(lines) and lines[below].startswith("  "):
            below += 1
        inner = lines[at + 1 : below]
        assert bool(inner) != (value is not None), lines[at]
        found[name] = scalar(value) if value is not None else read_yaml([line[2:] for line in inner])
        at = below
    return found


def scalar(text: str) -> str:
    quoted = re.fullmatch(r'"([^"\\]*)"', text)
    if quoted:
        return quoted[1]
    assert re.fullmatch(r"[A-Za-z0-9._-]+", text), f"{text} needs quotes"
    return text


def read_service() -> dict[str, Node]:
    lines = [line for line in COMPOSE.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    document = read_yaml(lines)
    assert isinstance(document, dict)
    services = document["services"]
    assert isinstance(services, dict)
    service = services["kiro-rs-py"]
    assert isinstance(service, dict)
    return service


SERVICE = read_service()


def test_the_port_is_published_on_loopback() -> None:
    port = FINAL.only("EXPOSE")
    assert SERVICE["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_the_directory_is_mounted_not_a_file() -> None:
    mounts = SERVICE["volumes"]
    assert isinstance(mounts, list)
    (mount,) = mounts
    source, target = mount.split(":")
    assert target == FINAL.only("VOLUME")
    assert not Path(source).suffix


def test_the_image_is_the_one_you_built() -> None:
    assert SERVICE["image"] == "kiro-rs-py"
    assert SERVICE["pull_policy"] == "never"


def test_it_may_do_nothing_that_it_need_not() -> None:
    assert SERVICE["read_only"] == "true"
    assert SERVICE["tmpfs"] == ["/tmp"]
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "user", "pid"} & set(SERVICE)


def test_it_stops_no_sooner_than_the_program_does() -> None:
    period = SERVICE["stop_grace_period"]
    assert isinstance(period, str)
    assert float(period.removesuffix("s")) > Config().shutdown_grace_seconds


def test_the_environment_is_known_and_logs_no_debug() -> None:
    environment = SERVICE["environment"]
    assert isinstance(environment, dict)
    known = {key.env for key in KEYS.values()} | {"KIRO_RS_LOG"}
    assert set(environment) <= known
    level = environment["KIRO_RS_LOG"]
    assert isinstance(level, str)
    assert parse_log_filter(level) == parse_log_filter("info")
