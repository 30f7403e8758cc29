"""Byte links to a peer: a socket, and TLS over any other link.

A link has three operations: ``await receive()`` (what one read returned, ``b""`` at the end), ``await send(data)``
(all of it), and ``close()``, which is synchronous and immediate, so that it also works while a cancellation is under
way, and which wakes a task waiting in ``receive`` or ``send`` with ``trio.ClosedResourceError``. Other failures are
OSErrors.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Protocol

import trio

RECEIVE_BYTES = 64 * 1024


class Link(Protocol):
    async def receive(self) -> bytes: ...

    async def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SocketLink:
    """A connected socket, the standard library's.

    Not Trio's: waiting first and reading then is one system call and one pass of the scheduler less per read than
    Trio's own recv (stack.md P14).
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._closed = False

    async def receive(self) -> bytes:
        while True:
            self._check_open()
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        view = memoryview(data)
        while view := view[self.send_now(view) :]:
            await trio.lowlevel.wait_writable(self._socket)

    def send_now(self, data: bytes | memoryview) -> int:
        """Send what there is room for just now; how much that was."""
        self._check_open()
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def end(self) -> None:
        """Nothing more will be sent; what comes can still be received."""
        with suppress(OSError):  # the peer is gone already
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this connection is closed")


class TLSLink:
    """TLS as a client over another link; ``handshake`` comes first.

    Drives ``ssl.SSLObject`` directly: less than half the extra cost per read of ``trio.SSLStream`` (stack.md §B6), and
    all records of one read come out as one piece. A peer that ends without close_notify is taken to have ended: the
    framing inside says whether something is missing.
    """

    def __init__(self, link: Link, context: ssl.SSLContext, host: str) -> None:
        self._link = link
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def handshake(self) -> None:
        """Raises ``ssl.SSLError`` (an OSError) for an untrusted peer and for one that speaks no TLS."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLError:
                await self._flush()  # the alert that tells the peer why
                raise
            else:
                await self._flush()
                return

    async def receive(self) -> bytes:
        while True:
            pieces: list[bytes] = []
            try:
                while not pieces or self._incoming.pending or self._tls.pending():
                    piece = self._tls.read(RECEIVE_BYTES)
                    if not piece:
                        return b"".join(pieces)
                    pieces.append(piece)
            except ssl.SSLWantReadError:
                pass
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b"".join(pieces)
            if self._outgoing.pending:  # the answer to a key update
                await self._flush()
            if pieces:
                return b"".join(pieces)
            await self._feed()

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
            await self._flush()

    def close(self) -> None:
        self._link.close()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._link.send(self._outgoing.read())

    async def _feed(self) -> None:
        data = await self._link.receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
