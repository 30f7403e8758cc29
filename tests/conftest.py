"""Fixtures for every room: a simulated Kiro and a proxy in front of it, both on real sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kiro_rs_py.simulator.server import RunningSimulator, open_simulator
from tests.proxy import Proxy, running_proxy


@pytest.fixture
async def simulator() -> AsyncGenerator[RunningSimulator, None]:
    """Kiro, simulated; ``.url`` is its address, ``.simulator`` its inside."""
    async with open_simulator() as running:
        yield running


@pytest.fixture
async def proxy(simulator: RunningSimulator, tmp_path: Path) -> AsyncGenerator[Proxy, None]:
    """The proxy with one account and default settings; for other settings see ``running_proxy``."""
    async with running_proxy(simulator, tmp_path) as running:
        yield running
