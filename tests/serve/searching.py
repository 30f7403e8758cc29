"""A scripted Kiro that can be searched, for tests in which the clock jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import trio

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.convert.events import AssistantText, KiroEvent, ToolUseFragment
from kiro_rs_py.convert.kiro import ConversationState
from kiro_rs_py.convert.search_results import SearchHit, SearchOutcome
from kiro_rs_py.upstream.mcp import SearchReply
from tests.serve.scripted import ScriptedClient, ScriptedStream, Step

FOUND = SearchOutcome((SearchHit("T", "https://a.example/1", "Text.", "January 1, 2026"),))
SEARCH: Json = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
READ: Json = {"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}
BOTH: Json = [READ, SEARCH]

Found: TypeAlias = SearchOutcome | Exception | float


class SearchingClient(ScriptedClient):
    """``rounds`` are the steps of each answer, ``found`` what each search comes to, in order or by its query: an
    outcome, an error, or a pause in seconds before an outcome. ``queries`` are those that were searched for, ``left``
    is set when a search ended without an answer."""

    def __init__(
        self, *rounds: Sequence[Step], found: Sequence[Found] | Mapping[str, Found] = (), **options: Any
    ) -> None:
        super().__init__(**options)
        self.rounds = list(rounds)
        self.found = found if isinstance(found, Mapping) else list(found)
        self.queries: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.left = trio.Event()

    @asynccontextmanager
    async def converse(self, conversation: ConversationState, **options: Any) -> AsyncIterator[ScriptedStream]:
        self.steps = tuple(self.rounds.pop(0))
        async with super().converse(conversation, **options) as stream:
            yield stream

    async def search(self, query: str, *, request_id: str) -> SearchReply:
        assert request_id.startswith("req_")
        self.queries.append(query)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        outcome = self._outcome(query)
        try:
            await trio.lowlevel.checkpoint()
            if isinstance(outcome, int | float):
                await trio.sleep(outcome)
                outcome = FOUND
        except trio.Cancelled:
            self.left.set()
            raise
        finally:
            self.at_once -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return SearchReply(outcome, 7, 1)

    def _outcome(self, query: str) -> Found:
        if isinstance(self.found, Mapping):
            return self.found[query]
        return self.found.pop(0) if self.found else FOUND


def say(text: str) -> list[KiroEvent]:
    return [AssistantText(text)]


def look(query: str = "q", number: int = 1) -> list[KiroEvent]:
    """The model's call of the search."""
    return [ToolUseFragment(f"tooluse_{number}", "web_search", f'{{"query":"{query}"}}', True)]


def read(number: int = 9) -> list[KiroEvent]:
    """A call of the client's tool."""
    return [ToolUseFragment(f"tooluse_{number}", "read", "{}", True)]
