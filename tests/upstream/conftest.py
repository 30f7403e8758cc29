"""Shared by all tests of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.upstream.http import HttpClients


@pytest.fixture
async def http() -> AsyncIterator[HttpClients]:
    """Clients of a default configuration."""
    async with HttpClients(Config()) as clients:
        yield clients
