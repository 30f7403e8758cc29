"""The request types of the Messages API: what they say when little was said."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import Message, MessagesRequest, Thinking, Tool, ToolChoice


@pytest.mark.parametrize(
    ("kind", "on"), [("enabled", True), ("adaptive", True), ("disabled", False), ("future", False), ("", False)]
)
def test_which_thinking_is_on(kind: str, on: bool) -> None:
    assert Thinking(kind).on is on


def test_defaults() -> None:
    request = MessagesRequest("m", (Message("user", ()),))
    assert request.tool_choice == ToolChoice("auto")
    assert Thinking("enabled").budget_tokens == 20_000
    assert Tool("t").input_schema == {}
    assert Tool("t").input_schema is not Tool("t").input_schema
