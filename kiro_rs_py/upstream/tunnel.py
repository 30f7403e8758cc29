"""From host and port to a link: directly, or through an HTTP or SOCKS proxy."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

import httpx
import socksio
import trio
from socksio import socks5

from kiro_rs_py.upstream.http1 import HeaderList, ResponseReader, encode_head
from kiro_rs_py.upstream.links import Link, SocketLink, TLSLink
from kiro_rs_py.upstream.proxy import Proxy, parse_address


class Target(NamedTuple):
    """Where a request goes: ``host`` without brackets, ASCII."""

    secure: bool
    host: str
    port: int


async def open_link(target: Target, proxy: Proxy | None, tls: Callable[[], ssl.SSLContext]) -> Link:
    """A link on which the request can be written, TLS included. ``tls`` gives the context, asked for only when needed.

    A plain-http target behind an HTTP proxy gets a link to the proxy: the request must then be in absolute form.
    Raises OSError when something cannot be connected to, and ``httpx.ProxyError`` when the proxy refuses. Whatever
    happens, cancellation included, no socket is left behind.
    """
    if proxy is None:
        link: Link = await _connect(target.host, target.port)
    else:
        link = await _connect_proxy(proxy, tls)
    try:
        if proxy is not None:
            await _open_tunnel(link, target, proxy)
        if target.secure:
            link = await _secure(link, tls(), target.host)
    except BaseException:
        link.close()
        raise
    return link


def proxy_authorization(proxy: Proxy) -> HeaderList:
    """The header with the proxy's user name and password (RFC 7617), or nothing."""
    if proxy.username is None:
        return []
    secret = base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode())
    return [(b"proxy-authorization", b"Basic " + secret)]


async def _connect(host: str, port: int) -> Link:
    address = parse_address(host)
    if address is None:
        return _take_over((await trio.open_tcp_stream(host, port)).socket)
    # One address is nothing to race for, and the race is most of the price of a connection on this machine.
    family = trio.socket.AF_INET if address.version == 4 else trio.socket.AF_INET6
    connection = trio.socket.socket(family, trio.socket.SOCK_STREAM)
    try:
        connection.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        await connection.connect((host, port))
    except BaseException:
        connection.close()
        raise
    return _take_over(connection)


def _take_over(connected: trio.socket.SocketType) -> SocketLink:
    family, kind, protocol = connected.family, connected.type, connected.proto
    return SocketLink(socket.socket(family, kind, protocol, fileno=connected.detach()))


async def _connect_proxy(proxy: Proxy, tls: Callable[[], ssl.SSLContext]) -> Link:
    link = await _connect(proxy.host, proxy.port)
    if proxy.scheme != "https":
        return link
    try:
        return await _secure(link, tls(), proxy.host)
    except BaseException:
        link.close()
        raise


async def _secure(link: Link, context: ssl.SSLContext, host: str) -> Link:
    secured = TLSLink(link, context, host)
    await secured.handshake()
    return secured


async def _open_tunnel(link: Link, target: Target, proxy: Proxy) -> None:
    if proxy.scheme in ("socks5", "socks5h"):
        await _socks_connect(link, target, proxy)
    elif target.secure:
        await _http_connect(link, target, proxy)


async def _http_connect(link: Link, target: Target, proxy: Proxy) -> None:
    """CONNECT (RFC 9110 §9.3.6)."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    authority = f"{host}:{target.port}".encode("ascii")
    await link.send(encode_head(b"CONNECT", authority, [(b"host", authority), *proxy_authorization(proxy)]))
    # HEAD's rule fits: a 2xx to CONNECT has no body either, whatever its headers say.
    reader = ResponseReader(b"HEAD")
    while reader.head is None:
        data = await link.receive()
        if data:
            reader.receive_data(data)
        else:
            reader.receive_eof()
    if not 200 <= reader.head.status < 300:
        raise httpx.ProxyError(f"The proxy answered CONNECT with status {reader.head.status}.")


async def _socks_connect(link: Link, target: Target, proxy: Proxy) -> None:
    """RFC 1928 and 1929 in socksio's words; ``socks5`` asks for an address, ``socks5h`` for the name."""
    host = target.host
    if proxy.scheme == "socks5":
        found = await trio.socket.getaddrinfo(host, target.port, type=trio.socket.SOCK_STREAM)
        host = str(found[0][4][0])
    reader = _ExactReader(link)
    try:
        await _socks_authenticate(link, reader, proxy)
        wish = socks5.SOCKS5CommandRequest.from_address(socks5.SOCKS5Command.CONNECT, (host, target.port))
        await link.send(wish.dumps())
        head = await reader.read(5)
        # Address type, then the length of what follows: 4 and 16 bytes of address or a counted name, and the port.
        rest = {1: 5, 3: head[4] + 2, 4: 17}.get(head[3])
        if rest is None:
            raise httpx.ProxyError("The SOCKS proxy answered with an unknown address type.")
        reply = socks5.SOCKS5Reply.loads(head + await reader.read(rest))
    except socksio.ProtocolError as exc:
        raise httpx.ProxyError("The proxy does not speak SOCKS5.") from exc
    if reply.reply_code is not socks5.SOCKS5ReplyCode.SUCCEEDED:
        words = reply.reply_code.name.lower().replace("_", " ")
        raise httpx.ProxyError(f"The SOCKS proxy could not connect: {words}.")


async def _socks_authenticate(link: Link, reader: _ExactReader, proxy: Proxy) -> None:
    if proxy.username is None:
        method = socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED
    else:
        method = socks5.SOCKS5AuthMethod.USERNAME_PASSWORD
    await link.send(socks5.SOCKS5AuthMethodsRequest([method]).dumps())
    if socks5.SOCKS5AuthReply.loads(await reader.read(2)).method is not method:
        raise httpx.ProxyError("The SOCKS proxy wants another way of authentication.")
    if proxy.username is None:
        return
    secrets = socks5.SOCKS5UsernamePasswordRequest(proxy.username.encode(), (proxy.password or "").encode())
    await link.send(secrets.dumps())
    if not socks5.SOCKS5UsernamePasswordReply.loads(await reader.read(2)).success:
        raise httpx.ProxyError("The SOCKS proxy refused user name and password.")


class _ExactReader:
    """Reads by count. Nothing may be left over in the end: behind a tunnel the other side never speaks first."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._buffer = b""

    async def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = await self._link.receive()
            if not data:
                raise httpx.ProxyError("The proxy closed the connection.")
            self._buffer += data
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data
