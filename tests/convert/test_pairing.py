"""Calls and results: each call answered once, right after it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from kiro_rs_py.convert.kiro import AssistantMessage, HistoryEntry, ToolResult, ToolUse, UserMessage
from kiro_rs_py.convert.pairing import paired
from kiro_rs_py.convert.tool_names import shortened

AGAIN = shortened("t1", "t1")


def calls(*ids: str, text: str = "") -> AssistantMessage:
    return AssistantMessage(text, tuple(ToolUse(tool_use_id, "a", {"id": tool_use_id}) for tool_use_id in ids))


def answers(*results: str, text: str = "") -> UserMessage:
    """``id`` or ``id=text`` each."""
    pairs = [result.partition("=") for result in results]
    return UserMessage(
        text, tool_results=tuple(ToolResult(tool_use_id, words or "r") for tool_use_id, _, words in pairs)
    )


@dataclass(frozen=True)
class Story:
    name: str
    given: list[HistoryEntry]
    paired: list[HistoryEntry]
    notes: list[str] = field(default_factory=list)


NO_RESULT = "dropped tool call t1: no result follows it"
NO_CALL = "sent the result of t1 as text: no call waits for it"
STORIES = [
    Story("a fitting pair stays", [calls("t1"), answers("t1")], [calls("t1"), answers("t1")]),
    Story(
        "parallel calls, results in another order",
        [calls("t1", "t2"), answers("t2", "t1", text="x")],
        [calls("t1", "t2"), answers("t2", "t1", text="x")],
    ),
    Story(
        "no result",
        [calls("t1", text="Calling."), answers(text="x")],
        [calls(text="Calling."), answers(text="x")],
        [NO_RESULT],
    ),
    Story("no call", [answers("t1=old", text="x")], [answers(text="x\n\n[Tool Result (t1)]\nold")], [NO_CALL]),
    Story("no call and no text", [answers("t1=old")], [answers(text="[Tool Result (t1)]\nold")], [NO_CALL]),
    Story(
        "a result that comes a turn late",
        [calls("t1"), answers(text="x"), calls(text="y"), answers("t1")],
        [calls(), answers(text="x"), calls(text="y"), answers(text="[Tool Result (t1)]\nr")],
        [NO_RESULT, NO_CALL],
    ),
    Story(
        "the same result twice",
        [calls("t1"), answers("t1", "t1")],
        [calls("t1"), answers("t1")],
        ["dropped the repeated result of t1"],
    ),
    Story(
        "a second, different result",
        [calls("t1"), answers("t1", "t1=other")],
        [calls("t1"), answers("t1", text="[Tool Result (t1)]\nother")],
        [NO_CALL],
    ),
    Story(
        "the same stray result twice",
        [answers("t1=old", "t1=old")],
        [answers(text="[Tool Result (t1)]\nold")],
        [NO_CALL, "dropped the repeated result of t1"],
    ),
    Story(
        "the same call twice",
        [calls("t1", "t1"), answers("t1")],
        [calls("t1"), answers("t1")],
        ["dropped tool call t1: its id came before"],
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_stories(story: Story) -> None:
    notes: list[str] = []
    assert paired(story.given, notes) == story.paired
    assert notes == story.notes


def test_ids_that_come_again_get_new_ones() -> None:
    notes: list[str] = []
    first, _, second, last = paired([calls("t1"), answers("t1"), calls("t1"), answers("t1")], notes)
    assert isinstance(first, AssistantMessage)
    assert isinstance(second, AssistantMessage)
    assert isinstance(last, UserMessage)
    assert [use.tool_use_id for use in first.tool_uses + second.tool_uses] == ["t1", AGAIN]
    assert [result.tool_use_id for result in last.tool_results] == [AGAIN]
    assert notes == []


def test_ids_the_service_would_refuse_get_new_ones() -> None:
    assert paired([calls("call:1"), answers("call:1")], []) == [
        AssistantMessage("", (ToolUse(shortened("call:1", "call:1"), "a", {"id": "call:1"}),)),
        UserMessage("", tool_results=(ToolResult(shortened("call:1", "call:1"), "r"),)),
    ]
