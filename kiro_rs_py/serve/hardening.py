"""One accepted connection: hypercorn's HTTP/1.1, made safe and quick, on a socket handling of our own.

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

Nothing of hypercorn is replaced in place: :mod:`kiro_rs_py.serve.connections` uses these classes directly, so another
hypercorn in the same process (the simulator) is not touched. They rely on the internals of exactly one version,
checked below.
"""

from __future__ import annotations

import json
import logging
import math
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import h11
import hypercorn
import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, ConnectionState, Scope
from hypercorn.utils import parse_socket_addr

from kiro_rs_py.serve.ids import new_request_id
from kiro_rs_py.upstream.links import SocketLink

logger = logging.getLogger(__name__)

WRITE_SECONDS = 30.0
# How long a client that is refused before it has said all is still listened to: a close under what it sends would
# take the answer away from it.
LINGER_SECONDS = 2.0
MAX_PIPELINED_BYTES = 64 * 1024
MAX_UNREAD_PARTS = 10

_CHUNKED = b"\r\ntransfer-encoding: chunked\r\n"

_VERSION = "0.18.0"
# What is overridden or called below, with the arguments it had when it was read.
_SEAMS: tuple[tuple[Callable[..., Any], str], ...] = (
    (H11Protocol.handle, "self event"),
    (H11Protocol._handle_events, "self"),
    (H11Protocol._create_stream, "self request"),
    (H11Protocol._send_h11_event, "self event"),
    (H11Protocol._send_error_response, "self status_code"),
    (H11Protocol._maybe_recycle, "self"),
    (HTTPStream.handle, "self event"),
    (HTTPStream.app_send, "self message"),
    (TaskGroup.spawn_app, "self app config scope send"),
    (TaskGroup.spawn, "self func"),
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


class ConnectionTasks:
    """What hypercorn wants of the nursery of one connection; starts the app with an :class:`Inbox` in place of a plain
    channel."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

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

    def spawn(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        self._nursery.start_soon(function, *args)


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


class HardenedStream(HTTPStream):
    """One request. ``chunks`` takes the pieces of an answer that is under way in chunks, and whether more follow."""

    chunks: Callable[[bytes, bool], Awaitable[None]] | None = None

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Pieces of a stream go past hypercorn, whose way for them costs a tenth of an event."""
        if self.chunks is not None and message is not None and message["type"] == "http.response.body":
            more = message.get("more_body", False)
            if data := message.get("body", b""):
                await self.chunks(data, more)
            if more:
                return
            self.chunks = None
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await super().app_send(message)


class HardenedH11(H11Protocol):
    """HTTP/1.1 only; chunks are framed without h11's event objects (stack.md B5: a sixth of an event's cost).

    ``send_bytes`` takes what goes to the client, ``args`` are hypercorn's.
    """

    stream: HardenedStream | None

    def __init__(self, send_bytes: Callable[[bytes], Awaitable[None]], *args: Any) -> None:
        super().__init__(*args)
        self._send_bytes = send_bytes
        # What waits for something that follows at once: the head for the first bytes, the last bytes for the end.
        self._held = b""
        # Pipelined requests are resumed from another task than the reader's.
        self._turn = trio.Lock()

    async def handle(self, event: Event) -> None:
        if not isinstance(event, RawData):
            await super().handle(event)
            return
        connection = cast(h11.Connection, self.connection)
        data = event.data
        if data and connection.their_state is h11.MUST_CLOSE:
            return  # It has said that there is no more to come: whatever this is, it must not cost the answer.
        if data[:1] in (b"\r", b"\n") and connection.their_state is h11.IDLE and not self._unread():
            data = data.lstrip(b"\r\n")
            if not data:
                return
        connection.receive_data(data)
        await self._resume()
        if event.data and self._pipelined() > MAX_PIPELINED_BYTES:
            await self.can_read.clear()
            await self.can_read.wait()

    async def _send_chunk(self, data: bytes, more: bool) -> None:
        chunk = b"%b%x\r\n%b\r\n" % (self._held, len(data), data)
        if more:
            self._held = b""
            await self._send_bytes(chunk)
        else:
            self._held = chunk

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
            if connection.their_state is h11.MUST_CLOSE:
                self._skip(len(connection.trailing_data[0]))
            match event:
                case h11.Request(method=b"PRI", http_version=b"2.0"):
                    await self._refuse(505)
                    return
                case h11.Request(method=b"CONNECT"):
                    # An answer of 2xx would make this a tunnel for h11, which then takes no body any more.
                    await self._refuse(405)
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
        self.stream = HardenedStream(
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
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in request.headers}:
            # Two servers may see two ends of such a request, so it is the connection's last (RFC 9112 §6.1).
            self.keep_alive_requests = self.config.keep_alive_max_requests

    async def _maybe_recycle(self) -> None:
        await super()._maybe_recycle()
        unread = cast(h11.Connection, self.connection).trailing_data[0]
        if unread:
            self._skip(len(unread) - len(unread.lstrip(b"\r\n")))
            self.task_group.spawn(self._resume)

    def _skip(self, count: int) -> None:
        """Forget so many bytes that came behind a request. An empty line there is to be ignored (RFC 9112 §2.2); h11
        takes it for a broken request."""
        if count:
            cast(Any, self.connection)._receive_buffer.maybe_extract_at_most(count)

    async def _resume(self) -> None:
        if self._turn.locked():
            await self._turn.acquire()
        else:
            self._turn.acquire_nowait()  # without a trip through the scheduler
        try:
            await self._handle_events()
        finally:
            self._turn.release()

    @property
    def has_heard_all(self) -> bool:
        """The client has nothing more to say, or said it in vain."""
        return self.connection.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)

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
        data, self._held = self._held + data, b""
        if type(event) is h11.Response and self.connection.our_state is h11.SEND_BODY:
            self._held = data
            stream = self.stream
            if stream is not None and stream.scope["method"] != "HEAD" and _CHUNKED in data.lower():
                stream.chunks = self._send_chunk
        elif data:
            await self._send_bytes(data)

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
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


class OpenConnections(WorkerContext):
    """hypercorn's context of a server. ``waiting`` are the connections without a request: they end when it stops."""

    def __init__(self) -> None:
        super().__init__(None)
        self.waiting: set[HardenedConnection] = set()

    async def stop(self) -> None:
        """Take no more requests."""
        await self.terminated.set()
        for connection in tuple(self.waiting):
            connection.close()


class HardenedConnection:
    """One accepted connection, from ``peer``. When :meth:`run` ends, for whatever reason, its socket is closed."""

    def __init__(
        self, app: AppWrapper, config: HypercornConfig, context: OpenConnections, sock: socket.socket, peer: Any
    ) -> None:
        self._app = app
        self._config = config
        self._context = context
        self._client = parse_socket_addr(sock.family, peer)
        self._link = SocketLink(sock)
        self._writing = trio.Lock()
        self._lingers = False
        self._scope: trio.CancelScope
        self._protocol: HardenedH11

    async def run(self) -> None:
        """Serve until either side has had enough of it."""
        try:
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                tasks, state = cast(Any, ConnectionTasks(nursery)), ConnectionState({})
                known = (self._app, self._config, self._context, tasks, state, False, self._client, None)
                self._protocol = HardenedH11(self._write, *known, self._receive_event)
                self._wait(self._config.keep_alive_timeout)
                await self._read()
        finally:
            self._context.waiting.discard(self)
            self.close()

    def close(self) -> None:
        """At once; whoever reads or writes is told."""
        self._link.close()

    def _wait(self, seconds: float) -> None:
        """Let the client do something, or the server stop. A deadline: a task for it would cost more than a request."""
        self._scope.deadline = trio.current_time() + seconds
        self._context.waiting.add(self)

    async def _read(self) -> None:
        while True:
            try:
                data = await self._link.receive()
            except (OSError, trio.ClosedResourceError):
                break
            if not self._lingers:
                await self._protocol.handle(RawData(data))
            if not data:
                break
            del data  # an idle connection must not hold on to it
        await self._protocol.handle(Closed())

    async def _receive_event(self, event: Event) -> None:
        """What the protocol wants done."""
        if isinstance(event, Updated):
            if event.idle:
                self._wait(self._config.keep_alive_timeout)
            else:
                self._scope.deadline = math.inf
                self._context.waiting.discard(self)
        else:
            await self._protocol.handle(Closed())
            if self._protocol.has_heard_all:
                self.close()
            else:
                self._lingers = True
                self._link.end()
                self._wait(LINGER_SECONDS)

    async def _write(self, data: bytes) -> None:
        """Without a trip through the scheduler if there is room, for that costs as much as the write (stack.md P14)."""
        try:
            if not self._writing.locked():
                data = data[self._link.send_now(data) :]
            if data:
                await self._write_later(data)
        except (OSError, trio.ClosedResourceError, trio.TooSlowError):
            await self._protocol.handle(Closed())

    async def _write_later(self, data: bytes) -> None:
        try:
            async with self._writing:
                with trio.fail_after(WRITE_SECONDS):
                    await self._link.send(data)
        except BaseException:  # also when cancelled: half a chunk may be out
            self.close()
            raise
