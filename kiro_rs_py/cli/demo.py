"""``serve --demo``: the real proxy, a simulated Kiro behind it, and nothing left over afterwards."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from kiro_rs_py.config import Config
from kiro_rs_py.serve.listener import ServerAddress
from kiro_rs_py.serve.run import serve
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator

FIRST_PORT = 8080
_PORTS_TRIED = 20


async def serve_demo(
    host: str, port: int | None, announce: Callable[[ServerAddress, str], None], dump: Path | None = None
) -> None:
    """Serve on ``port`` (None: 8080 or the next free one) with a throwaway account and key until a signal comes.

    ``announce`` gets the address and the key, ``dump`` is the folder of ``--dump``.
    """
    async with open_demo(host, first_free_port(host) if port is None else port, dump) as config:
        await serve(config, on_ready=lambda address: announce(address, config.api_key))


@asynccontextmanager
async def open_demo(host: str, port: int, dump: Path | None = None) -> AsyncIterator[Config]:
    """Settings to serve a demo with, good for the length of the block.

    A simulated Kiro is behind them. Everything stays on this machine and nothing of the user's is read.
    """
    simulator = Simulator()
    with TemporaryDirectory(prefix="kiro-rs-py-demo-") as folder:
        credentials = _write_account(Path(folder), simulator)
        async with open_simulator(simulator) as running:
            yield Config(
                host=host,
                port=port,
                api_key=f"sk-demo-{secrets.token_urlsafe(24)}",
                credentials_path=credentials,
                upstream_url=running.url,
                dump_dir=dump,
            )


def _write_account(folder: Path, simulator: Simulator) -> Path:
    path = folder / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps([simulator.credential_json()]))
    return path


def first_free_port(host: str) -> int:
    """8080 or the first free port after it; 8080 if none is, for the error that then names it."""
    for port in range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen()
            except OSError:
                continue
            return port
    return FIRST_PORT
