"""Endings: drain, late streams, stalled readers, and signals to a real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.simulator.frames import Paced
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import HELD, KEY, STREAM, Proxy, events_of, raw_request, request_of, running_proxy, text_of, wait_for

SILENCE = Scenario.steps({"text": "a"}, {"hang": True})

PROGRAM = """
import sys, trio
from pathlib import Path
from kiro_rs_py.config import Config
from kiro_rs_py.serve.run import serve

url, path, key, grace = sys.argv[1:]
config = Config(port=0, api_key=key, credentials_path=Path(path), upstream_url=url,
                shutdown_grace_seconds=float(grace))
reload = lambda: Config(port=1, api_key=key + "-new", credentials_path=Path(path), upstream_url=url)

async def main():
    await serve(config, on_ready=lambda address: print(address.url, flush=True), reload=reload)

trio.run(main)
"""


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def collect(proxy: Proxy, path: str, answers: list[httpx.Response]) -> None:
    answers.append(await proxy.client.post(path, json=request_of("hi", stream=path != "plain")))


async def test_streams_under_way_are_finished(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = Scenario.steps({"text": "a"}, {"pause": 0.3}, {"text": "b"})
    answers: list[httpx.Response] = []
    proxies = running_proxy(simulator, tmp_path, shutdown_grace_seconds=10.0)
    async with proxies as proxy, trio.open_nursery() as nursery:
        nursery.start_soon(collect, proxy, STREAM, answers)
        await wait_for(lambda: proxy.simulator.active == 1)
        proxy.stop.set()
        await wait_for(lambda: not accepts(proxy.port))
    assert text_of(events_of(answers[0].text)) == "ab"
    assert events_of(answers[0].text)[-1]["type"] == "message_stop"


@pytest.mark.parametrize("path", [STREAM, HELD])
async def test_late_ones_are_told(path: str, simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = SILENCE
    answers: list[httpx.Response] = []
    proxies = running_proxy(simulator, tmp_path, shutdown_grace_seconds=0.5, ping_interval_seconds=0.1)
    async with proxies as proxy, trio.open_nursery() as nursery:
        nursery.start_soon(collect, proxy, path, answers)
        await wait_for(lambda: proxy.simulator.active == 1)
        proxy.stop.set()
    last = events_of(answers[0].text)[-1]
    assert (last["type"], last["error"]["type"]) == ("error", "overloaded_error")
    assert simulator.simulator.active == 0


async def test_a_stalled_reader_does_not_hold_the_end(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = Scenario.paced(Paced(events=200_000, every=0.0, size=1000, burst=1000))
    with trio.fail_after(20):
        async with running_proxy(simulator, tmp_path, shutdown_grace_seconds=0.5) as proxy:
            stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
            await stream.send_all(raw_request(stream=True))
            await wait_for(lambda: proxy.simulator.active == 1)
            await trio.sleep(0.3)
        await stream.aclose()


# --- a real process ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def process(
    simulator: RunningSimulator, folder: Path, grace: float, program: str = PROGRAM, **options: Any
) -> AsyncGenerator[tuple[trio.Process, httpx.AsyncClient], None]:
    path = folder / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps([simulator.simulator.credential_json()]))
    command = [sys.executable, "-c", program, simulator.url, str(path), KEY, str(grace)]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, stdout=subprocess.PIPE, check=False, **options)
        running: trio.Process = await nursery.start(start)
        try:
            assert running.stdout is not None
            with trio.fail_after(20):
                url = (await running.stdout.receive_some()).decode().strip()
            async with httpx.AsyncClient(base_url=url, headers={"x-api-key": KEY}, timeout=30) as client:
                yield running, client
        finally:
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_cleanly(number: int, simulator: RunningSimulator, tmp_path: Path) -> None:
    async with process(simulator, tmp_path, 25) as (running, client):
        assert (await client.get("/healthz")).status_code == 200
        running.send_signal(number)
        with trio.fail_after(20):
            assert await running.wait() == 0


async def test_late_streams_get_their_error_and_the_exit_is_clean(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = SILENCE
    request = request_of("hi", stream=True)
    async with process(simulator, tmp_path, 1) as (running, client):
        async with client.stream("POST", STREAM, json=request) as response:
            running.send_signal(signal.SIGTERM)
            text = (await response.aread()).decode()
        with trio.fail_after(20):
            assert await running.wait() == 0
    assert events_of(text)[-1]["error"]["type"] == "overloaded_error"


async def test_the_second_signal_ends_it_at_once(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = SILENCE
    request = request_of("hi", stream=True)
    async with process(simulator, tmp_path, 600) as (running, client), client.stream("POST", STREAM, json=request):
        running.send_signal(signal.SIGTERM)
        await wait_for(lambda: not accepts(client.base_url.port or 0))
        running.send_signal(signal.SIGTERM)
        with trio.fail_after(20):
            assert await running.wait() == 128 + signal.SIGTERM


async def test_hang_up_reloads_the_keys(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with process(simulator, tmp_path, 5) as (running, client):
        assert (await client.get("/v1/models")).status_code == 200
        running.send_signal(signal.SIGHUP)
        with trio.fail_after(20):
            while (await client.get("/v1/models")).status_code == 200:  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert (await client.get("/v1/models", headers={"x-api-key": KEY + "-new"})).status_code == 200
        running.send_signal(signal.SIGTERM)
        assert await running.wait() == 0


@pytest.mark.parametrize("kept", [False, True], ids=["plainly", "nohup"])
async def test_the_end_of_its_terminal_is_its_end(kept: bool, simulator: RunningSimulator, tmp_path: Path) -> None:
    """Or it would hold the port, unseen. Not under ``nohup``, which ignores the signal."""
    master, slave = os.openpty()
    take = f"import os, signal; os.open({os.ttyname(slave)!r}, os.O_RDWR)  # now it is the controlling terminal\n"
    if kept:
        take += "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    async with process(simulator, tmp_path, 5, take + PROGRAM, stderr=slave, start_new_session=True) as (
        running,
        client,
    ):
        os.close(slave)
        os.close(master)
        if kept:
            with trio.fail_after(20):
                while (await client.get("/v1/models")).status_code == 200:  # noqa: ASYNC110
                    await trio.sleep(0.05)
            running.send_signal(signal.SIGTERM)
        with trio.fail_after(20):
            assert await running.wait() == 0
