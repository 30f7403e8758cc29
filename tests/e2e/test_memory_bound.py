"""The bodies in memory have a bound together, and every way a request can end gives its part back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import httpx
import pytest
import trio

from kiro_rs_py.simulator.app import CHAT
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import KEY, SAY_HELLO, STREAM, Proxy, request_of, running_proxy

LARGE = SAY_HELLO + "x" * 2000
COUNT = f"{STREAM}/count_tokens"
SILENCE = Scenario.steps({"hang": True})
BEGUN = Scenario.steps({"text": "a"}, {"hang": True})


@pytest.fixture
async def small(simulator: RunningSimulator, tmp_path: Path) -> AsyncGenerator[Proxy, None]:
    """A proxy with room for one large body."""
    async with running_proxy(simulator, tmp_path, max_inbound_body_bytes=2500, max_inbound_bytes_in_flight=1) as proxy:
        yield proxy


async def until(status: int, proxy: Proxy) -> httpx.Response:
    """The first answer of that status; what frees or takes the room happens on the other side of a socket."""
    with trio.fail_after(20):
        while True:
            response = await proxy.client.post(COUNT, json=request_of(LARGE))
            if response.status_code == status:
                return response
            await trio.sleep(0.01)


async def half_a_body(proxy: Proxy, path: str) -> trio.SocketStream:
    """A connection that has named a large body and sent a byte of it."""
    stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
    await stream.send_all(
        f"POST {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-length: 2200\r\n\r\n{{".encode()
    )
    return stream


@pytest.mark.parametrize("path", [STREAM, COUNT])
async def test_a_body_on_its_way_takes_its_room_until_the_client_leaves(path: str, small: Proxy) -> None:
    async with await half_a_body(small, path):
        refused = await until(529, small)
        assert refused.json()["error"]["type"] == "overloaded_error"
        assert refused.headers["retry-after"] == "1"
        assert (await small.ask("<<SAY small>>")).status_code == 200  # 300 bytes are left
        assert (await small.client.get("/v1/models")).status_code == 200
    await until(200, small)


async def test_one_without_a_length_is_refused_while_it_comes(small: Proxy) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"model": "'
        yield b"x" * 2000

    async with await half_a_body(small, STREAM):
        await until(529, small)
        response = await small.client.post(STREAM, content=parts())
        assert (response.status_code, response.json()["error"]["type"]) == (529, "overloaded_error")
    await until(200, small)


async def test_a_request_waiting_for_its_answer_keeps_its_body(small: Proxy) -> None:
    small.simulator.scenario = SILENCE
    with trio.move_on_after(20) as leaving:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(small.ask, LARGE)
            while not small.simulator.counts[CHAT]:  # noqa: ASYNC110
                await trio.sleep(0.01)
            await until(529, small)
            leaving.cancel()  # the client hangs up
    await until(200, small)


async def test_an_answer_that_has_begun_keeps_none(small: Proxy) -> None:
    small.simulator.scenario = BEGUN
    async with small.client.stream("POST", STREAM, json=request_of(LARGE, stream=True)) as response:
        async for line in response.aiter_lines():
            if "message_start" in line:
                break
        assert (await small.client.post(COUNT, json=request_of(LARGE))).status_code == 200


@pytest.mark.parametrize("prompt", [f"<<FAULT quota>>{LARGE}", f"<<FAULT too-long>>{LARGE}", f"<<FAULT empty>>{LARGE}"])
async def test_failures_give_it_back(prompt: str, small: Proxy) -> None:
    assert (await small.ask(prompt)).status_code >= 400
    assert (await small.client.post(COUNT, json=request_of(LARGE))).status_code == 200
    assert (await small.client.post(COUNT, content=b"x" * 2400)).status_code == 400
    assert (await small.client.post(COUNT, json=request_of(LARGE))).status_code == 200


async def test_counting_is_among_the_requests_under_way(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with running_proxy(simulator, tmp_path, max_concurrent_requests=1) as proxy:
        async with await half_a_body(proxy, COUNT):
            await until(529, proxy)
        await until(200, proxy)
