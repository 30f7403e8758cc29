"""Searching the web for a message: the searches a model asks for, and the one search that is a whole request.

Failures are told as Anthropic tells them: an error inside the result block of a message that is otherwise fine. Only a
lone search for which no account can ask at all gets an HTTP error, since a person has to act first.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import trio

from kiro_rs_py.convert.lone_search import LoneAnswer
from kiro_rs_py.convert.message_events import ErrorEvent, MessageStreamEvent
from kiro_rs_py.convert.rounds import SearchCall
from kiro_rs_py.convert.search_results import SearchErrorCode, SearchOutcome, filtered
from kiro_rs_py.convert.websearch import MAX_QUERY_CHARACTERS, SearchPlan
from kiro_rs_py.errors import (
    AccountSuspended,
    ConfigError,
    ContextWindowFull,
    KiroError,
    NoUsableCredential,
    QuotaExhausted,
    RefreshFailed,
    RefreshRejected,
    Throttled,
    UpstreamUnauthorized,
)
from kiro_rs_py.serve.delivery import End, Take
from kiro_rs_py.serve.request_log import RequestRecord

if TYPE_CHECKING:
    # It brings httpx with it, which the listening socket need not wait for.
    from kiro_rs_py.upstream.client import KiroClient

logger = logging.getLogger(__name__)

LONGEST_REST_SECONDS: Final = 15.0
"""What a message under way waits for an account that its own search has worn out; after more it fails."""

NO_ACCOUNT: Final = (
    NoUsableCredential,
    UpstreamUnauthorized,
    AccountSuspended,
    QuotaExhausted,
    RefreshRejected,
    RefreshFailed,
    ConfigError,
)
"""These say that nobody could ask, whatever the question."""


class Searches:
    """The web searches of one request, as many as its plan allows."""

    def __init__(self, client: KiroClient, plan: SearchPlan, *, request_id: str, record: RequestRecord) -> None:
        self._client = client
        self._plan = plan
        self._left = plan.max_uses
        self._refused_rounds = 0
        self._rest = 0.0
        self._request_id = request_id
        self._record = record

    @property
    def spent(self) -> bool:
        """The model asks on although it was told that there are no more searches."""
        return self._refused_rounds > 1

    async def run(self, calls: Sequence[SearchCall]) -> list[SearchOutcome]:
        """What came of each of ``calls``, which are made at the same time. No failure is raised."""
        outcomes = [SearchOutcome(error="max_uses_exceeded")] * len(calls)
        if not self._left:
            self._refused_rounds += 1

        async def one(number: int, query: str) -> None:
            try:
                outcomes[number] = await self.search(query)
            except KiroError as exc:
                outcomes[number] = SearchOutcome(error=code_of(exc))
                if isinstance(exc, Throttled | NoUsableCredential):
                    self._rest = max(self._rest, exc.retry_after or 0.0)

        with self._record.waiting():
            async with trio.open_nursery() as nursery:
                for number, call in enumerate(calls):
                    if self._left:
                        # Useless calls count too, or a confused model would go on for ever.
                        self._left -= 1
                        nursery.start_soon(one, number, call.query)
        return outcomes

    async def rest(self) -> None:
        """Let the accounts rest that searches have worn out, so that the model can be asked again: a search that was
        throttled should not cost the whole message."""
        seconds, self._rest = self._rest, 0.0
        if 0 < seconds <= LONGEST_REST_SECONDS:
            with self._record.waiting():
                await trio.sleep(seconds)

    async def ask(self, query: str) -> SearchOutcome:
        """The same for a lone search: raises when no account could ask, one of ``NO_ACCOUNT``."""
        if not self._left:
            return SearchOutcome(error="max_uses_exceeded")
        try:
            with self._record.waiting():
                return await self.search(query)
        except NO_ACCOUNT:
            raise
        except KiroError as exc:
            return SearchOutcome(error=code_of(exc))

    async def search(self, query: str) -> SearchOutcome:
        """One search. Raises what :meth:`~kiro_rs_py.upstream.client.KiroClient.search` does."""
        if not query.strip():
            return SearchOutcome(error="invalid_tool_input")
        if len(query) > MAX_QUERY_CHARACTERS:
            return SearchOutcome(error="query_too_long")
        self._record.searches += 1
        reply = await self._client.search(query, request_id=self._request_id)
        if not self._record.attempts:
            # A lone search: nothing else is to be told of who answered.
            self._record.attempts, self._record.credential_id = reply.attempts, reply.credential_id
        return filtered(reply.outcome, self._plan.domains)


def code_of(error: KiroError) -> SearchErrorCode:
    """Anthropic's code for a search that failed."""
    match error:
        case Throttled() | NoUsableCredential(cause=Throttled()):
            return "too_many_requests"
        case ContextWindowFull():
            return "query_too_long"
        case _:
            return "unavailable"


class LoneSearch:
    """A request that only searches: no model is asked (request-conversion §7)."""

    def __init__(self, searches: Searches, query: str, answer: LoneAnswer, record: RequestRecord) -> None:
        self._searches = searches
        self._query = query
        self._answer = answer
        self._record = record

    async def pump(self, take: Take) -> End:
        """Search, then tell it all at once: until then a failure can still have a status."""
        outcome = await self._searches.ask(self._query)
        events, usage = self._answer.events(self._query, outcome), self._answer.usage
        self._record.stop_reason = "end_turn"
        self._record.input_tokens, self._record.output_tokens = usage.input_tokens, usage.output_tokens
        return End(events, usage)

    def look(self, now: float) -> float:
        return math.inf  # a search has a limit of its own

    def fail(self, type_: str, message: str, request_id: str) -> list[MessageStreamEvent]:
        """There is nothing to close: either all of the message was sent, or none of it."""
        return [ErrorEvent(type_, message, request_id)]
