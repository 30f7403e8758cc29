"""hypercorn's connection, with a way past it: write now, or break off."""

from __future__ import annotations

import socket
import struct
from contextvars import ContextVar
from typing import cast

import trio
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.tcp_server import TCPServer

# An app cannot break a connection, and a thousand paced streams are too much for the full way through ASGI (a
# scheduler pass and two state machines for every event). The app finds the connection it answers on here.
_current: ContextVar[Connection] = ContextVar("connection")


def current_connection() -> Connection:
    """The connection this request came in on."""
    return _current.get()


class Connection(TCPServer):
    """One client's connection. Whatever goes wrong in it stays in it."""

    _raw: socket.socket | None = None

    async def run(self) -> None:
        stream = cast("trio.SocketStream", self.stream)
        self._raw = socket.socket(fileno=stream.socket.fileno())
        self._raw.setblocking(False)
        _current.set(self)
        try:
            await super().run()
        except* Exception:  # noqa: S110
            # hypercorn lets one connection's broken request end the whole server (stack.md P1).
            pass
        finally:
            self._release()
            stream.socket.close()

    async def protocol_send(self, event: Event) -> None:
        """As hypercorn's, but without a scheduler pass for what the socket takes at once, and cancellable: its shield
        lets a client that does not read block the shutdown (stack.md P2)."""
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        data = event.data
        try:
            if not self.send_lock.locked():
                data = data[self.write_now(data) :]
            if data:
                async with self.send_lock:
                    await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            await self.protocol.handle(Closed())

    def write_now(self, data: bytes) -> int:
        """How many bytes the socket took without waiting. Raises OSError when the connection is over."""
        if self._raw is None or cast("trio.SocketStream", self.stream).socket.fileno() < 0:
            raise BrokenPipeError("the connection is closed")
        try:
            return self._raw.send(data)
        except BlockingIOError:
            return 0

    def break_off(self, *, reset: bool = False) -> None:
        """Ends the connection where it stands: with FIN, or with RST."""
        if self._raw is None:
            return
        if reset:
            self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._release()
            cast("trio.SocketStream", self.stream).socket.close()
        else:
            self._raw.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        """The descriptor belongs to trio; this object only borrowed it."""
        if self._raw is not None:
            self._raw.detach()
            self._raw = None
