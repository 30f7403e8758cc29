"""Shared by all tests of this room."""

from __future__ import annotations

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.upstream.http import HttpClients


@pytest.fixture
def http() -> HttpClients:
    """Clients of a default configuration."""
    return HttpClients(Config())
