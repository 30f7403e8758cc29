from __future__ import annotations

import pytest
import trio

from kiro_rs_py.simulator.app import CHAT, Simulator
from kiro_rs_py.simulator.connection import current_connection
from kiro_rs_py.simulator.frames import Paced
from kiro_rs_py.simulator.scenario import Scenario
from tests.simulator.talk import Talk, talking


async def raw(talk: Talk, data: bytes) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", int(talk.url.rpartition(":")[2]))
    await stream.send_all(data)
    return stream


def test_there_is_none_outside() -> None:
    assert current_connection() is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x\r\n"
        b"sec-websocket-version: 13\r\n\r\nX",
        b"\x00\xff nonsense\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 50,
    ],
    ids=["websocket", "garbage", "http2"],
)
async def test_a_broken_client_hurts_nobody_else(data: bytes) -> None:
    async with talking() as talk:
        stream = await raw(talk, data)
        assert (await talk.say("<<SAY fine>>")).text == "fine"
        await stream.aclose()
        assert (await talk.say("<<SAY still fine>>")).text == "still fine"


async def test_connection_close_is_honoured() -> None:
    async with talking() as talk:
        stream = await raw(talk, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b""
        while data := await stream.receive_some(1000):
            answer += data
        assert answer.endswith(b'{"status":"ok"}')
        await stream.aclose()


async def test_a_stream_with_connection_close_ends_with_the_connection() -> None:
    async with talking(Simulator(Scenario.paced(Paced(3, 0.001)))) as talk:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {talk.token}\r\nconnection: close\r\n"
        stream = await raw(talk, f"{head}content-length: 2\r\n\r\n{{}}".encode())
        answer = b""
        while data := await stream.receive_some(1000):
            answer += data
        assert answer.endswith(b"0\r\n\r\n")
        await stream.aclose()


async def test_a_client_that_never_reads_does_not_hold_the_end() -> None:
    async with talking(Simulator(Scenario.paced(Paced(2000, 0.0, size=5000, burst=100)))) as talk:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {talk.token}\r\n"
        stream = await raw(talk, f"{head}content-length: 2\r\n\r\n{{}}".encode())
        await stream.receive_some(10)
    await stream.aclose()
