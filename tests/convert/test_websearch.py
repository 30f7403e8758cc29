"""Which requests search the web, what a model is told of the tool, and searches in the history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    ImageBlock,
    Message,
    MessagesRequest,
    TextBlock,
    Tool,
    ToolChoice,
    ToolResultBlock,
    ToolUseBlock,
)
from kiro_rs_py.convert.tool_names import WireNames
from kiro_rs_py.convert.websearch import (
    DEFAULT_MAX_USES,
    QUERY_PREFIX,
    DomainFilter,
    SearchPlan,
    is_web_search,
    lone_search,
    offered_search,
    plan_search,
    with_searches_as_turns,
)
from kiro_rs_py.errors import InvalidRequest

SEARCH = Tool("web_search", type="web_search_20250305", max_uses=8)
PNG = ImageBlock("image/png", "AAAA")
NAMES = WireNames(["web_search"])


def ask(*contents: str | ContentBlock, role: str = "user") -> Message:
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


def test_a_turn_that_answers_tools_is_no_search() -> None:
    answered = ask(ToolResultBlock("t1", ()), "and now?")
    assert search(ask("q"), ask(ToolUseBlock("t1", "Read", {}), role="assistant"), answered) is None


def test_a_client_that_wants_no_tool_gets_none() -> None:
    assert lone_search(MessagesRequest("m", (ask("q"),), tools=(SEARCH,), tool_choice=ToolChoice("none"))) is None


# --- what is allowed and offered --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "allowed"), [(None, DEFAULT_MAX_USES), (8, 8), (1, 1), (0, 0), (-1, 0), (20, 20), (10**9, 20)]
)
def test_how_often(given: int | None, allowed: int) -> None:
    notes: list[str] = []
    assert plan_search([Tool("web_search", max_uses=given)], NAMES, notes) == SearchPlan("web_search", allowed)
    assert notes == (["held the web searches to 20 instead of 1000000000"] if given == 10**9 else [])


def test_where() -> None:
    for domains in (DomainFilter(allowed=("a.example",)), DomainFilter(blocked=("a.example",))):
        tool = replace(SEARCH, allowed_domains=domains.allowed, blocked_domains=domains.blocked)
        assert plan_search([tool], NAMES, []) == SearchPlan("web_search", 8, domains)


@pytest.mark.parametrize("tool", [SEARCH, Tool("web_search"), Tool("web_search", type="custom")])
def test_the_model_is_told_how_to_use_it(tool: Tool) -> None:
    offered = offered_search(tool)
    assert is_web_search(offered)
    assert offered.name == "web_search"
    assert offered.description
    assert offered.input_schema["required"] == ["query"]
    assert "query" in str(offered.input_schema["properties"])


# --- which results may be shown ---------------------------------------------------------------------------------------

URL = "https://docs.Example.com:8443/guide/streams/trio.html?x=1#y"


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        ("example.com", True),
        ("EXAMPLE.com", True),
        ("docs.example.com", True),
        ("https://docs.example.com", True),
        (" example.com. ", True),
        ("com", True),
        ("www.example.com", False),
        ("ample.com", False),
        ("example.org", False),
        ("example.com/guide", True),
        ("example.com/guide/", True),
        ("example.com/guide/streams", True),
        ("example.com/guid", False),
        ("example.com/Guide", False),
        ("example.com/*", True),
        ("example.com/*/streams", True),
        ("example.com/guide/*", True),
        ("example.com/*/sockets", False),
        ("example.com/guide/trio.html", False),
        ("example.com/guide/streams/trioxhtml", False),
        ("", False),
        ("/guide", False),
        ("*.example.com", False),
    ],
)
def test_entries(entry: str, covered: bool) -> None:
    assert DomainFilter(allowed=(entry,)).admits(URL) is covered
    assert DomainFilter(blocked=(entry,)).admits(URL) is not covered


@pytest.mark.parametrize(("ending", "covered"), [("b", False), ("", True)])
def test_many_asterisks_take_no_longer_than_one(ending: str, covered: bool) -> None:
    entry = DomainFilter(allowed=("example.com/" + "*a" * 100 + "*" + ending,))
    assert entry.admits("https://example.com/" + "a" * 5000) is covered


def test_several_entries() -> None:
    either = ("example.org", "example.com/guide")
    assert DomainFilter(allowed=either).admits(URL)
    assert not DomainFilter(blocked=either).admits(URL)
    assert DomainFilter().admits(URL)


@pytest.mark.parametrize("url", ["", "nonsense", "https://[::1", "https:///path", "mailto:a@example.com"])
def test_a_url_that_cannot_be_read_belongs_to_no_domain(url: str) -> None:
    assert not DomainFilter(allowed=("example.com",)).admits(url)
    assert DomainFilter(blocked=("example.com",)).admits(url)


def test_a_host_alone() -> None:
    assert DomainFilter(allowed=("example.com",)).admits("https://example.com")
    assert not DomainFilter(allowed=("example.com/a",)).admits("https://example.com")
    assert DomainFilter(allowed=("example.com/*",)).admits("https://example.com")


# --- searches in the history ------------------------------------------------------------------------------------------


def use(id_: str, name: str = "web_search") -> ToolUseBlock:
    return ToolUseBlock(id_, name, {})


def found(id_: str) -> ToolResultBlock:
    return ToolResultBlock(id_, (TextBlock("hits"),))


def said(*contents: str | ContentBlock) -> Message:
    return ask(*contents, role="assistant")


@pytest.mark.parametrize(
    ("messages", "turns"),
    [
        ((ask("q"),), (ask("q"),)),
        ((ask("q"), said("a", use("t", "Read")), ask(found("t"))),) * 2,
        # One search, then the answer.
        (
            (ask("q"), said("look", use("s"), found("s"), "answer"), ask("thanks")),
            (ask("q"), said("look", use("s")), ask(found("s")), said("answer"), ask("thanks")),
        ),
        # Two rounds in one message.
        (
            (ask("q"), said(use("s"), found("s"), "more", use("r"), found("r"), "end"), ask("x")),
            (ask("q"), said(use("s")), ask(found("s")), said("more", use("r")), ask(found("r")), said("end"), ask("x")),
        ),
        # Two searches at once.
        (
            (ask("q"), said(use("s"), use("r"), found("s"), found("r"), "end"), ask("x")),
            (ask("q"), said(use("s"), use("r")), ask(found("s"), found("r")), said("end"), ask("x")),
        ),
        # A search and a tool of the client's, whose result comes in the next message.
        (
            (ask("q"), said(use("s"), use("t", "Read"), found("s")), ask(found("t"), "go on")),
            (ask("q"), said(use("s"), use("t", "Read")), ask(found("s"), found("t"), "go on")),
        ),
        (
            (ask("q"), said(use("t", "Read"), use("s"), found("s"), "more"), ask(found("t"))),
            (ask("q"), said(use("t", "Read"), use("s"), "more"), ask(found("s"), found("t"))),
        ),
        # A paused turn, which the client sends back as it is.
        (
            (ask("q"), said("look", use("s"), found("s"))),
            (ask("q"), said("look", use("s")), ask(found("s"))),
        ),
        # Continued in a message of its own.
        (
            (ask("q"), said(use("s"), found("s")), said("answer"), ask("x")),
            (ask("q"), said(use("s")), ask(found("s")), said("answer"), ask("x")),
        ),
        # A result that nobody asked for stays a result: pairing makes it a text.
        (
            (ask("q"), said(found("s"), "answer"), ask("x")),
            (ask("q"), said(), ask(found("s")), said("answer"), ask("x")),
        ),
    ],
)
def test_one_message_becomes_the_turns_it_was_made_of(
    messages: tuple[Message, ...], turns: tuple[Message, ...]
) -> None:
    assert with_searches_as_turns(messages) == turns
