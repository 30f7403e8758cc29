"""Shared by the tests of the administration."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.serve.admin.estate import Estate, open_estate


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncGenerator[Estate, None]:
    """One account, an admin key, everything by default."""
    async with open_estate(tmp_path) as opened:
        yield opened
