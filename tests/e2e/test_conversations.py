"""Whole exchanges over real sockets: the modes, hang-ups, pings, many at once."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from kiro_rs_py.simulator.app import CHAT
from kiro_rs_py.simulator.frames import Paced
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import (
    HELD,
    KEY,
    MODEL,
    STREAM,
    Proxy,
    events_of,
    raw_request,
    request_of,
    running_proxy,
    text_of,
    wait_for,
)

SILENCE = Scenario.steps({"text": "a"}, {"hang": True})
PING = 'event: ping\ndata: {"type":"ping"}\n\n'


@asynccontextmanager
async def open_stream(proxy: Proxy, prompt: str = "hi", path: str = STREAM) -> AsyncGenerator[httpx.Response, None]:
    async with proxy.client.stream("POST", path, json=request_of(prompt, stream=True)) as response:
        yield response


# --- what comes back --------------------------------------------------------------------------------------------------


async def test_the_three_modes_agree(proxy: Proxy) -> None:
    said = "Grüße, 世界 🎉 \u2028 and \x85."
    live = events_of((await proxy.ask(f"<<SAY {said}>>", stream=True)).text)
    held = events_of((await proxy.ask(f"<<SAY {said}>>", stream=True, path=HELD)).text)
    plain = (await proxy.ask(f"<<SAY {said}>>")).json()
    assert text_of(live) == text_of(held) == plain["content"][0]["text"] == said
    assert live[-2]["usage"] == held[-2]["usage"] == plain["usage"]
    assert held[0]["message"]["usage"]["input_tokens"] == plain["usage"]["input_tokens"]
    assert live[0]["message"]["model"] == held[0]["message"]["model"] == plain["model"] == MODEL


@pytest.mark.parametrize("headers", [{"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}])
async def test_keys_and_probes(headers: dict[str, str], proxy: Proxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as client:
        assert (await client.get("/v1/models")).status_code == 401
        assert (await client.get("/v1/models?limit=1000", headers=headers)).json()["data"]
        assert (await client.get(f"/v1/models/{MODEL}", headers=headers)).json()["id"] == MODEL
        for path in ("/", "/api/hello", "/healthz", "/readyz"):
            assert (await client.head(path)).status_code == 200
        count = await client.post("/v1/messages/count_tokens?beta=true", headers=headers, json=request_of())
        assert count.json()["input_tokens"] > 0
    assert not proxy.simulator.counts[CHAT]


async def test_the_log_holds_ids_and_numbers_only(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kiro_rs_py")
    await proxy.ask("<<SAY secret words>>", system="secret system", stream=True)

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name.endswith("request_log")]

    await wait_for(lambda: bool(lines()))  # it is written when the last byte is out
    assert lines()[0].startswith("POST /v1/messages 200 ")
    assert "secret" not in caplog.text
    assert KEY not in caplog.text


async def test_claude_code_s_headers_are_no_trouble(proxy: Proxy) -> None:
    headers = {
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "claude-code-20250219,unknown-2099-01-01",
        "anthropic-dangerous-direct-browser-access": "true",
        "x-app": "cli",
        "x-stainless-timeout": "600",
        "accept-encoding": "gzip, deflate, br, zstd",
        "authorization": f"Bearer {KEY}",
    }
    response = await proxy.client.post("/v1/messages?beta=true", headers=headers, json=request_of(stream=True))
    assert text_of(events_of(response.text)) == "hello"


# --- hang-ups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [STREAM, HELD])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_hang_up_frees_the_upstream(path: str, stream: bool, proxy: Proxy) -> None:
    kiro = proxy.simulator
    kiro.scenario = SILENCE
    raw = await trio.open_tcp_stream("127.0.0.1", proxy.port)
    async with raw:
        await raw.send_all(raw_request(path, stream=stream))
        await wait_for(lambda: kiro.active == 1)
    await wait_for(lambda: kiro.active == 0)
    assert kiro.aborted == 1


async def test_a_hang_up_before_the_first_event_frees_the_upstream(proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.steps({"hang": True})
    with trio.move_on_after(0.3):
        async with open_stream(proxy):
            raise AssertionError("nothing was to come")
    await wait_for(lambda: proxy.simulator.active == 0)


async def test_a_client_that_stops_reading_slows_the_upstream_down(proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.paced(Paced(events=200_000, every=0.0, size=1000, burst=1000))
    async with open_stream(proxy) as response:
        assert response.status_code == 200
        await wait_for(lambda: proxy.simulator.active == 1)
        await trio.sleep(0.3)
        assert (await proxy.client.get("/healthz")).status_code == 200
    await wait_for(lambda: proxy.simulator.active == 0)


# --- pings ------------------------------------------------------------------------------------------------------------


async def test_pings_over_a_socket(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = Scenario.steps({"text": "a"}, {"pause": 0.5}, {"text": "b"})
    async with running_proxy(simulator, tmp_path, ping_interval_seconds=0.1) as proxy:
        live = (await proxy.ask(stream=True)).text
        held = (await proxy.ask(stream=True, path=HELD)).text
    assert live.startswith("event: message_start\n")
    assert live.count(PING) >= 4  # three in the silence, one after the block's start
    assert held.startswith(PING * 3)
    assert text_of(events_of(live)) == text_of(events_of(held)) == "ab"


# --- many -------------------------------------------------------------------------------------------------------------


async def test_eight_at_once_without_cross_talk(proxy: Proxy) -> None:
    answers: dict[int, str] = {}

    async def one(number: int) -> None:
        words = " ".join([f"stream-{number}"] * 200)
        response = await proxy.ask(
            f"<<SAY {words}>> <<FAULT slow 0.005>>", stream=True, path=[STREAM, HELD][number % 2]
        )
        answers[number] = text_of(events_of(response.text))

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(one, number)
    assert answers == {number: " ".join([f"stream-{number}"] * 200) for number in range(8)}


async def test_two_hundred_idle_streams(proxy: Proxy) -> None:
    kiro = proxy.simulator
    kiro.scenario = SILENCE
    streams = [await trio.open_tcp_stream("127.0.0.1", proxy.port) for _ in range(200)]
    for stream in streams:
        await stream.send_all(raw_request(stream=True))
    await wait_for(lambda: kiro.active == 200)
    for stream in streams:
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
    assert (await proxy.client.get("/healthz")).status_code == 200
    for stream in streams:
        await stream.aclose()
    await wait_for(lambda: kiro.active == 0)
    assert kiro.aborted == 200


async def test_the_ceiling(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = SILENCE
    async with running_proxy(simulator, tmp_path, max_concurrent_requests=1) as proxy, open_stream(proxy):
        response = await proxy.ask(stream=True)
        assert (response.status_code, response.json()["error"]["type"]) == (529, "overloaded_error")
        assert response.headers["retry-after"] == "1"
        assert (await proxy.client.get("/v1/models")).status_code == 200
