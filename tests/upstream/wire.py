"""Servers that speak bytes: what the transport's tests talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import trio

Handler: TypeAlias = Callable[["Peer"], Awaitable[None]]


@dataclass
class Peer:
    """One accepted connection; ``received`` is all it has said so far."""

    stream: trio.abc.Stream
    received: bytes = b""
    buffer: bytes = b""

    async def read_until(self, end: bytes) -> bytes:
        """Up to and including ``end``."""
        while end not in self.buffer:
            await self._more()
        size = self.buffer.index(end) + len(end)
        return self._take(size)

    async def read_exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            await self._more()
        return self._take(size)

    async def read_request(self) -> bytes:
        """A head and the body its content-length announces."""
        head = await self.read_until(b"\r\n\r\n")
        lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + await self.read_exactly(int(lengths[0]) if lengths else 0)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def closed(self) -> None:
        """Until the other side has closed."""
        try:
            while True:
                await self._more()
        except (EOFError, trio.BrokenResourceError):
            pass

    async def _more(self) -> None:
        data = await self.stream.receive_some(65536)
        if not data:
            raise EOFError
        self.received += data
        self.buffer += data

    def _take(self, size: int) -> bytes:
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data


@dataclass
class Server:
    """A listening server; ``peers`` are its connections in order, ``gone`` counts those that have ended."""

    port: int = 0
    peers: list[Peer] = field(default_factory=list)
    ended: list[Peer] = field(default_factory=list)
    changed: trio.Event = field(default_factory=trio.Event)

    async def wait_ended(self, count: int) -> None:
        """Until ``count`` connections have been handled to their end."""
        while len(self.ended) < count:
            await self.changed.wait()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    """A server on a free loopback port; each connection runs ``handler``, then is closed."""
    server = Server()

    async def handle(stream: trio.SocketStream) -> None:
        peer = Peer(stream)
        server.peers.append(peer)
        try:
            await handler(peer)
        except (EOFError, trio.BrokenResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                await stream.aclose()
            server.ended.append(peer)
            server.changed.set()
            server.changed = trio.Event()

    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield server
        nursery.cancel_scope.cancel()


def answering(*parts: bytes) -> Handler:
    """Read one request, send ``parts`` one by one, close."""

    async def handler(peer: Peer) -> None:
        await peer.read_request()
        for part in parts:
            await peer.send(part)

    return handler
