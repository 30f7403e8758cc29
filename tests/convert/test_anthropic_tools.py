"""Tools Anthropic's API knows by type only."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic_tools import known_tool
from kiro_rs_py.convert.schemas import acceptable_schema


@pytest.mark.parametrize("kind", ["bash_20250124", "text_editor_20250728", "memory_20250818", "computer_20251124"])
def test_tools_the_client_runs(kind: str) -> None:
    known = known_tool(kind)
    assert known is not None
    assert known.description
    assert known.schema["properties"]
    assert acceptable_schema(known.schema) == known.schema


@pytest.mark.parametrize(
    "kind", ["web_search_20250305", "code_execution_20250825", "mcp_toolset", "bash", "", "custom"]
)
def test_tools_only_anthropic_can_run(kind: str) -> None:
    assert known_tool(kind) is None
