from __future__ import annotations

import pytest

from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.frames import Paced
from kiro_rs_py.simulator.scenario import Scenario
from tests.simulator.talk import talking


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
        stream = await talk.connect()
        await stream.send_all(data)
        assert (await talk.say("<<SAY fine>>")).text == "fine"
        await stream.aclose()
        assert (await talk.say("<<SAY still fine>>")).text == "still fine"


async def test_connection_close_is_honoured() -> None:
    async with talking() as talk:
        stream = await talk.connect()
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b""
        while data := await stream.receive_some(1000):
            answer += data
        assert answer.endswith(b'{"status":"ok"}')
        await stream.aclose()


async def test_a_stream_with_connection_close_ends_with_the_connection() -> None:
    async with talking(Simulator(Scenario.paced(Paced(3, 0.001)))) as talk:
        stream = await talk.ask_bare("connection: close")
        answer = b""
        while data := await stream.receive_some(1000):
            answer += data
        assert answer.endswith(b"0\r\n\r\n")
        await stream.aclose()


async def test_a_client_that_never_reads_does_not_hold_the_end() -> None:
    async with talking(Simulator(Scenario.paced(Paced(2000, 0.0, size=5000, burst=100)))) as talk:
        stream = await talk.ask_bare()
        await stream.receive_some(10)
    await stream.aclose()
