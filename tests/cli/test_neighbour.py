"""Who listens there."""

from __future__ import annotations

import socket
from functools import partial

import pytest
import trio

from kiro_rs_py import __version__
from kiro_rs_py.cli.neighbour import Neighbour, find_neighbour
from tests.proxy import KEY, Proxy
from tests.upstream.wire import answering, serving


async def look(port: int, key: str = "", seconds: float = 5.0) -> Neighbour | None:
    return await trio.to_thread.run_sync(partial(find_neighbour, "127.0.0.1", port, key, seconds=seconds))


async def test_nobody() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert await look(port, KEY) is None


async def test_one_of_us(proxy: Proxy) -> None:
    assert await look(proxy.port) == Neighbour(__version__)
    assert await look(proxy.port, "another-key") == Neighbour(__version__)
    found = await look(proxy.port, KEY)
    assert found == Neighbour(__version__, takes_key=True)
    assert found is not None
    assert found.is_ours


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b'HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{"name": "another"}',
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n<",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
async def test_a_stranger_never_sees_the_key(answer: bytes) -> None:
    async with serving(answering(answer)) as server:
        assert await look(server.port, KEY) == Neighbour()
        assert KEY.encode() not in b"".join(peer.received for peer in server.peers)


async def test_one_who_says_nothing() -> None:
    async with serving(lambda peer: peer.closed()) as server:
        assert await look(server.port, KEY, seconds=0.1) == Neighbour()


async def test_one_of_us_who_stops_in_between() -> None:
    body = b'{"name": "kiro-rs-py", "version": "9.9"}'
    answers = [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body, b""]

    async def handler(peer: object) -> None:
        await answering(answers.pop(0))(peer)  # type: ignore[arg-type]

    async with serving(handler) as server:
        assert await look(server.port, KEY) == Neighbour("9.9")
