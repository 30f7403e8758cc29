from __future__ import annotations

import errno
import logging
from functools import partial
from typing import Any, cast

import pytest
import trio
import trio.testing

from kiro_rs_py.serve import connections
from kiro_rs_py.serve.connections import serve_connections
from kiro_rs_py.serve.hardening import OpenConnections
from kiro_rs_py.serve.listener import open_listeners


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fetch(port: int) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        return b"".join([part async for part in stream])


async def test_serves_until_told_to_stop() -> None:
    listeners, address = open_listeners("127.0.0.1", 0)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_connections, app, listeners, stop=stop, grace=5))
        answer = await fetch(address.port)
        stop.set()
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"hypercorn" not in answer
    with pytest.raises(OSError, match=r"refused|failed"):
        await fetch(address.port)


async def test_a_failing_accept_does_not_end_the_server(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """accept(2) reports network errors of the one connection it was to return."""
    client, server = trio.testing.memory_stream_pair()
    served: list[object] = []

    class Listener(trio.abc.Listener[Any]):
        turns = iter([OSError(errno.EPROTO, "Protocol error"), OSError(errno.EMFILE, "Too many open files"), server])

        async def accept(self) -> Any:
            outcome = next(self.turns, None)
            if outcome is None:
                await trio.sleep_forever()
            if isinstance(outcome, OSError):
                raise outcome
            return outcome

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    async def handle(stream: object) -> None:
        served.append(stream)

    nursery.start_soon(connections._accept, cast(Any, Listener()), handle, nursery)
    await trio.sleep(1)
    assert served == [server]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    await client.aclose()
    nursery.cancel_scope.cancel()


async def test_an_error_in_one_connection_stays_there(caplog: pytest.LogCaptureFixture) -> None:
    """A configuration that is none stands for any bug in the connection's own code."""
    client, server = map(trio.SocketStream, trio.socket.socketpair())
    caplog.set_level(logging.DEBUG)
    await connections._contained(cast(Any, app), cast(Any, None), OpenConnections(), server)
    assert await client.receive_some() == b""
    warning, detail = caplog.records
    assert warning.getMessage() == "connection dropped: AttributeError"
    assert detail.exc_info
    await client.aclose()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"], ids=["silent", "slow", "kept"]
)
async def test_a_connection_that_asks_nothing_ends(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", 0.1)
    listeners, address = open_listeners("127.0.0.1", 0)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_connections, app, listeners, stop=stop, grace=5))
        async with await trio.open_tcp_stream("127.0.0.1", address.port) as stream:
            await stream.send_all(sent)
            with trio.fail_after(10):
                answer = b"".join([part async for part in stream])
        stop.set()
    assert answer.startswith(b"HTTP/1.1 204 ") == sent.endswith(b"\r\n\r\n")
