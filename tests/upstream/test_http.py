"""HttpClients: one client for each way out, bounded calls, our errors."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

import httpx
import pytest
import trio
import truststore

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError, UpstreamTimeout, UpstreamUnavailable
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.http import HttpClients, build_tls_context
from tests.upstream.wire import Peer, answering, serving

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def test_a_call_sends_just_what_it_is_given(http: HttpClients) -> None:
    async with serving(answering(OK)) as server:
        url = f"http://127.0.0.1:{server.port}/token"
        headers = {"host": "kiro", "user-agent": "KiroIDE", "content-length": "2"}
        response = await http.call(httpx.Request("POST", url, headers=headers, content=b"{}"))
        assert (response.status_code, response.content) == (200, b"ok")
        expected = b"POST /token HTTP/1.1\r\nhost: kiro\r\nuser-agent: KiroIDE\r\ncontent-length: 2\r\n\r\n{}"
        assert server.peers[0].received == expected


async def test_redirects_are_not_followed(http: HttpClients) -> None:
    redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with serving(answering(redirect)) as server:
        response = await http.call(httpx.Request("GET", f"http://127.0.0.1:{server.port}/"))
        assert response.status_code == 302


async def test_the_environments_proxies_do_not_count(http: HttpClients, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(answering(OK)) as server:
        assert (await http.call(httpx.Request("GET", f"http://127.0.0.1:{server.port}/"))).status_code == 200


async def test_proxy_of_the_configuration_and_of_the_account() -> None:
    refusal = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
    async with serving(answering(refusal)) as front, serving(answering(OK)) as own:
        config = Config(proxy_url=f"http://127.0.0.1:{front.port}", no_proxy=("localhost",))
        http = HttpClients(config)
        with pytest.raises(UpstreamUnavailable):
            await http.call(httpx.Request("GET", "https://127.0.0.1:1/"))
        assert front.peers[0].received.startswith(b"CONNECT 127.0.0.1:1 ")
        direct = Credential(proxy_url="direct")
        url = f"http://127.0.0.1:{own.port}/"
        assert (await http.call(httpx.Request("GET", url), direct)).status_code == 200
        assert (await http.call(httpx.Request("GET", f"http://localhost:{own.port}/"))).status_code == 200
        assert len(front.peers) == 1


async def test_a_call_has_a_deadline(http: HttpClients) -> None:
    async def drip(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            await peer.send(b"x")
            await trio.sleep(0.01)

    async with serving(drip) as server:
        with pytest.raises(UpstreamTimeout):
            await http.call(httpx.Request("GET", f"http://127.0.0.1:{server.port}/"), seconds=0.1)
        await server.wait_ended(1)


async def test_a_call_is_bounded(http: HttpClients) -> None:
    async def flood(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(bytes(2**20))

    async with serving(flood) as server:
        with pytest.raises(UpstreamUnavailable):
            await http.call(httpx.Request("GET", f"http://127.0.0.1:{server.port}/"))
        await server.wait_ended(1)


@pytest.mark.parametrize(
    "answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nnot gzip"]
)
async def test_broken_answers_are_our_errors(http: HttpClients, answer: bytes) -> None:
    async with serving(answering(answer)) as server:
        with pytest.raises(UpstreamUnavailable):
            await http.call(httpx.Request("GET", f"http://127.0.0.1:{server.port}/"))


async def test_unusable_proxies(http: HttpClients) -> None:
    credential = Credential(proxy_url="ftp://proxy.example")
    with pytest.raises(ConfigError):
        await http.call(httpx.Request("GET", "https://q.example/"), credential)
    with pytest.raises(ConfigError):
        http.transport(credential)


@pytest.mark.parametrize("backend", [None, "rustls", "native-tls"])
def test_every_context_verifies_and_refuses_old_tls(backend: Literal["rustls", "native-tls"] | None) -> None:
    context = build_tls_context(backend)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_rustls_means_the_bundled_roots_and_native_the_system() -> None:
    assert len(build_tls_context("rustls").get_ca_certs()) > 50
    assert type(build_tls_context("native-tls")) is truststore.SSLContext


def test_default_has_at_least_the_bundled_roots() -> None:
    bundled = {str(root) for root in build_tls_context("rustls").get_ca_certs()}
    assert bundled <= {str(root) for root in build_tls_context().get_ca_certs()}


def test_bad_ca_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        build_tls_context("rustls", tmp_path / "absent.pem")
    (tmp_path / "empty.pem").write_text("no certificate here")
    with pytest.raises(ConfigError, match="no certificates"):
        build_tls_context("rustls", tmp_path / "empty.pem")
