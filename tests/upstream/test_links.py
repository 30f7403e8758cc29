"""Byte links over real sockets, plain and with TLS."""

from __future__ import annotations

import socket
import ssl

import pytest
import trio
import trio.testing

from kiro_rs_py.upstream.links import Link, SocketLink, TLSLink
from tests.upstream.certificates import loopback_certificate
from tests.upstream.wire import Handler, Peer, Server, serving


async def plain_link(server: Server) -> SocketLink:
    return SocketLink(socket.create_connection(("127.0.0.1", server.port)))


async def tls_link(server: Server, context: ssl.SSLContext | None = None, host: str = "localhost") -> TLSLink:
    link = TLSLink(await plain_link(server), context or loopback_certificate().client_context(), host)
    try:
        await link.handshake()
    except BaseException:
        link.close()
        raise
    return link


def with_tls(handler: Handler, *, close_notify: bool = True) -> Handler:
    """``handler`` behind TLS."""

    async def secured(peer: Peer) -> None:
        stream = trio.SSLStream(
            peer.stream, loopback_certificate().server_context(), server_side=True, https_compatible=not close_notify
        )
        await stream.do_handshake()
        inner = Peer(stream)
        await handler(inner)
        if close_notify:
            await stream.aclose()

    return secured


async def echo(peer: Peer) -> None:
    while data := await peer.stream.receive_some(65536):
        await peer.send(bytes(data))


async def test_sending_waits_for_a_slow_reader() -> None:
    data = bytes(range(256)) * 40_000
    async with serving(echo) as server:
        link = await plain_link(server)
        received = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.send, data)
            while len(received) < len(data):
                received += await link.receive()
        link.close()
    assert received == data


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_both_ways(version: ssl.TLSVersion) -> None:
    context = loopback_certificate().client_context()
    context.minimum_version = context.maximum_version = version
    piece = bytes(range(256)) * 100
    async with serving(with_tls(echo)) as server:
        link = await tls_link(server, context)
        for _ in range(20):
            await link.send(piece)
            received = b""
            while len(received) < len(piece):
                received += await link.receive()
            assert received == piece
        link.close()


async def test_records_of_one_read_come_as_one_piece() -> None:
    sent = trio.Event()

    async def two_records(peer: Peer) -> None:
        await peer.send(b"one ")
        await peer.send(b"two")
        sent.set()
        await peer.closed()

    async with serving(with_tls(two_records)) as server:
        link = await tls_link(server)
        await sent.wait()
        assert await link.receive() == b"one two"
        link.close()


@pytest.mark.parametrize("close_notify", [True, False])
async def test_the_end_of_a_tls_stream(close_notify: bool) -> None:
    async def last_words(peer: Peer) -> None:
        await peer.send(b"last words")

    async with serving(with_tls(last_words, close_notify=close_notify)) as server:
        link = await tls_link(server)
        received = b""
        while data := await link.receive():
            received += data
        assert received == b"last words"
        assert await link.receive() == b""
        link.close()


async def test_untrusted_certificate() -> None:
    async with serving(with_tls(echo)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await tls_link(server, ssl.create_default_context())


async def test_certificate_of_another_name() -> None:
    async with serving(with_tls(echo)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await tls_link(server, host="kiro.example")


async def test_peer_without_tls() -> None:
    async def banner(peer: Peer) -> None:
        await peer.send(b"220 mail.example ready\r\n")

    async with serving(banner) as server:
        with pytest.raises(ssl.SSLError):
            await tls_link(server)


async def test_peer_that_leaves_in_the_handshake() -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.read_exactly(1)

    async with serving(hang_up) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await tls_link(server)


@pytest.mark.parametrize("secure", [False, True])
async def test_close_wakes_a_waiting_reader(secure: bool) -> None:
    async with serving(with_tls(echo) if secure else echo) as server:
        link: Link = await (tls_link(server) if secure else plain_link(server))
        async with trio.open_nursery() as nursery:

            async def reader() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await link.receive()

            nursery.start_soon(reader)
            await trio.testing.wait_all_tasks_blocked()
            link.close()
            link.close()
        await server.wait_ended(1)


async def test_close_wakes_a_waiting_writer() -> None:
    async def never_reads(peer: Peer) -> None:
        await trio.sleep_forever()

    async with serving(never_reads) as server:
        link = await plain_link(server)
        async with trio.open_nursery() as nursery:

            async def writer() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await link.send(bytes(50_000_000))

            nursery.start_soon(writer)
            await trio.testing.wait_all_tasks_blocked()
            link.close()


async def test_a_closed_link_says_so() -> None:
    async with serving(echo) as server:
        link = await plain_link(server)
        link.close()
        with pytest.raises(trio.ClosedResourceError):
            await link.receive()
        with pytest.raises(trio.ClosedResourceError):
            await link.send(b"x")
