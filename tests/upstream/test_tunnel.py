"""Through HTTP, HTTPS and SOCKS proxies, against small proxies of our own."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
import trio.testing

from kiro_rs_py.upstream.proxy import Proxy, ProxyScheme
from kiro_rs_py.upstream.transport import TrioTransport
from kiro_rs_py.upstream.tunnel import Target, open_link
from tests.upstream.certificates import loopback_certificate
from tests.upstream.test_links import with_tls
from tests.upstream.wire import Handler, Peer, Server, answering, serving

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def no_tls() -> ssl.SSLContext:
    raise AssertionError("TLS was not asked for")


async def get(url: str, proxy: Proxy, *, secure: bool = False) -> httpx.Response:
    tls: Callable[[], ssl.SSLContext] = loopback_certificate().client_context if secure else no_tls
    transport = TrioTransport(tls, proxy=proxy)
    response = await transport.handle_async_request(httpx.Request("GET", url, headers=[("host", "target")]))
    await response.aread()
    return response


async def relay(peer: Peer, port: int) -> None:
    """Bytes both ways between ``peer`` and a loopback port, until one side ends."""
    target = await trio.open_tcp_stream("127.0.0.1", port)

    async def pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
        try:
            while data := await source.receive_some(65536):
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        nursery.cancel_scope.cancel()

    async with target, trio.open_nursery() as nursery:
        nursery.start_soon(pump, peer.stream, target)
        nursery.start_soon(pump, target, peer.stream)


def connect_proxy(heads: list[bytes]) -> Handler:
    """A CONNECT proxy that writes down what it was told."""

    async def handler(peer: Peer) -> None:
        head = await peer.read_until(b"\r\n\r\n")
        heads.append(head)
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        await peer.send(b"HTTP/1.1 200 Connection established\r\ncontent-length: 9\r\n\r\n")
        await relay(peer, port)

    return handler


def socks_proxy(asked: list[bytes], port: int, *, secrets: bytes | None = None, reply: bytes = b"") -> Handler:
    """A SOCKS5 server that goes to ``port`` whatever name it hears; ``asked`` collects address type and address."""

    async def handler(peer: Peer) -> None:
        count = (await peer.read_exactly(2))[1]
        methods = await peer.read_exactly(count)
        method = b"\x00" if secrets is None else b"\x02"
        assert methods == method
        await peer.send(b"\x05" + method)
        if secrets is not None:
            version, length = await peer.read_exactly(2)
            assert version == 1
            user = await peer.read_exactly(length)
            password = await peer.read_exactly((await peer.read_exactly(1))[0])
            right = user + b":" + password == secrets
            await peer.send(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        assert await peer.read_exactly(3) == b"\x05\x01\x00"
        kind = await peer.read_exactly(1)
        size = {1: 4, 4: 16}.get(kind[0])
        address = await peer.read_exactly(size or (await peer.read_exactly(1))[0])
        await peer.read_exactly(2)
        asked.append(kind + address)
        await peer.send(reply or b"\x05\x00\x00\x03\x05proxy\x00\x00")
        await relay(peer, port)

    return handler


@asynccontextmanager
async def served(target: Handler, proxy: Callable[[int], Handler]) -> AsyncIterator[tuple[Server, Server]]:
    """A target and a proxy that may know its port."""
    async with serving(target) as behind, serving(proxy(behind.port)) as front:
        yield behind, front


async def test_plain_http_is_sent_in_absolute_form() -> None:
    async with serving(answering(OK)) as server:
        proxy = Proxy("http", "127.0.0.1", server.port, "me", "s:é")
        response = await get("http://kiro.example:81/path?q=1", proxy)
        assert response.content == b"ok"
        head = server.peers[0].received
    assert head.startswith(b"GET http://kiro.example:81/path?q=1 HTTP/1.1\r\nhost: target\r\n")
    assert b"proxy-authorization: Basic " + base64.b64encode("me:s:é".encode()) in head


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_https_goes_through_connect(scheme: ProxyScheme) -> None:
    heads: list[bytes] = []
    proxy_handler = connect_proxy(heads)
    if scheme == "https":
        proxy_handler = with_tls(proxy_handler, close_notify=False)
    async with served(with_tls(answering(OK)), lambda _: proxy_handler) as (target, front):
        proxy = Proxy(scheme, "localhost", front.port, "me", "x")
        response = await get(f"https://localhost:{target.port}/", proxy, secure=True)
        assert response.content == b"ok"
    authority = b"localhost:%d" % target.port
    assert heads[0].startswith(b"CONNECT " + authority + b" HTTP/1.1\r\nhost: " + authority + b"\r\n")
    assert b"proxy-authorization: Basic bWU6eA==\r\n" in heads[0]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"HTTP/1.1 302 x\r\n\r\n"])
async def test_proxy_that_refuses_connect(answer: bytes) -> None:
    async with serving(answering(answer)) as server:
        with pytest.raises(httpx.ProxyError, match=r"status (407|302)"):
            await get("https://kiro.example/", Proxy("http", "127.0.0.1", server.port))
        await server.wait_ended(1)


async def test_proxy_that_hangs_up_on_connect() -> None:
    async with serving(answering()) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await get("https://kiro.example/", Proxy("http", "127.0.0.1", server.port))


async def test_socks5h_leaves_the_name_to_the_proxy() -> None:
    asked: list[bytes] = []
    async with served(answering(OK), lambda port: socks_proxy(asked, port)) as (_, front):
        response = await get("http://kiro.example/", Proxy("socks5h", "127.0.0.1", front.port))
        assert response.content == b"ok"
    assert asked == [b"\x03kiro.example"]


async def test_socks5_resolves_the_name_itself() -> None:
    asked: list[bytes] = []
    async with served(answering(OK), lambda port: socks_proxy(asked, port)) as (_, front):
        await get("http://localhost/", Proxy("socks5", "127.0.0.1", front.port))
    assert asked in ([b"\x01\x7f\x00\x00\x01"], [b"\x04" + socket.inet_pton(socket.AF_INET6, "::1")])


@pytest.mark.parametrize("reply", [b"\x05\x00\x00\x01" + bytes(6), b"\x05\x00\x00\x04" + bytes(18)])
async def test_socks_with_tls_user_and_password(reply: bytes) -> None:
    asked: list[bytes] = []
    async with served(
        with_tls(answering(OK)), lambda port: socks_proxy(asked, port, secrets=b"me:secret", reply=reply)
    ) as (target, front):
        proxy = Proxy("socks5h", "127.0.0.1", front.port, "me", "secret")
        response = await get(f"https://localhost:{target.port}/", proxy, secure=True)
        assert response.content == b"ok"


async def test_socks_proxy_that_refuses_the_password() -> None:
    async with serving(socks_proxy([], 0, secrets=b"me:secret")) as front:
        with pytest.raises(httpx.ProxyError, match="password"):
            await get("http://kiro.example/", Proxy("socks5h", "127.0.0.1", front.port, "me", "wrong"))


@pytest.mark.parametrize(
    "says, complaint",
    [
        (b"\x05\xff", "another way"),
        (b"\x05\x02", "another way"),
        (b"\x05\x09", "does not speak SOCKS5"),
        (b"\x05\x00\x05\x05\x00\x01" + bytes(6), "connection refused"),
        (b"\x05\x00\x05\x00\x00\x07" + bytes(6), "unknown address type"),
        (b"\x05\x00HTTP/1.1 400 ", "unknown address type"),
        (b"\x05\x00\x04\x00\x00\x01" + bytes(6), "does not speak SOCKS5"),
        (b"\x05\x00\x05\x30\x00\x01" + bytes(6), "does not speak SOCKS5"),
        (b"\x05", "closed the connection"),
        (b"", "closed the connection"),
    ],
)
async def test_socks_proxies_that_do_not_connect(says: bytes, complaint: str) -> None:
    async def handler(peer: Peer) -> None:
        await peer.read_exactly(3)
        await peer.send(says[:2])
        if len(says) > 2:
            await peer.read_until(b"kiro.example\x00\x50")
            await peer.send(says[2:])

    async with serving(handler) as front:
        with pytest.raises(httpx.ProxyError, match=complaint):
            await get("http://kiro.example/", Proxy("socks5h", "127.0.0.1", front.port))
        await front.wait_ended(1)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
async def test_cancelled_in_the_middle_leaves_no_socket_behind(scheme: ProxyScheme) -> None:
    async def silent(peer: Peer) -> None:
        await peer.closed()

    async with serving(silent) as front, trio.open_nursery() as nursery:
        proxy = Proxy(scheme, "127.0.0.1", front.port)
        tls = loopback_certificate().client_context
        nursery.start_soon(open_link, Target(True, "kiro.example", 443), proxy, tls)
        while not front.peers:
            await trio.testing.wait_all_tasks_blocked(0.001)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await front.wait_ended(1)


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for proxy in (None, Proxy("http", "127.0.0.1", port)):
            with pytest.raises(OSError, match=r"(?i)refused"):
                await open_link(Target(False, "127.0.0.1", port), proxy, no_tls)


async def test_ipv6_by_address() -> None:
    listeners: list[trio.SocketListener] = await trio.open_tcp_listeners(0, host="::1")
    async with trio.open_nursery() as nursery:
        handler: Callable[[trio.SocketStream], Awaitable[None]] = lambda stream: answering(OK)(Peer(stream))  # noqa: E731
        nursery.start_soon(trio.serve_listeners, handler, listeners)
        port = listeners[0].socket.getsockname()[1]
        transport = TrioTransport(no_tls)
        response = await transport.handle_async_request(httpx.Request("GET", f"http://[::1]:{port}/"))
        assert await response.aread() == b"ok"
        nursery.cancel_scope.cancel()
