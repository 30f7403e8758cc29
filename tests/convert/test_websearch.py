"""The lone web search of Claude Code and what looks like it."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import ImageBlock, Message, MessagesRequest, TextBlock, Tool
from kiro_rs_py.convert.websearch import QUERY_PREFIX, is_web_search, lone_search
from kiro_rs_py.errors import InvalidRequest

SEARCH = Tool("web_search", type="web_search_20250305", max_uses=8)
PNG = ImageBlock("image/png", "AAAA")


def ask(*contents: str | ImageBlock, role: str = "user") -> Message:
    return Message(role, tuple(TextBlock(part) if isinstance(part, str) else part for part in contents))


def search(*messages: Message, tools: tuple[Tool, ...] = (SEARCH,)) -> str | None:
    return lone_search(MessagesRequest("gpt-4", messages, tools=tools))


@pytest.mark.parametrize(
    ("tool", "is_it"),
    [
        (SEARCH, True),
        (Tool("web_search", type="web_search_20260209"), True),
        (Tool("search", type="web_search_20250305"), True),
        (Tool("web_search"), True),
        (Tool("web_search", type="custom"), True),
        (Tool("web_search", input_schema={"type": "object"}), False),
        (Tool("web_search", type="function_20250305"), False),
        (Tool("Web_Search"), False),
    ],
)
def test_which_tools_are_the_web_search(tool: Tool, is_it: bool) -> None:
    assert is_web_search(tool) is is_it


@pytest.mark.parametrize(
    "tools",
    [
        (),
        (SEARCH, Tool("Read")),
        (Tool("Read"),),
        (Tool("search", type="web_search_20250305"),),
        (Tool("web_search", input_schema={"type": "object"}),),
    ],
)
def test_other_requests_are_no_search(tools: tuple[Tool, ...]) -> None:
    assert search(ask("q"), tools=tools) is None


@pytest.mark.parametrize(
    ("messages", "query"),
    [
        ((ask("q"),), "q"),
        ((ask(f"{QUERY_PREFIX}what is ü"),), "what is ü"),
        ((ask(f"{QUERY_PREFIX} spaced "),), " spaced "),
        ((ask(f"x {QUERY_PREFIX}q"),), f"x {QUERY_PREFIX}q"),
        ((ask(PNG, "q"),), "q"),
        ((ask("a", "b"),), "a\nb"),
        # The last user message asks, not the first (R9).
        ((ask("old"), ask("x", role="assistant"), ask("new")), "new"),
        ((ask("q"), ask("prefill", role="assistant")), "q"),
        ((ask("q"), ask("reminder", role="system")), "q"),
    ],
)
def test_queries(messages: tuple[Message, ...], query: str) -> None:
    assert search(*messages) == query


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (ask("x", role="assistant"),),
        (ask(""),),
        (ask(QUERY_PREFIX),),
        (ask(PNG),),
        (ask("old"), ask(PNG)),
    ],
)
def test_searches_without_a_query(messages: tuple[Message, ...]) -> None:
    with pytest.raises(InvalidRequest, match="search query"):
        search(*messages)
