"""Answers in several rounds: the model searches the web, reads what was found, and goes on in the same message.

Kiro gets each round as a request of its own, with the one before it in the history. :class:`Round` keeps what the model
said in one, :func:`continued` makes the next request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import string_in
from kiro_rs_py.convert.events import AssistantText, Reasoning
from kiro_rs_py.convert.kiro import AssistantMessage, ConversationState, ReasoningContent, ToolResult, ToolUse
from kiro_rs_py.convert.search_results import SearchOutcome, text_for_model
from kiro_rs_py.convert.tool_calls import ToolCall

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class SearchCall:
    """A search that the model asks for. ``tool_use_id`` is Kiro's, ``id`` the client's; ``query`` is empty if the
    arguments hold none."""

    id: str
    tool_use_id: str
    query: str


class Round:
    """What the model says in one round, as the next one has to be told."""

    def __init__(self) -> None:
        self.searches: list[SearchCall] = []
        self._text: list[str] = []
        self._thought: list[str] = []
        self._signature = ""
        self._reasoning: ReasoningContent | None = None
        self._uses: list[ToolUse] = []

    def hear(self, event: AssistantText | Reasoning) -> None:
        if isinstance(event, AssistantText):
            self._text.append(event.content)
            return
        # A signature may come in pieces (field-notes §1 row 15); text after it is another thought.
        if (event.text and self._signature) or event.redacted:
            self._end_thought()
        if event.redacted:
            self._reasoning = ReasoningContent(redacted=event.redacted)
        self._thought.append(event.text)
        self._signature += event.signature

    def _end_thought(self) -> None:
        thought, signature = "".join(self._thought), self._signature
        if thought and signature:
            self._reasoning = ReasoningContent(thought, signature)
        self._thought.clear()
        self._signature = ""

    def search(self, call: ToolCall) -> SearchCall:
        """Note a whole call of the web search."""
        arguments = call.arguments or {}
        search = SearchCall(server_tool_id(call.id), call.id, string_in(arguments, "query"))
        self.searches.append(search)
        self._uses.append(ToolUse(call.id, call.name, arguments))
        return search

    def said(self) -> AssistantMessage:
        """The model's turn. Tags of its thinking are in the text; of native thinking the last part is told, which led
        to the call, if it is signed: Kiro takes no other (upstream-protocol §1.10)."""
        self._end_thought()
        return AssistantMessage("".join(self._text) or texts.EMPTY_ASSISTANT, tuple(self._uses), self._reasoning)


def server_tool_id(tool_use_id: str) -> str:
    """The id a client knows a search by. Made from Kiro's, which is as good as random, in the form of Anthropic's."""
    return "srvtoolu_" + _NOT_IN_IDS.sub("_", tool_use_id.removeprefix("tooluse_"))


def results_of(searches: Sequence[SearchCall], outcomes: Sequence[SearchOutcome]) -> tuple[ToolResult, ...]:
    """What the model is told of its searches; one outcome for each."""
    return tuple(
        ToolResult(search.tool_use_id, text_for_model(outcome), is_error=outcome.error is not None)
        for search, outcome in zip(searches, outcomes, strict=True)
    )


def continued(state: ConversationState, said: AssistantMessage, results: tuple[ToolResult, ...]) -> ConversationState:
    """The conversation after one more turn of the model and the results it waits for."""
    current = replace(state.current, content="", images=(), tool_results=results)
    return replace(state, history=(*state.history, state.current, said), current=current)
