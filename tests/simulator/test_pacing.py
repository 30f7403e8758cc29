from __future__ import annotations

import time
from typing import cast

import pytest
import trio

from kiro_rs_py.simulator.app import CHAT, Simulator
from kiro_rs_py.simulator.connection import Connection
from kiro_rs_py.simulator.frames import Paced
from kiro_rs_py.simulator.pacing import MARK_DIGITS, PacedFrames, PacedStream
from kiro_rs_py.simulator.scenario import Scenario
from tests.simulator.talk import decode, eventually, talking

QUICK = Paced(events=12, every=0.002, size=50)


def simulator(paced: Paced) -> Simulator:
    return Simulator(Scenario.paced(paced))


def test_frames_have_the_wanted_size() -> None:
    made = PacedFrames(Paced(1, 0.0, size=140), chunked=False)
    ((kind, payload),) = decode(made.next(1))
    assert kind == "assistantResponseEvent"
    assert len(payload["content"]) == 140


def test_marked_frames_carry_their_time_and_a_good_checksum() -> None:
    made = PacedFrames(Paced(2, 0.0, size=60, burst=2, marks=True), chunked=False)
    before = time.monotonic_ns() // 1000
    events = decode(made.next(2))
    assert len(events) == 2
    for _, payload in events:
        content = payload["content"]
        assert len(content) == 60
        stamp = content[1 : 1 + MARK_DIGITS]
        assert content[0] == content[1 + MARK_DIGITS] == "@"
        assert before <= int(stamp) <= time.monotonic_ns() // 1000


def test_a_burst_is_one_chunk() -> None:
    made = PacedFrames(Paced(5, 0.0, size=20, burst=3), chunked=True)
    size, _, rest = made.next(3).partition(b"\r\n")
    assert int(size, 16) == len(rest) - 2
    assert len(decode(rest[:-2])) == 3
    assert len(decode(made.next(1).partition(b"\r\n")[2][:-2])) == 1


class Broken:
    def write_now(self, data: bytes) -> int:
        raise BrokenPipeError


async def test_a_stream_without_a_reader_is_done() -> None:
    stream = PacedStream(cast("Connection", Broken()), QUICK, 0.0)
    stream.tick()
    assert (stream.done.is_set(), stream.broken, stream.pending) == (True, True, b"")


async def test_all_streams_are_fed_side_by_side() -> None:
    async with talking(simulator(QUICK)) as talk:
        texts: list[str] = []

        async def listen() -> None:
            texts.append((await talk.call("POST", CHAT, {})).text)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(listen)
        assert [len(text) for text in texts] == [12 * 50] * 10
        await eventually(lambda: talk.simulator.active == 0)
        assert (talk.simulator.chat.peak > 1, talk.simulator.aborted) == (True, 0)


async def test_connections_are_used_again() -> None:
    async with talking(simulator(QUICK)) as talk:
        for _ in range(3):
            reply = await talk.call("POST", CHAT, {})
            assert (len(reply.text), reply.kinds[-1]) == (12 * 50, "meteringEvent")


@pytest.mark.parametrize("paced", [Paced(1000, 0.001), Paced(1000, 0.001, size=20_000, burst=10)], ids=["idle", "full"])
async def test_a_client_that_leaves_ends_its_stream(paced: Paced) -> None:
    async with talking(simulator(paced)) as talk:
        stream = await talk.ask_bare()
        await eventually(lambda: talk.simulator.active == 1)
        await stream.receive_some(100)
        await stream.aclose()
        await eventually(lambda: talk.simulator.active == 0)
        assert talk.simulator.aborted == 1


async def test_a_client_that_does_not_read_loses_nothing() -> None:
    async with talking(simulator(Paced(60, 0.001, size=20_000, burst=10))) as talk:
        stream = await talk.ask_bare()
        # Far more is due than the socket buffers hold.
        await eventually(lambda: talk.simulator.chat.pacer.stuck == 1)
        data = b""
        while b"meteringEvent" not in data[-2000:]:
            data += await stream.receive_some(1 << 20)
        assert data.count(b'{"content":"lorem') == 60
        await stream.aclose()
