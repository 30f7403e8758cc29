from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from kiro_rs_py import __version__
from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.cli.checks.port import check_admin_address, check_port
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import hashed
from tests.cli.checks.settings import bad
from tests.proxy import Proxy
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
