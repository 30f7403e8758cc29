"""hypercorn's connection classes, made safe and quick, and the loop that accepts connections.

Plain hypercorn 0.18 on Trio has five faults for a server like this one (stack.md A3, measured):

* an exception in one connection ends the process (P1): here each connection contains its own;
* writes are shielded and have no deadline, so a client that stops reading holds SIGTERM for ever (P2): here a write
  may be cancelled and must end within :data:`WRITE_SECONDS`; either way the connection is closed, since a torn
  write cannot be continued;
* a full queue of unread body parts holds the connection for ever once the app has answered (P3): here the end of a
  request never waits for a place in the queue (:class:`Inbox`);
* it stops reading while pipelined bytes or an ``Upgrade`` header wait for the answer, and so misses the hang-up of
  the client: here it reads on, up to :data:`MAX_PIPELINED_BYTES`;
* an idle connection that its client has closed keeps its socket until the idle time is over, so that a few new
  connections a second use up all file descriptors: here it goes at once.

Cleartext HTTP/2 and WebSocket, which no client of ours uses, are the source of all five inputs that kill stock
hypercorn. An upgrade is ignored, as HTTP allows, and the HTTP/2 preface is answered 505.

Nothing of hypercorn is replaced in place: :mod:`kiro_rs_py.serve.connections` uses the subclasses directly, so another
hypercorn in the same process (the simulator) is not touched. They rely on the internals of exactly one version,
checked below.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import h11
import hypercorn
import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Request
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, ConnectionState, Scope
from hypercorn.utils import parse_socket_addr

from kiro_rs_py.serve.ids import new_request_id

logger = logging.getLogger(__name__)

WRITE_SECONDS = 30.0
MAX_PIPELINED_BYTES = 64 * 1024
MAX_UNREAD_PARTS = 10
READ_BYTES = 64 * 1024

_VERSION = "0.18.0"
# What is overridden or called below, with the arguments it had when it was read.
_SEAMS: tuple[tuple[Callable[..., Any], str], ...] = (
    (TCPServer.__init__, "self app config context state stream"),
    (TCPServer.run, "self"),
    (TCPServer.protocol_send, "self event"),
    (TCPServer._read_data, "self"),
    (TCPServer._close, "self"),
    (TCPServer._idle_timeout, "self"),
    (H11Protocol.handle, "self event"),
    (H11Protocol.stream_send, "self event"),
    (H11Protocol._handle_events, "self"),
    (H11Protocol._create_stream, "self request"),
    (H11Protocol._send_h11_event, "self event"),
    (H11Protocol._send_error_response, "self status_code"),
    (H11Protocol._maybe_recycle, "self"),
    (HTTPStream.handle, "self event"),
    (TaskGroup.spawn_app, "self app config scope send"),
)


def check_seams(folder: Path = Path(hypercorn.__file__).parent.parent) -> None:
    """Raise ImportError unless hypercorn is the version this module was written against.

    ``folder`` is where hypercorn is installed; a zipapp may have left the package's metadata out, then only the
    signatures speak. (``importlib.metadata`` would add 11 ms to every start.)
    """
    found = {path.name.removesuffix(".dist-info").partition("-")[2] for path in folder.glob("[Hh]ypercorn-*.dist-info")}
    if found and _VERSION not in found:
        raise ImportError(f"hypercorn {_VERSION} is needed, found {', '.join(sorted(found))}")
    for function, arguments in _SEAMS:
        code = function.__code__
        if " ".join(code.co_varnames[: code.co_argcount]) != arguments:
            raise ImportError(f"hypercorn {_VERSION} is needed: {function.__qualname__} has other arguments")


check_seams()


class Inbox:
    """What the connection has for the app: body parts in order, then the end.

    ``put`` waits while :data:`MAX_UNREAD_PARTS` are unread, which slows the client down; ``close`` never waits.
    """

    def __init__(self) -> None:
        # No deque, which takes half a kilobyte for itself: there are few.
        self._parts: list[ASGIReceiveEvent] = []
        self._closed = False
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()

    async def put(self, message: ASGIReceiveEvent) -> None:
        if message["type"] == "http.disconnect":
            self.close()
            return
        while len(self._parts) >= MAX_UNREAD_PARTS and not self._closed:
            await self._writers.park()
        if not self._closed:
            self._parts.append(message)
            self._readers.unpark()

    async def receive(self) -> ASGIReceiveEvent:
        while not self._parts and not self._closed:
            await self._readers.park()
        if self._parts:
            self._writers.unpark()
            return self._parts.pop(0)
        return {"type": "http.disconnect"}

    def close(self) -> None:
        """The client left, or the answer is complete: what is unread is of no use any more."""
        self._closed = True
        self._parts.clear()
        self._readers.unpark_all()
        self._writers.unpark_all()


class ConnectionTasks(TaskGroup):
    """The nursery of one connection; starts the app with an :class:`Inbox` in place of a plain channel."""

    async def spawn_app(
        self,
        app: AppWrapper,
        config: HypercornConfig,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        inbox = Inbox()
        self.spawn(_run_app, app, scope, inbox, send)
        return inbox.put


async def _run_app(
    app: AppWrapper, scope: Scope, inbox: Inbox, send: Callable[[ASGISendEvent | None], Awaitable[None]]
) -> None:
    try:
        await app(scope, inbox.receive, send, trio.to_thread.run_sync, trio.from_thread.run)
    except Exception:
        logger.exception("the app failed")
    finally:
        inbox.close()
        await send(None)


class HardenedH11(H11Protocol):
    """HTTP/1.1 only; chunks are framed without h11's event objects (stack.md B5: a sixth of an event's cost)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._chunked = False
        # The head of an answer waits for what follows at once, its first bytes or its end: one write less.
        self._head = b""
        # Pipelined requests are resumed from another task than the reader's.
        self._turn = trio.Lock()

    async def handle(self, event: Event) -> None:
        if not isinstance(event, RawData):
            await super().handle(event)
            return
        connection = cast(h11.Connection, self.connection)
        connection.receive_data(event.data)
        async with self._turn:
            await self._handle_events()
        if event.data and self._pipelined() > MAX_PIPELINED_BYTES:
            await self.can_read.clear()
            await self.can_read.wait()

    async def stream_send(self, event: StreamEvent) -> None:
        if type(event) is Body and self._chunked:
            await self._write(b"%x\r\n%b\r\n" % (len(event.data), event.data))
        else:
            await super().stream_send(event)

    async def _handle_events(self) -> None:
        connection = cast(h11.Connection, self.connection)
        while True:
            if connection.they_are_waiting_for_100_continue:
                await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=[]))
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            match event:
                case h11.Request(method=b"PRI", http_version=b"2.0"):
                    await self._refuse(505)
                    return
                case h11.Request():
                    await self.send(Updated(idle=False))
                    await self._create_stream(event)
                case h11.Data() if self.stream is not None:
                    await self.stream.handle(Body(stream_id=STREAM_ID, data=bytes(event.data)))
                case h11.EndOfMessage() if self.stream is not None:
                    await self.stream.handle(EndBody(stream_id=STREAM_ID))
                case _:  # needs more bytes, closed, or paused until the answer is complete
                    return

    async def _create_stream(self, request: h11.Request) -> None:
        """Every request is plain HTTP, whatever it offers to upgrade to."""
        self.stream = HTTPStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    async def _maybe_recycle(self) -> None:
        await super()._maybe_recycle()
        if self._unread():
            self.task_group.spawn(self._resume)

    async def _resume(self) -> None:
        async with self._turn:
            await self._handle_events()

    def _unread(self) -> int:
        return len(cast(h11.Connection, self.connection).trailing_data[0])

    def _pipelined(self) -> int:
        """Bytes that belong to no request yet, while the answer to the last one is under way."""
        return 0 if self.connection.their_state in (h11.IDLE, h11.SEND_BODY) else self._unread()

    async def _send_h11_event(self, event: Any) -> None:
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        if type(event) is h11.Response:
            self._chunked = b"\r\ntransfer-encoding: chunked\r\n" in data.lower()
            if self.connection.our_state is h11.SEND_BODY:
                self._head = data
                return
        elif type(event) is h11.EndOfMessage:
            self._chunked = False
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        data, self._head = self._head + data, b""
        if data:
            await self.send(RawData(data=data))

    async def _refuse(self, status: int) -> None:
        if self.connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send_error_response(status)
        await self.send(Closed())

    async def _send_error_response(self, status_code: int) -> None:
        """What is not HTTP never reaches the app; it gets the same envelope as every other error (PRODUCT §3)."""
        request_id = new_request_id()
        error = {"type": "invalid_request_error", "message": f"This is not a valid HTTP/1.1 request ({status_code})."}
        body = json.dumps({"type": "error", "error": error, "request_id": request_id}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


class HardenedConnection(TCPServer):
    """One accepted connection."""

    stream: Any  # always a trio.SocketStream here; hypercorn's annotation knows only TLS
    _hung_up = False

    async def run(self) -> None:
        try:
            sock = self.stream.socket
            client = parse_socket_addr(sock.family, sock.getpeername())
            server = parse_socket_addr(sock.family, sock.getsockname())
            async with ConnectionTasks() as tasks:
                self._task_group = tasks
                self.protocol = cast(
                    Any,
                    HardenedH11(
                        self.app,
                        self.config,
                        self.context,
                        tasks,
                        ConnectionState(self.state),
                        False,
                        client,
                        server,
                        self.protocol_send,
                    ),
                )
                await self.idle_task.restart(tasks, self._idle_timeout)
                await self._read_data()
                self._hung_up = True
                await self.idle_task.stop()
        finally:
            await self._close()

    async def _read_data(self) -> None:
        """Without hypercorn's deadline, which would be infinite (P4), and without holding on to what was read last."""
        while True:
            try:
                data = await self.stream.receive_some(READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
            await self.protocol.handle(RawData(data))
            if not data:
                break
            del data
        await self.protocol.handle(Closed())

    async def protocol_send(self, event: Event) -> None:
        if type(event) is not RawData:
            if not (self._hung_up and type(event) is Updated):
                await super().protocol_send(event)
            return
        rest = event.data
        if not self.send_lock.locked():
            try:
                rest = rest[self._write_now(rest) :]
            except OSError:
                await self.protocol.handle(Closed())
                return
            if not rest:
                return
        await self._write_later(rest)

    def _write_now(self, data: bytes) -> int:
        """Try to write without a trip through the scheduler, which costs as much as the write (stack.md P14)."""
        if sys.platform == "win32":  # os.write does not know sockets there
            return 0
        try:
            return os.write(self.stream.socket.fileno(), data)
        except BlockingIOError:
            return 0

    async def _write_later(self, data: bytes) -> None:
        complete = False
        try:
            async with self.send_lock:
                with trio.fail_after(WRITE_SECONDS):
                    await self.stream.send_all(data)
                complete = True
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass
        finally:
            if not complete:  # also when cancelled: half a chunk may be out
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(self.stream)
        if not complete:
            await self.protocol.handle(Closed())
