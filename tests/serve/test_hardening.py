"""Hostile and clumsy peers against the connection classes, over real sockets (stack.md A3)."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypercorn.utils import UnexpectedMessageError

from kiro_rs_py.serve import hardening
from kiro_rs_py.serve.connections import serve_connections
from kiro_rs_py.serve.hardening import Inbox, check_seams
from kiro_rs_py.serve.listener import bind

H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")


@dataclass
class SmallApp:
    """Answers ``/early`` before the body is read, ``/stream`` until the client leaves, ``/pieces`` with two chunks,
    others with the body's size."""

    left: trio.Event = field(default_factory=trio.Event)
    opened: trio.Event = field(default_factory=trio.Event)
    flood: bytes = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        match scope["path"]:
            case "/early":
                for _ in range(50):  # long enough for the queue of body parts to fill up
                    await trio.lowlevel.checkpoint()
                await self.answer(send, 401, b"no")
            case "/stream":
                await self.stream(receive, send)
            case "/pieces":
                await self.pieces(send)
            case "/bug":
                raise RuntimeError("a bug in the app")
            case _:
                size = 0
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    size += len(message["body"])
                    if not message["more_body"]:
                        break
                await self.answer(send, 200, b"read %d" % size)

    async def answer(self, send: Any, status: int, body: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def pieces(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"one", b""):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})
        with pytest.raises(UnexpectedMessageError):
            await send({"type": "http.response.body", "body": b"three", "more_body": True})

    async def stream(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        self.opened.set()
        try:
            async with trio.open_nursery() as nursery:
                if self.flood:
                    nursery.start_soon(self.pour, send)
                while (await receive())["type"] != "http.disconnect":
                    pass
                nursery.cancel_scope.cancel()
        finally:
            self.left.set()

    async def pour(self, send: Any) -> None:
        while True:
            await trio.lowlevel.checkpoint()
            await send({"type": "http.response.body", "body": self.flood, "more_body": True})


@dataclass
class Server:
    app: SmallApp
    port: int
    stop: trio.Event

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def ask(self, payload: bytes) -> bytes:
        """Everything that comes back until the server closes; the payload should say ``connection: close``."""
        stream = await self.connect()
        async with stream:
            await stream.send_all(payload)
            return await read_all(stream)

    async def is_alive(self) -> bool:
        answer = await self.ask(b"GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        return answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"read 0")


async def read_all(stream: trio.SocketStream) -> bytes:
    received = b""
    try:
        async for part in stream:
            received += part
    except trio.BrokenResourceError:
        pass
    return received


async def read_until(stream: trio.SocketStream, end: bytes) -> bytes:
    received = b""
    while end not in received:
        part = await stream.receive_some()
        assert part, f"closed after {received!r}"
        received += part
    return received


@asynccontextmanager
async def running(app: SmallApp, *, grace: float = 0.2) -> AsyncIterator[Server]:
    bound = bind("127.0.0.1", 0)
    stop = trio.Event()

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await serve_connections(app, bound.sockets, stop=stop, grace=grace, task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        yield Server(app, bound.address.port, stop)
        stop.set()


@dataclass(frozen=True)
class Hostile:
    name: str
    payload: bytes
    status: int | None = 400
    """None: the server may stay silent."""


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"".join([b"POST /x HTTP/1.1\r\nhost: a\r\n", *[h + b"\r\n" for h in headers], b"\r\n", body])


UPGRADE = (
    b"connection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=="
)
HOSTILE = [
    Hostile("websocket upgrade", b"GET /x HTTP/1.1\r\nhost: a\r\n" + UPGRADE + b"\r\n\r\n", 200),
    Hostile("websocket upgrade and a byte", b"GET /x HTTP/1.1\r\nhost: a\r\n" + UPGRADE + b"\r\n\r\nX", 200),
    Hostile("HTTP/2 preface", H2_PREFACE, 505),
    Hostile("HTTP/2 preface and headers", H2_PREFACE + bytes.fromhex("00000a010500000001") + b"\xff" * 10, 505),
    Hostile("HTTP/2 preface alone in a packet", b"PRI * HTTP/2.0\r\n\r\n", 505),
    Hostile(
        "h2c upgrade",
        b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
        b"http2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        200,
    ),
    Hostile(
        "h2c upgrade with non-ASCII settings",
        b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: \xff\xfe\r\n\r\n",
        200,
    ),
    Hostile("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\nhost: a\r\n\r\n", 405),
    Hostile("method with a colon", b"GE:T / HTTP/1.1\r\nhost: a\r\n\r\n"),
    Hostile("method of 70 KB", b"A" * 70_000, 431),
    Hostile("HTTP/0.9", b"GET /\r\n\r\n"),
    Hostile("TLS hello", bytes.fromhex("16030100c8010000c40303") + b"\x07" * 100),
    Hostile("NUL bytes", b"\0" * 100 + b"\r\n\r\n"),
    Hostile("nothing", b"", None),
    Hostile("half a head", b"POST /x HTTP/1.1\r\nhost:", None),
    Hostile("header without colon", b"GET / HTTP/1.1\r\nhost: a\r\nnonsense\r\n\r\n"),
    Hostile("header with NUL", b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n"),
    Hostile("header name with space", b"GET / HTTP/1.1\r\nhost: a\r\nx y: 1\r\n\r\n"),
    Hostile("header of 200 KB", b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", None),
    Hostile("endless header", b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 200_000, 431),
    Hostile("no host", b"GET / HTTP/1.1\r\n\r\n"),
    Hostile("non-ASCII path", "GET /ä HTTP/1.1\r\nhost: a\r\n\r\n".encode()),
    Hostile("percent-encoded rubbish in the path", b"GET /%ff%00%zz HTTP/1.1\r\nhost: a\r\n\r\n", 200),
    Hostile("absolute target", b"GET http://elsewhere/ HTTP/1.1\r\nhost: a\r\n\r\n", 200),
    Hostile("two lengths", post(b"content-length: 1", b"content-length: 2", body=b"ab")),
    Hostile("negative length", post(b"content-length: -1")),
    Hostile("length and chunked", post(b"content-length: 3", b"transfer-encoding: chunked", body=b"0\r\n\r\n"), None),
    Hostile("unknown transfer coding", post(b"transfer-encoding: gzip"), 501),
    Hostile("bad chunk size", post(b"transfer-encoding: chunked", body=b"xyz\r\n")),
    Hostile("chunk header of 100 KB", post(b"transfer-encoding: chunked", body=b"1;" + b"a" * 100_000), None),
    Hostile("half a body", post(b"content-length: 100", body=b"abc"), None),
    Hostile("rubbish after the request", b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n\x01\x02\x03\r\n\r\n", 200),
    Hostile("rubbish after a request with a body", post(b"content-length: 1", body=b"a\r\n\r\n{"), 200),
    Hostile("unknown expectation", post(b"expect: the-unexpected", b"content-length: 1", body=b"a"), 200),
    Hostile("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 200),
    Hostile("a hundred pipelined requests", b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n" * 100, 200),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
async def test_the_server_outlives_it(hostile: Hostile) -> None:
    async with running(SmallApp()) as server:
        stream = await server.connect()
        async with stream:
            await stream.send_all(hostile.payload)
            if hostile.status is not None:
                head = await read_until(stream, b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 %d " % hostile.status)
                if hostile.status >= 400:
                    assert b"request-id: req_" in head
        assert await server.is_alive()


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
async def test_the_server_outlives_it_and_a_reset(hostile: Hostile) -> None:
    async with running(SmallApp()) as server:
        stream = await server.connect()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        async with stream:
            await stream.send_all(hostile.payload)
        assert await server.is_alive()


async def test_http_2_data_after_the_answer_is_never_understood() -> None:
    """One of the inputs that end stock hypercorn; here HTTP/2 stops at its preface."""
    data_frame = bytes.fromhex("000003000100000001") + b"abc"
    async with running(SmallApp()) as server:
        answer = await server.ask(H2_PREFACE + data_frame * 20)
        assert answer.startswith(b"HTTP/1.1 505 ")
        assert b'"type": "invalid_request_error"' in answer
        assert await server.is_alive()


async def test_pipelined_requests_are_answered_in_order() -> None:
    request = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b"
    last = b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    async with running(SmallApp()) as server:
        answer = await server.ask(b"".join(request % (size, b"a" * size) for size in range(1, 30)) + last)
    assert [int(part.partition(b"HTTP")[0]) for part in answer.split(b"read ")[1:]] == [*range(1, 30), 0]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("extra", [b"\r\n", b"\n", b"\r\n\r\n"])
async def test_empty_lines_behind_a_body_are_ignored(extra: bytes, together: bool) -> None:
    """RFC 9112 §2.2; programs written by hand send them."""
    first, last = post(b"content-length: 2", body=b"ab"), post(b"content-length: 3", b"connection: close", body=b"abc")
    payloads = [first + extra + last + extra] if together else [first, extra[:1], extra[1:], last, extra]
    async with running(SmallApp()) as server:
        stream = await server.connect()
        async with stream:
            for payload in payloads:
                await stream.send_all(payload)
            answer = await read_all(stream)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert [part[:1] for part in answer.split(b"read ")[1:]] == [b"2", b"3"]


async def test_what_follows_the_last_request_does_not_cost_its_answer() -> None:
    async with running(SmallApp()) as server:
        answer = await server.ask(post(b"content-length: 2", b"connection: close", body=b"ab") + b"rubbish" * 100)
    assert answer.count(b"HTTP/1.1 200") == answer.count(b"HTTP/1.1 ") == 1


async def test_a_request_with_two_lengths_is_the_last() -> None:
    """What follows may be the rest of it, as another server in between sees it."""
    smuggled = b"GET /ok HTTP/1.1\r\nhost: a\r\n\r\n"
    both = (b"content-length: 5", b"transfer-encoding: chunked")
    async with running(SmallApp()) as server:
        answer = await server.ask(post(*both, body=b"0\r\n\r\n") + smuggled)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert answer.count(b"HTTP/1.1") == 1


async def test_more_pipelined_bytes_than_allowed_wait_in_the_kernel() -> None:
    assert hardening.MAX_PIPELINED_BYTES < 100_000
    async with running(SmallApp()) as server:
        stream = await server.connect()
        async with stream:
            await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
            await server.app.opened.wait()
            with trio.move_on_after(0.5) as scope:
                for _ in range(1000):
                    await stream.send_all(b"X" * 100_000)
            assert scope.cancelled_caught
        assert await server.is_alive()


@pytest.mark.parametrize("trailer", [b"", b"\r\n", b"X"], ids=["none", "newline", "rubbish"])
@pytest.mark.parametrize("upgrade", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"], ids=["plain", "upgrade"])
async def test_a_hang_up_is_noticed_at_once(trailer: bytes, upgrade: bytes) -> None:
    async with running(SmallApp()) as server:
        stream = await server.connect()
        async with stream:
            await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n" + upgrade + b"\r\n" + trailer)
            await read_until(stream, b"first")
        with trio.fail_after(5):
            await server.app.left.wait()


@pytest.mark.parametrize("asked", [0, 1, 2])
async def test_a_connection_that_its_client_has_closed_is_not_kept(asked: int) -> None:
    async with running(SmallApp()) as server:
        stream = await server.connect()
        async with stream:
            for _ in range(asked):
                await stream.send_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n")
                await read_until(stream, b"read 0")
            await stream.send_eof()
            with trio.fail_after(10):
                assert await read_all(stream) == b""


async def test_chunks_are_framed_as_h11_would() -> None:
    async with running(SmallApp(flood=b"0123456789abcdef")) as server:
        stream = await server.connect()
        async with stream:
            await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
            received = await read_until(stream, b"10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n")
    assert b"\r\ntransfer-encoding: chunked\r\n" in received.lower()
    assert b"\r\n\r\n5\r\nfirst\r\n10\r\n" in received


async def test_a_connection_goes_on_after_chunks(caplog: pytest.LogCaptureFixture) -> None:
    """An empty piece is no chunk, which would be the end; nothing comes behind the end; HEAD has no chunks at all."""
    asked = (b"GET /pieces", b"HEAD /pieces", b"GET /ok", b"GET /pieces")
    requests = [request + b" HTTP/1.1\r\nhost: a\r\n\r\n" for request in asked]
    last = b"GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    async with running(SmallApp()) as server:
        answer = await server.ask(b"".join(requests) + last)
    _, *answers = answer.split(b"HTTP/1.1 200 ")
    chunks = b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert [one.partition(b"\r\n\r\n")[2] for one in answers] == [chunks, b"", b"read 0", chunks, b"read 0"]
    assert not caplog.records


async def test_http_1_0_gets_no_chunks() -> None:
    async with running(SmallApp(flood=b"abc")) as server:
        stream = await server.connect()
        async with stream:
            await stream.send_all(b"GET /stream HTTP/1.0\r\n\r\n")
            received = await read_until(stream, b"firstabcabc")
    assert b"chunked" not in received


async def test_an_early_answer_does_not_hold_the_connection() -> None:
    async with running(SmallApp()) as server:
        stream = await server.connect()
        async with stream, trio.open_nursery() as nursery:
            await stream.send_all(post(b"content-length: 20000000").replace(b"/x", b"/early"))

            async def upload() -> None:
                try:
                    for _ in range(200):
                        await stream.send_all(b"a" * 100_000)
                except trio.BrokenResourceError:
                    pass

            nursery.start_soon(upload)
            with trio.fail_after(10):
                answer = await read_all(stream)
            nursery.cancel_scope.cancel()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 401 ")
        assert await server.is_alive()
        server.stop.set()  # and leaving the block shows that nothing is left behind


async def test_a_stalled_reader_does_not_hold_the_end() -> None:
    async with running(SmallApp(flood=b"a" * 100_000), grace=0.1) as server:
        stream = await server.connect()
        async with stream:
            await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
            await server.app.opened.wait()
            await trio.testing.wait_all_tasks_blocked(0.1)
            server.stop.set()
            with trio.fail_after(10):
                await server.app.left.wait()


async def test_a_stalled_reader_is_dropped_after_the_write_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "WRITE_SECONDS", 0.1)
    async with running(SmallApp(flood=b"a" * 100_000)) as server:
        stream = await server.connect()
        async with stream:
            await stream.send_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
            with trio.fail_after(10):
                await server.app.left.wait()


async def test_idle_connections_end_at_once_and_running_ones_get_the_grace() -> None:
    async with running(SmallApp(), grace=0.3) as server:
        idle, busy = await server.connect(), await server.connect()
        async with idle, busy:
            await idle.send_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n")
            await read_until(idle, b"read 0")
            await busy.send_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
            await server.app.opened.wait()
            server.stop.set()
            with trio.fail_after(10):
                await read_all(idle)
                assert not server.app.left.is_set()
                await read_all(busy)
        with pytest.raises(OSError, match=r"refused|failed"):
            await server.connect()


async def test_a_bug_in_the_app_is_an_empty_500_and_costs_only_its_request(caplog: pytest.LogCaptureFixture) -> None:
    async with running(SmallApp()) as server:
        answer = await server.ask(b"GET /bug HTTP/1.1\r\nhost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert await server.is_alive()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_slow_reader_gets_every_byte_in_order() -> None:
    pieces = b"".join(b"%08d" % number for number in range(100_000))

    class Large(SmallApp):
        async def stream(self, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for start in range(0, len(pieces), 1000):
                await send({"type": "http.response.body", "body": pieces[start : start + 1000], "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async with running(Large()) as server:
        answer = await server.ask(b"GET /stream HTTP/1.0\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == pieces


async def test_the_inbox_slows_the_writer_down_and_lets_it_go() -> None:
    inbox = Inbox()
    for _ in range(hardening.MAX_UNREAD_PARTS):
        await inbox.put({"type": "http.request", "body": b"a", "more_body": True})
    done: list[str] = []

    async def put_one_more() -> None:
        await inbox.put({"type": "http.request", "body": b"b", "more_body": False})
        done.append("put")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put_one_more)
        await trio.testing.wait_all_tasks_blocked()
        assert not done
        await inbox.receive()
        await trio.testing.wait_all_tasks_blocked()
        assert done == ["put"]
        await inbox.put({"type": "http.disconnect"})
    assert (await inbox.receive())["type"] == "http.disconnect"
    assert (await inbox.receive())["type"] == "http.disconnect"


async def test_the_end_wakes_a_waiting_writer() -> None:
    inbox = Inbox()

    async def put() -> None:
        await inbox.put({"type": "http.request", "body": b"a", "more_body": True})

    async with trio.open_nursery() as nursery:
        for _ in range(hardening.MAX_UNREAD_PARTS + 1):
            nursery.start_soon(put)
        await trio.testing.wait_all_tasks_blocked()
        inbox.close()


def test_another_hypercorn_is_refused(tmp_path: Path) -> None:
    check_seams()
    check_seams(tmp_path)  # no metadata: the signatures decide
    (tmp_path / "hypercorn-0.19.0.dist-info").mkdir()
    with pytest.raises(ImportError, match=r"0\.18\.0 is needed, found 0\.19\.0"):
        check_seams(tmp_path)


def test_a_changed_method_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "_SEAMS", ((check_seams, "self other"),))
    with pytest.raises(ImportError, match="check_seams has other arguments"):
        check_seams()
