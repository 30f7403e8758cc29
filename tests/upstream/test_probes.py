"""Reaching hosts, or not, and saying why."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.probes import Probe, hosts_of, probe_all
from tests.upstream.certificates import loopback_certificate
from tests.upstream.wire import Peer, answering, serving

NOW = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)
DATED = b"HTTP/1.1 403 Forbidden\r\ndate: Fri, 13 Feb 2026 09:00:00 GMT\r\ncontent-length: 0\r\n\r\n"


async def probe(url: str, seconds: float = 5.0, **settings: object) -> Probe:
    http = HttpClients(Config(**settings))  # type: ignore[arg-type]
    (found,) = await probe_all(http, [url], seconds=seconds, now=lambda: NOW)
    return found


def test_the_hosts_of_accounts() -> None:
    accounts = [
        Credential(auth_method="social", endpoint="q"),
        Credential(auth_method="idc", endpoint="q", region="eu-west-1", api_region="eu-central-1"),
        Credential(auth_method="idc", endpoint="q", region="eu-west-1", api_region="eu-central-1"),
        Credential(auth_method="api_key", endpoint="runtime"),
    ]
    assert [url.split("/")[2] for url in hosts_of(Config(), accounts)] == [
        "q.us-east-1.amazonaws.com",
        "prod.us-east-1.auth.desktop.kiro.dev",
        "q.eu-central-1.amazonaws.com",
        "oidc.eu-west-1.amazonaws.com",
        "runtime.us-east-1.kiro.dev",
    ]


def test_without_accounts_the_hosts_of_logins() -> None:
    hosts = {url.split("/")[2].partition(".")[0] for url in hosts_of(Config(), [])}
    assert hosts == {"q", "runtime", "oidc", "prod"}


def test_behind_one_address_there_is_one_host() -> None:
    assert len(hosts_of(Config(upstream_url="http://127.0.0.1:9000"), [])) == 1
    with pytest.raises(ConfigError):
        hosts_of(Config(), [Credential(auth_region="evil.example/", auth_method="idc")])


async def test_whatever_it_answers_it_is_reached() -> None:
    async with serving(answering(DATED)) as server:
        url = f"http://127.0.0.1:{server.port}/refreshToken?secret"
        assert await probe(url) == Probe(f"127.0.0.1:{server.port}", clock_skew=3600.0)
        assert server.peers[0].received.startswith(b"GET / HTTP/1.1\r\n")
    async with serving(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) as server:
        assert (await probe(f"http://127.0.0.1:{server.port}/")).clock_skew is None


async def test_an_unknown_name() -> None:
    found = await probe("https://kiro.invalid/")
    assert (found.host, found.obstacle) == ("kiro.invalid", "name")


async def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = await probe(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert (found.obstacle, found.reason) == ("connection", "connection refused.")


async def test_silence_and_a_broken_line() -> None:
    async with serving(lambda peer: peer.closed()) as server:
        assert (await probe(f"http://127.0.0.1:{server.port}/", seconds=0.1)).obstacle == "silence"
    async with serving(answering()) as server:
        assert (await probe(f"http://127.0.0.1:{server.port}/")).obstacle == "connection"


async def test_slow_to_connect() -> None:
    async with serving(lambda peer: peer.closed()) as server:
        found = await probe(f"https://127.0.0.1:{server.port}/", connect_timeout_seconds=0.1)
    assert (found.obstacle, found.reason) == ("connection", "no connection in time.")


async def test_certificates(tmp_path: Path) -> None:
    made = loopback_certificate()

    async def handler(peer: Peer) -> None:
        await answering(DATED)(Peer(trio.SSLStream(peer.stream, made.server_context(), server_side=True)))

    async with serving(handler) as server:
        url = f"https://127.0.0.1:{server.port}/"
        found = await probe(url)
        assert found.obstacle == "certificate"
        assert "not trusted" in found.reason
        assert (await probe(url, ca_file=made.certificate)).obstacle is None
    async with serving(lambda peer: peer.send(b"no TLS at all" * 100)) as server:
        assert (await probe(f"https://127.0.0.1:{server.port}/")).obstacle == "certificate"


async def test_an_outgoing_proxy_in_the_way() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    async with serving(answering(refusal)) as server:
        found = await probe("https://kiro.invalid/", proxy_url=f"http://127.0.0.1:{server.port}")
    assert found.obstacle == "proxy"
    assert (await probe("https://kiro.invalid/", proxy_url="gopher://x")).obstacle == "settings"
