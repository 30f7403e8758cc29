"""What one round leaves for the next."""

from __future__ import annotations

import re

import pytest

from kiro_rs_py.convert.events import AssistantText, Reasoning
from kiro_rs_py.convert.kiro import (
    AssistantMessage,
    ConversationState,
    Image,
    ReasoningContent,
    ToolResult,
    ToolSpecification,
    ToolUse,
    UserMessage,
)
from kiro_rs_py.convert.rounds import Round, SearchCall, continued, results_of, server_tool_id
from kiro_rs_py.convert.search_results import SearchHit, SearchOutcome
from kiro_rs_py.convert.tool_calls import ToolCall
from tests.convert.answers import tool


def call(arguments: str) -> ToolCall:
    whole = ToolCall("tooluse_1")
    whole.add(tool("tooluse_1", "web_search", arguments, True))
    return whole


@pytest.mark.parametrize(
    "tool_use_id, server_id",
    [
        ("tooluse_aB3_xyz", "srvtoolu_aB3_xyz"),
        ("tooluse_a-b.c", "srvtoolu_a_b_c"),
        ("call_1", "srvtoolu_call_1"),
    ],
)
def test_ids_look_like_anthropics(tool_use_id: str, server_id: str) -> None:
    assert server_tool_id(tool_use_id) == server_id
    assert re.fullmatch(r"srvtoolu_[a-zA-Z0-9_]+", server_id)


@pytest.mark.parametrize(
    "arguments, query",
    [
        ('{"query": "trio"}', "trio"),
        ('{"query": " "}', " "),
        ('{"query": 5}', ""),
        ('{"q": "trio"}', ""),
        ("", ""),
        ('{"query": "tr', ""),
    ],
)
def test_calls(arguments: str, query: str) -> None:
    one = Round()
    assert one.search(call(arguments)) == SearchCall("srvtoolu_1", "tooluse_1", query)
    assert one.searches == [SearchCall("srvtoolu_1", "tooluse_1", query)]


def test_what_was_said() -> None:
    one = Round()
    for piece in ("<thinking>hm</thinking>", "Let me ", "look."):
        one.hear(AssistantText(piece))
    one.search(call('{"query": "trio"}'))
    assert one.said() == AssistantMessage(
        "<thinking>hm</thinking>Let me look.", (ToolUse("tooluse_1", "web_search", {"query": "trio"}),)
    )


def test_a_call_without_a_word() -> None:
    one = Round()
    one.search(call("{}"))
    assert one.said().content == " "


@pytest.mark.parametrize(
    "events, replayed",
    [
        ([Reasoning("h"), Reasoning("m"), Reasoning(signature="s")], ReasoningContent("hm", "s")),
        ([Reasoning("a", "s1"), Reasoning("b", "s2")], ReasoningContent("b", "s2")),
        ([Reasoning("a"), Reasoning(signature="s1"), Reasoning(signature="s2")], ReasoningContent("a", "s1s2")),
        ([Reasoning("a", "s1"), Reasoning("b")], ReasoningContent("a", "s1")),
        ([Reasoning("a", "s1"), Reasoning(redacted="AAAA")], ReasoningContent(redacted="AAAA")),
        # Thinking whose text is kept from us.
        ([Reasoning(signature="s1")], None),
        ([Reasoning(redacted="AAAA")], ReasoningContent(redacted="AAAA")),
        # Kiro takes no thinking without a signature.
        ([Reasoning("hm")], None),
        ([], None),
    ],
)
def test_native_thinking_is_replayed_as_it_was_signed(
    events: list[Reasoning], replayed: ReasoningContent | None
) -> None:
    one = Round()
    for event in events:
        one.hear(event)
    assert one.said().reasoning == replayed


def test_the_model_is_told_of_every_search() -> None:
    calls = [SearchCall("srvtoolu_1", "tooluse_1", "a"), SearchCall("srvtoolu_2", "tooluse_2", "b")]
    found, failed = SearchOutcome((SearchHit("T", "u"),)), SearchOutcome(error="unavailable")
    first, second = results_of(calls, [found, failed])
    assert first == ToolResult("tooluse_1", "1. T\nURL: u")
    assert (second.tool_use_id, second.is_error) == ("tooluse_2", True)
    assert "unavailable" in second.text


def test_the_conversation_goes_on() -> None:
    tools = (ToolSpecification("web_search", "Searches.", {}),)
    asked = UserMessage("q", (Image("png", "AAAA"),), (ToolResult("t0", "earlier"),))
    state = ConversationState("c", "k", "m", asked, (UserMessage("a"), AssistantMessage("b")), tools, {"x": 1})
    said, results = AssistantMessage("Look."), (ToolResult("t1", "found"),)
    assert continued(state, said, results) == ConversationState(
        "c",
        "k",
        "m",
        UserMessage("", tool_results=results),
        (UserMessage("a"), AssistantMessage("b"), asked, said),
        tools,
        {"x": 1},
    )
