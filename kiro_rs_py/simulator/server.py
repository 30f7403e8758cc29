"""The simulator on a real socket: for tests (:func:`open_simulator`) and as a program (:func:`main`)."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import trio
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from hypercorn.utils import wrap_app

from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.connection import Connection
from kiro_rs_py.simulator.scenario import parse_scenario

BACKLOG = 1024
FOREVER = 10**9


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """``url`` is the base URL for config ``upstreamUrl``."""

    url: str
    simulator: Simulator


@asynccontextmanager
async def open_simulator(
    simulator: Simulator | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[RunningSimulator, None]:
    """Serves until the block is left; connections still open are closed then.

    Raises OSError when it cannot listen, and RuntimeError at the end when the simulator itself has crashed, which is
    a bug in it.
    """
    simulator = simulator or Simulator()
    listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    bound = listeners[0].socket.getsockname()[1]
    url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    simulator.oidc.base_url = url
    handler = partial(
        Connection,
        wrap_app(cast("ASGIFramework", simulator), 0, "asgi"),
        _config(),
        WorkerContext(None),
        ConnectionState({}),
    )
    failed: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(simulator.chat.pacer.run)
            nursery.start_soon(partial(trio.serve_listeners, handler, listeners))
            try:
                yield RunningSimulator(url, simulator)
            except BaseException as error:
                failed = error
                raise
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup:
        # Only the block itself can fail in here; what it raised shall reach its caller as it was raised.
        if failed is None:
            raise
        raise failed from None
    if simulator.crashes:
        raise RuntimeError("the simulator crashed") from simulator.crashes[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """``python -m kiro_rs_py.simulator``: prints the base URL on one line of stdout and serves until SIGINT/SIGTERM."""
    options = _parser().parse_args(arguments)
    scenario = parse_scenario(json.loads(options.scenario.read_text(encoding="utf-8"))) if options.scenario else None
    simulator = Simulator(scenario, keep_requests=options.keep_requests)
    trio.run(_serve, simulator, options.host, options.port)


async def _serve(simulator: Simulator, host: str, port: int) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_simulator(simulator, host=host, port=port) as running:
            # Long-lived objects out of the collector's sight: its pauses would show in every latency measured here.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 50, 100)
            sys.stdout.write(running.url + "\n")
            sys.stdout.flush()
            async for _ in signals:
                return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kiro_rs_py.simulator", description="A simulated Kiro.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--scenario", type=Path, help="JSON file with scripted answers")
    parser.add_argument("--keep-requests", type=int, default=20, help="how many requests to remember")
    return parser


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.include_date_header = False
    config.keep_alive_timeout = 75.0
    config.keep_alive_max_requests = FOREVER
    return config
