"""The model's answer: what Kiro sends, through one machine, in as many rounds as its web searches take."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from kiro_rs_py.convert.events import Fault, KiroEvent, Metadata
from kiro_rs_py.convert.kiro import ConversationState
from kiro_rs_py.convert.message_events import ErrorEvent, MessageStreamEvent
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.convert.rounds import SearchCall, continued
from kiro_rs_py.errors import ContextWindowFull, KiroError, PromptTooLong, UpstreamFault
from kiro_rs_py.serve.delivery import End, Take
from kiro_rs_py.serve.numbers import Numbers
from kiro_rs_py.serve.request_log import RequestRecord
from kiro_rs_py.serve.searches import Searches

if TYPE_CHECKING:
    # It brings httpx with it, which the listening socket need not wait for.
    from kiro_rs_py.upstream.client import KiroClient
    from kiro_rs_py.upstream.stream import KiroStream


logger = logging.getLogger(__name__)


class Chat:
    """One conversation asked for one answer.

    ``new_machine`` makes the machine, told whether this account's whole answers end with a ``metadataEvent``; those
    seen to do so are kept in ``marks_ends``, by credential id. ``searches`` carries the model's searches out, None if
    none are offered to it. ``numbers`` has the estimate, ``window`` is the model's.
    ``let_go`` is called when the conversation need not be kept in memory any more.
    """

    def __init__(
        self,
        client: KiroClient,
        conversation: ConversationState,
        *,
        new_machine: Callable[[bool], MessageStream],
        searches: Searches | None,
        marks_ends: set[int],
        numbers: Numbers,
        window: int,
        request_id: str,
        record: RequestRecord,
        let_go: Callable[[], None] | None = None,
    ) -> None:
        self._let_go = let_go
        self._client = client
        self._conversation: ConversationState | None = conversation
        self._new_machine = new_machine
        self._searches = searches
        self._marks_ends = marks_ends
        self._numbers = numbers
        self._window = window
        self._request_id = request_id
        self._record = record
        self._machine: MessageStream | None = None
        self._stream: KiroStream | None = None

    async def pump(self, take: Take) -> End:
        """Ask, until the model has no more searches to make. Raises what went wrong."""
        try:
            while (wanted := await self._round(take)) and await self._search(wanted, take):
                pass
            machine = self._machine
            assert machine is not None, "a round makes the machine"
            last = machine.finish()
        except ContextWindowFull as exc:
            raise PromptTooLong(self._numbers.input_tokens, self._window) from exc
        for note in machine.notes:
            logger.debug("%s", note)
        self._note_usage(machine)
        self._numbers.learn(machine.measured_input)
        return End(last, machine.usage)

    def look(self, now: float) -> float:
        return now + self._client.idle_seconds if self._stream is None else self._stream.look(now)

    def fail(self, type_: str, message: str, request_id: str) -> list[MessageStreamEvent]:
        if self._machine is None:
            return [ErrorEvent(type_, message, request_id)]
        return self._machine.fail(type_, message, request_id)

    async def _round(self, take: Take) -> tuple[SearchCall, ...]:
        """One answer of the upstream. The searches that it waits for."""
        async with self._ask() as stream:
            self._stream = stream
            if self._let_go is not None and self._conversation is None:
                self._let_go()
            self._record.upstream_request_id = stream.upstream_request_id
            marks_ends = stream.credential_id in self._marks_ends
            if self._machine is None:
                await self._numbers.settle()
                self._machine = self._new_machine(marks_ends)
            machine = self._machine
            machine.expects_metadata = marks_ends
            try:
                while not machine.stopped and (batch := await stream.next_events()) is not None:
                    await self._hand_over(machine, batch, stream.credential_id, take)
                return machine.end_round()
            finally:
                self._stream = None
                self._note_usage(machine)

    async def _search(self, wanted: tuple[SearchCall, ...], take: Take) -> bool:
        """Carry the searches out and show their results. Whether the model is to be asked again."""
        machine, searches = self._machine, self._searches
        assert machine is not None
        assert searches is not None, "without searches on offer there are no calls"
        outcomes = await searches.run(wanted)
        await take(machine.receive_results(outcomes))
        if not machine.goes_on:
            return False
        if searches.spent:
            machine.pause()
            return False
        await searches.rest()
        assert self._conversation is not None
        self._conversation = continued(self._conversation, *machine.next_round(outcomes))
        return True

    def _ask(self) -> AbstractAsyncContextManager[KiroStream]:
        """Hands the conversation on, and keeps it only for a next round: it may be megabytes, and the answer takes
        minutes."""
        conversation = self._conversation
        assert conversation is not None, "asked once"
        if self._searches is None:
            self._conversation = None
        return self._client.converse(
            conversation,
            request_id=self._request_id,
            input_tokens=self._numbers.input_tokens,
            window=self._window,
            tally=self._record,
        )

    async def _hand_over(
        self, machine: MessageStream, batch: Sequence[KiroEvent], credential_id: int, take: Take
    ) -> None:
        """Hand over what one read brought, up to the fault in it, if there is one; then raise that."""
        events: list[MessageStreamEvent] = []
        failure: KiroError | None = None
        for event in batch:
            try:
                given = machine.receive(event)
            except UpstreamFault as exc:
                failure = _typed(event, exc)
                break
            except KiroError as exc:
                failure = exc
                break
            if given:
                events += given
            elif type(event) is Metadata and event.is_end:
                self._marks_ends.add(credential_id)
        if events:
            await take(events)
        if failure is not None:
            raise failure

    def _note_usage(self, machine: MessageStream) -> None:
        record = self._record
        record.stop_reason = machine.stop_reason or ""
        record.credits = machine.credits
        if machine.started:
            record.input_tokens, record.output_tokens, *_ = machine.usage


def _typed(event: KiroEvent, error: UpstreamFault) -> KiroError:
    """What the fault means, in our words: a throttle in mid-answer is still a throttle."""
    from kiro_rs_py.upstream.failures import classify_fault

    return classify_fault(event) if isinstance(event, Fault) else error
