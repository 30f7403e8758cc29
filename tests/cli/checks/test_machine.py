from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from kiro_rs_py import __version__
from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.cli.checks.machine import check_admin_address, check_clock, check_locks, check_port
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import hashed
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.store import CredentialStore
from tests.cli.checks.settings import bad, write
from tests.proxy import Proxy
from tests.upstream.test_locks import held_elsewhere
from tests.upstream.wire import answering, serving


async def test_free_ports() -> None:
    assert (await check_port(Config(port=0))).level == "ok"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert (await check_port(Config(port=port))).level == "ok"


async def test_another_program() -> None:
    async with serving(answering(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")) as server:
        finding = await check_port(Config(port=server.port))
    assert bad([finding])[0].level == "error"
    assert "is in use" in finding.message
    assert "--port" in finding.fix


async def test_an_address_of_another_machine() -> None:
    finding = await check_port(Config(host="192.0.2.1", port=8080))
    assert finding.level == "error"
    assert "--host" in finding.fix


async def test_one_of_us(proxy: Proxy) -> None:
    config = replace(proxy.config, port=proxy.port)
    assert await check_port(config) == Finding(
        "ok", "port", f"kiro-rs-py {__version__} runs on {proxy.url} and takes the api_key."
    )
    finding = await check_port(replace(config, api_key="another-key-0123456789"))
    assert finding.level == "error"
    assert "another api_key" in finding.message


async def test_one_of_us_with_a_key_that_nobody_can_try(proxy: Proxy) -> None:
    finding = await check_port(replace(proxy.config, port=proxy.port, api_key=hashed("another-key-0123456789")))
    assert finding.level == "ok"
    assert "only the hash is known" in finding.message


async def test_an_older_one_of_us() -> None:
    body = b'{"name": "kiro-rs-py", "version": "0.0.1"}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    async def handler(peer: Any) -> None:
        await answering(answer)(peer)

    async with serving(handler) as server:
        with trio.fail_after(20):
            finding = await check_port(Config(port=server.port, api_key="k"))
    assert bad([finding])[0].level == "note"
    assert "0.0.1 runs on" in finding.message


async def test_the_administration_s_own_address(tmp_path: Path) -> None:
    assert await check_admin_address(Config()) == []
    for listen in ("127.0.0.1:0", f"unix:{tmp_path}/a.sock"):
        [finding] = await check_admin_address(Config(admin_listen=listen))
        assert (finding.level, listen in finding.message) == ("ok", True)
    [finding] = bad(await check_admin_address(Config(port=0, admin_listen=f"unix:{tmp_path}/none/a.sock")))
    assert (finding.level, "admin_listen" in finding.fix) == ("error", True)


async def test_its_address_is_taken_by_one_of_us(proxy: Proxy) -> None:
    with socket.socket() as admin:
        admin.bind(("127.0.0.1", 0))
        admin.listen()
        config = replace(proxy.config, port=proxy.port, admin_listen=f"127.0.0.1:{admin.getsockname()[1]}")
        [finding] = await check_admin_address(config)
    assert (finding.level, "as it should be" in finding.message) == ("ok", True)


ACCOUNTS = [Credential(id=3, label="work"), Credential(id=-1)]


def config_in(folder: Path) -> Config:
    return Config(credentials_path=write(folder / "credentials.json", json.dumps([])))


def test_free_locks(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert not bad(check_locks(config, ACCOUNTS))
    assert sorted(tmp_path.iterdir()) == before


def test_one_that_is_held(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    with held_elsewhere(CredentialStore(config.credentials_path).lock_path()) as pid:
        (finding,) = bad(check_locks(config, ACCOUNTS, seconds=0.05))
    assert (finding.level, finding.topic) == ("error", "locks")
    assert f"{config.credentials_path} is locked by process {pid}" in finding.message
    assert f"`kill {pid}`" in finding.fix


def test_an_interrupted_refresh(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    CredentialStore(config.credentials_path).lock_path(3).write_text("4711\n")
    (finding,) = bad(check_locks(config, ACCOUNTS))
    assert finding.level == "warning"
    assert "#3 work was interrupted" in finding.message
    assert "refresh --id 3" in finding.fix


NOW = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("skews", "level", "words"),
    [
        ([2.0, -1.0], "ok", "agrees"),
        ([7200.0, 7201.0, 0.0], "error", "2 h 0 min ahead"),
        ([-600.0], "error", "10 min behind"),
    ],
)
def test_what_hosts_tell(skews: list[float], level: str, words: str) -> None:
    finding = check_clock(NOW, skews, [])
    bad([finding])
    assert finding.level == level
    assert words in finding.message


def test_a_file_from_the_future(tmp_path: Path) -> None:
    path = write(tmp_path / "credentials.json", "[]")
    later = (NOW + timedelta(hours=3)).timestamp()
    os.utime(path, (later, later))
    finding = check_clock(NOW, [], [tmp_path / "none", path])
    assert (finding.level, "3 h 0 min from now" in finding.message) == ("error", True)
    assert finding.fix
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert bad([check_clock(NOW, [], [path])])[0].level == "note"
