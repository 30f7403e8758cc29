from __future__ import annotations

import errno
import logging
import socket
from functools import partial
from typing import Any, cast

import pytest
import trio
import trio.testing

from kiro_rs_py.serve import connections
from kiro_rs_py.serve.connections import serve_connections
from kiro_rs_py.serve.hardening import OpenConnections
from kiro_rs_py.serve.listener import bind


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fetch(port: int) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        return b"".join([part async for part in stream])


async def test_serves_until_told_to_stop() -> None:
    bound = bind("127.0.0.1", 0)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_connections, app, bound.sockets, stop=stop, grace=5))
        answer = await fetch(bound.address.port)
        stop.set()
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"hypercorn" not in answer
    with pytest.raises(OSError, match=r"refused|failed"):
        await fetch(bound.address.port)


async def test_a_failing_accept_does_not_end_the_server(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """accept(2) reports network errors of the one connection it was to return."""
    failures = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.EPROTO, "Protocol error")]

    class Listener(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            if failures:
                raise failures.pop()
            return super().accept()

    listener = Listener()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with socket.create_connection(listener.getsockname()) as client:
        served = trio.Event()

        async def handle(accepted: socket.socket, peer: object) -> None:
            assert peer == client.getsockname()
            accepted.close()
            served.set()

        nursery.start_soon(connections._accept, listener, handle, nursery)
        await served.wait()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    nursery.cancel_scope.cancel()


async def test_all_connections_that_wait_are_taken_in_one_turn(nursery: trio.Nursery) -> None:
    """One in a turn of the scheduler is too few for a server with much to do in a turn."""

    class Turns(trio.abc.Instrument):
        count = 0

        def before_io_wait(self, timeout: float) -> None:
            self.count += 1

    turns = Turns()
    begun: list[int] = []
    all_begun = trio.Event()

    async def handle(accepted: socket.socket, peer: object) -> None:
        accepted.close()
        begun.append(turns.count)
        if len(begun) == 20:
            all_begun.set()

    bound = bind("127.0.0.1", 0)
    waiting = [socket.create_connection(("127.0.0.1", bound.address.port)) for _ in range(20)]
    trio.lowlevel.add_instrument(turns)
    nursery.start_soon(connections._accept, bound.sockets[0], handle, nursery)
    await all_begun.wait()
    trio.lowlevel.remove_instrument(turns)
    assert len(set(begun)) == 1
    for client in waiting:
        client.close()
    nursery.cancel_scope.cancel()


async def test_an_error_in_one_connection_stays_there(caplog: pytest.LogCaptureFixture) -> None:
    """A configuration that is none stands for any bug in the connection's own code."""
    client, server = socket.socketpair()
    caplog.set_level(logging.DEBUG)
    await connections._contained(cast(Any, app), cast(Any, None), OpenConnections(), server, None)
    assert client.recv(1) == b""
    warning, detail = caplog.records
    assert warning.getMessage() == "connection dropped: AttributeError"
    assert detail.exc_info
    client.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"], ids=["silent", "slow", "kept"]
)
async def test_a_connection_that_asks_nothing_ends(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", 0.1)
    bound = bind("127.0.0.1", 0)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_connections, app, bound.sockets, stop=stop, grace=5))
        async with await trio.open_tcp_stream("127.0.0.1", bound.address.port) as stream:
            await stream.send_all(sent)
            with trio.fail_after(10):
                answer = b"".join([part async for part in stream])
        stop.set()
    assert answer.startswith(b"HTTP/1.1 204 ") == sent.endswith(b"\r\n\r\n")
