"""The transport against real sockets: what goes out byte for byte, what comes in, and who closes."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

import httpx
import pytest
import trio
import trio.testing

from kiro_rs_py.upstream.proxy import Proxy, ProxyExceptions
from kiro_rs_py.upstream.transport import ResponseBody, TrioTransport
from tests.upstream.certificates import loopback_certificate
from tests.upstream.test_links import with_tls
from tests.upstream.wire import Peer, Server, answering, serving

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
SILENT = CHUNKED + b"3\r\none\r\n"


def no_tls() -> ssl.SSLContext:
    raise AssertionError("TLS was not asked for")


def post(server: Server, content: bytes = b"hello", **timeouts: float) -> httpx.Request:
    return httpx.Request(
        "POST", f"http://127.0.0.1:{server.port}/path?q=1", content=content, extensions={"timeout": timeouts}
    )


async def open_body(server: Server, **timeouts: float) -> ResponseBody:
    _, body = await TrioTransport(no_tls).open_response(post(server, b"hello", **timeouts))
    return body


async def silence(peer: Peer) -> None:
    """Answer with the first chunk, then nothing until the client is gone."""
    await peer.read_request()
    await peer.send(SILENT)
    await peer.closed()


async def test_request_bytes_are_exactly_the_headers_given() -> None:
    async with serving(answering(CHUNKED, b"0\r\n\r\n")) as server:
        headers = [(b"X-First", b"1"), (b"host", b"kiro"), (b"a", b"\xe4"), (b"content-length", b"5")]
        request = httpx.Request("POST", f"http://127.0.0.1:{server.port}/p?q=1", headers=headers, content=b"hello")
        await (await TrioTransport(no_tls).handle_async_request(request)).aread()
        expected = b"POST /p?q=1 HTTP/1.1\r\nx-first: 1\r\nhost: kiro\r\na: \xe4\r\ncontent-length: 5\r\n\r\nhello"
        assert server.peers[0].received == expected


async def test_under_an_async_client() -> None:
    answer = b"HTTP/1.1 418 Teapot\r\nx-a: b\r\nconnection: close\r\n\r\nshort and stout"
    async with serving(answering(answer)) as server, httpx.AsyncClient(transport=TrioTransport(no_tls)) as client:
        response = await client.post(f"http://127.0.0.1:{server.port}/", json={"a": 1})
        assert (response.status_code, response.reason_phrase, response.text) == (418, "Teapot", "short and stout")
        assert response.headers["X-A"] == "b"
        assert server.peers[0].received.endswith(b'\r\n\r\n{"a":1}')


async def test_one_read_is_one_piece() -> None:
    more = trio.Event()

    async def handler(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(CHUNKED + b"3\r\none\r\n3\r\ntwo\r\n")
        await more.wait()
        await peer.send(b"5\r\nthree\r\n0\r\n\r\n")

    async with serving(handler) as server:
        body = await open_body(server)
        assert await body.receive() == b"onetwo"
        more.set()
        assert await body.receive() == b"three"
        assert await body.receive() == b""
        assert await body.receive() == b""
        await server.wait_ended(1)


async def test_head_in_pieces_and_body_with_it() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 4\r\n\r", b"\nab", b"cd")) as server:
        response = await TrioTransport(no_tls).handle_async_request(post(server))
        assert await response.aread() == b"abcd"


async def test_iterated_as_httpx_does() -> None:
    async with serving(answering(CHUNKED, b"2\r\nab\r\n", b"2\r\ncd\r\n0\r\n\r\n")) as server:
        response = await TrioTransport(no_tls).handle_async_request(post(server))
        assert b"".join([piece async for piece in response.aiter_raw()]) == b"abcd"
        await response.aclose()
        await server.wait_ended(1)


async def test_tls() -> None:
    async with serving(with_tls(answering(CHUNKED, b"2\r\nok\r\n0\r\n\r\n"))) as server:
        transport = TrioTransport(loopback_certificate().client_context)
        response = await transport.handle_async_request(httpx.Request("GET", f"https://localhost:{server.port}/"))
        assert await response.aread() == b"ok"


async def test_large_request_over_tls() -> None:
    content = bytes(range(256)) * 20_000
    requests: list[bytes] = []

    async def handler(peer: Peer) -> None:
        requests.append(await peer.read_request())
        await peer.send(CHUNKED + b"0\r\n\r\n")

    async with serving(with_tls(handler)) as server:
        transport = TrioTransport(loopback_certificate().client_context)
        request = httpx.Request("POST", f"https://localhost:{server.port}/", content=content)
        await (await transport.handle_async_request(request)).aread()
        assert requests[0].endswith(content)


async def test_untrusted_server() -> None:
    async with serving(with_tls(answering())) as server:
        transport = TrioTransport(ssl.create_default_context)
        with pytest.raises(httpx.ConnectError) as caught:
            await transport.handle_async_request(httpx.Request("GET", f"https://localhost:{server.port}/"))
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_large_request() -> None:
    async with serving(answering(CHUNKED, b"0\r\n\r\n")) as server:
        content = bytes(range(256)) * 20_000
        await (await TrioTransport(no_tls).handle_async_request(post(server, content))).aread()
        assert server.peers[0].received.endswith(content)


async def test_server_that_answers_a_large_request_early_is_heard() -> None:
    async def handler(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
        assert isinstance(peer.stream, trio.SocketStream)
        peer.stream.socket.shutdown(trio.socket.SHUT_WR)
        # Unread bytes would turn the close into a reset that may overtake the answer: leave after a part of them.
        await peer.read_exactly(1_000_000)

    async with serving(handler) as server:
        response = await TrioTransport(no_tls).handle_async_request(post(server, bytes(1_100_000)))
        assert (response.status_code, await response.aread()) == (413, b"big")


async def test_server_that_resets_while_it_is_written_to() -> None:
    async def handler(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")
        reset(peer)

    async with serving(handler) as server:
        with pytest.raises((httpx.WriteError, httpx.ReadError)):
            await TrioTransport(no_tls).open_response(post(server, bytes(50_000_000)))


def reset(peer: Peer) -> None:
    assert isinstance(peer.stream, trio.SocketStream)
    peer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    "parts, error",
    [
        ((), httpx.RemoteProtocolError),
        ((b"HTTP/1.1 200 OK\r\n",), httpx.RemoteProtocolError),
        ((b"220 mail.example\r\n\r\n",), httpx.RemoteProtocolError),
        ((CHUNKED + b"5\r\nhel",), httpx.RemoteProtocolError),
        ((CHUNKED, b"zz\r\n"), httpx.RemoteProtocolError),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",), httpx.RemoteProtocolError),
    ],
)
async def test_broken_answers(parts: tuple[bytes, ...], error: type[Exception]) -> None:
    async with serving(answering(*parts)) as server:
        with pytest.raises(error):
            await (await TrioTransport(no_tls).handle_async_request(post(server))).aread()
        await server.wait_ended(1)


async def test_reset_in_the_body() -> None:
    sent = trio.Event()

    async def handler(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(SILENT)
        await sent.wait()
        reset(peer)

    async with serving(handler) as server:
        body = await open_body(server)
        assert await body.receive() == b"one"
        sent.set()
        with pytest.raises(httpx.ReadError):
            await body.receive()


async def test_connect_errors() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(httpx.ConnectError) as caught:
            await TrioTransport(no_tls).open_response(httpx.Request("GET", f"http://127.0.0.1:{port}/"))
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == errno.ECONNREFUSED
    with pytest.raises(httpx.UnsupportedProtocol):
        await TrioTransport(no_tls).open_response(httpx.Request("GET", "ftp://127.0.0.1/"))


async def test_connect_timeout_covers_the_tls_handshake() -> None:
    async def handler(peer: Peer) -> None:
        await peer.closed()

    async with serving(handler) as server:
        request = httpx.Request("GET", f"https://localhost:{server.port}/", extensions={"timeout": {"connect": 0.05}})
        with pytest.raises(httpx.ConnectTimeout):
            await TrioTransport(loopback_certificate().client_context).open_response(request)
        await server.wait_ended(1)


async def test_write_timeout() -> None:
    async def handler(peer: Peer) -> None:
        await trio.sleep_forever()

    async with serving(handler) as server:
        with pytest.raises(httpx.WriteTimeout):
            await TrioTransport(no_tls).open_response(post(server, bytes(50_000_000), write=0.05))


async def test_read_timeout_for_the_head_and_for_the_body() -> None:
    async def no_head(peer: Peer) -> None:
        await peer.closed()

    async with serving(no_head) as server:
        with pytest.raises(httpx.ReadTimeout):
            await open_body(server, read=0.05)
        await server.wait_ended(1)
    async with serving(silence) as server:
        body = await open_body(server, read=0.05)
        assert await body.receive() == b"one"
        with pytest.raises(httpx.ReadTimeout):
            await body.receive()
        await server.wait_ended(1)


async def test_expire_ends_a_waiting_receive() -> None:
    async with serving(silence) as server, trio.open_nursery() as nursery:
        body = await open_body(server)
        assert await body.receive() == b"one"

        async def expect_timeout() -> None:
            with pytest.raises(httpx.ReadTimeout):
                await body.receive()

        nursery.start_soon(expect_timeout)
        await trio.testing.wait_all_tasks_blocked()
        body.expire()
        await server.wait_ended(1)


async def test_close_ends_a_waiting_receive() -> None:
    async with serving(silence) as server, trio.open_nursery() as nursery:
        body = await open_body(server)
        assert await body.receive() == b"one"

        async def expect_error() -> None:
            with pytest.raises(httpx.ReadError):
                await body.receive()

        nursery.start_soon(expect_error)
        await trio.testing.wait_all_tasks_blocked()
        await body.aclose()
        await server.wait_ended(1)


@pytest.mark.parametrize("before", ["head", "body"])
async def test_cancellation_closes_the_socket_at_once(before: str) -> None:
    async def no_head(peer: Peer) -> None:
        await peer.closed()

    async with serving(no_head if before == "head" else silence) as server:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def ask() -> None:
                    body = await open_body(server)
                    while await body.receive():
                        pass

                nursery.start_soon(ask)
                while not (server.peers and server.peers[0].received):
                    await trio.testing.wait_all_tasks_blocked(0.001)
                scope.cancel()
        # Nothing of the client's is left to run, so only a closed socket ends the server's side.
        await server.wait_ended(1)


async def test_body_limit() -> None:
    async with serving(answering(CHUNKED, b"6\r\n123456\r\n", b"6\r\n123456\r\n0\r\n\r\n")) as server:
        for limit, fits in ((11, False), (12, True)):
            transport = TrioTransport(no_tls, max_body_bytes=limit)
            response = await transport.handle_async_request(post(server))
            if fits:
                assert len(await response.aread()) == 12
            else:
                with pytest.raises(httpx.RemoteProtocolError, match="11 bytes"):
                    await response.aread()
                await response.aclose()


async def test_exceptions_from_the_proxy() -> None:
    unreachable: Callable[[], Proxy] = lambda: Proxy("http", "proxy.invalid", 1)  # noqa: E731
    async with serving(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) as server:
        # Loopback never goes to a proxy elsewhere.
        transport = TrioTransport(no_tls, proxy=unreachable(), exceptions=ProxyExceptions())
        response = await transport.handle_async_request(post(server))
        assert await response.aread() == b"ok"
        assert server.peers[0].received.startswith(b"POST /path?q=1 HTTP/1.1\r\n")
