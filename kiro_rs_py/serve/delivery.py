"""One message on its way to the client: one machine, three ways to drain it (DESIGN §3).

* ``live``: every read of the upstream becomes one write;
* ``held`` (``/cc``): everything waits for the end, so that ``message_start`` has the true ``input_tokens``;
* ``plain``: one JSON document.

Each request has one nursery. Its main task pumps: it owns the upstream answer and writes what it reads. A second task
waits for the client to hang up and cancels the rest, which frees the upstream at once; a third, for streams, fills
silence with pings. The pump writes itself, without a channel and a writer task between: that would cost each event two
trips through the scheduler. A client that reads slowly slows the upstream down; one that stops reading runs into the
write deadline of the connection (:mod:`~kiro_rs_py.serve.hardening`), which counts as hanging up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from kiro_rs_py.convert.events import Fault, KiroEvent, Metadata
from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.kiro import ConversationState
from kiro_rs_py.convert.message_events import (
    ErrorEvent,
    MessageStart,
    MessageStreamEvent,
    encode_events,
    with_input_tokens,
)
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.errors import ContextWindowFull, KiroError, PromptTooLong, UpstreamFault
from kiro_rs_py.serve.app import Call
from kiro_rs_py.serve.errors import answer_of
from kiro_rs_py.serve.inbound import ClientLeft
from kiro_rs_py.serve.reply import Reply

if TYPE_CHECKING:
    # It brings httpx with it, which the listening socket need not wait for.
    from kiro_rs_py.upstream.client import KiroClient
    from kiro_rs_py.upstream.stream import KiroStream

logger = logging.getLogger(__name__)

# How many ping intervals a stream waits for its first event before it starts with a ping. Until then every failure is
# answered with its status; afterwards it can only be an SSE error. Common reverse proxies give up after 60 seconds
# without a byte, Claude Code after 300 (clients §1.2), and by default the intervals are 25.
LIVE_HOLD = 2
HELD_HOLD = 1


class Drain(Protocol):
    """One way of handing the events over. ``mode`` is its name in the log."""

    mode: str

    async def take(self, events: list[MessageStreamEvent]) -> None:
        """The events of one upstream read."""

    async def end(self, machine: MessageStream) -> None:
        """All events have been taken."""

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        """The answer broke after its start; ``events`` are its last."""


class Live:
    mode = "stream"

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def take(self, events: list[MessageStreamEvent]) -> None:
        await self._reply.write(encode_events(events))

    async def end(self, machine: MessageStream) -> None:
        await self._reply.finish()

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        await self._reply.write(encode_events(events))
        await self._reply.finish()


class Held:
    """Keeps the encoded events: they are smaller than the events."""

    mode = "held"

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._start: MessageStart | None = None
        self._rest: list[bytes] = []

    async def take(self, events: list[MessageStreamEvent]) -> None:
        if self._start is None and isinstance(events[0], MessageStart):
            self._start = events[0]
            events = events[1:]
        self._rest.append(encode_events(events))

    async def end(self, machine: MessageStream) -> None:
        assert self._start is not None, "a whole message has a start"
        start = encode_events([with_input_tokens(self._start, machine.usage)])
        await self._reply.write(b"".join([start, *self._rest]))
        await self._reply.finish()

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        """Only the error: nothing of the answer has been seen, and a client would drop the part (clients §1.2)."""
        await self._reply.write(encode_events(events[-1:]))
        await self._reply.finish()


class Plain:
    mode = "plain"

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._events: list[MessageStreamEvent] = []

    async def take(self, events: list[MessageStreamEvent]) -> None:
        self._events += events

    async def end(self, machine: MessageStream) -> None:
        await self._reply.json(200, fold_message(self._events))

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        raise AssertionError("a plain answer starts with its end")


class Delivery:
    """The answer to one message request. ``input_tokens`` is the estimate, ``window`` the model's.

    ``new_machine`` makes the machine, told whether this account's whole answers end with a ``metadataEvent``; those
    seen to do so are kept in ``marks_ends``, by credential id.
    """

    def __init__(
        self,
        call: Call,
        client: KiroClient,
        drain: Drain,
        conversation: ConversationState,
        *,
        new_machine: Callable[[bool], MessageStream],
        marks_ends: set[int],
        input_tokens: int,
        window: int,
        ping_interval: float,
    ) -> None:
        self._call = call
        self._client = client
        self._drain = drain
        self._conversation: ConversationState | None = conversation
        self._new_machine = new_machine
        self._marks_ends = marks_ends
        self._input_tokens = input_tokens
        self._window = window
        self._ping_interval = ping_interval
        self._machine: MessageStream | None = None
        self._left = False
        call.record.mode = drain.mode

    async def run(self) -> None:
        """Ask and hand over. Raises what went wrong, :class:`ClientLeft` too; :meth:`fail` is for after the start."""
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_client, nursery.cancel_scope)
            if not isinstance(self._drain, Plain):
                hold = LIVE_HOLD if isinstance(self._drain, Live) else HELD_HOLD
                interval = self._ping_interval
                nursery.start_soon(partial(self._call.reply.keep_alive, interval, hold=hold * interval))
            try:
                await self._pump()
            except ContextWindowFull:
                failure = PromptTooLong(self._input_tokens, self._window)
            except Exception as exc:
                failure = exc
            nursery.cancel_scope.cancel()
        if self._left:
            raise ClientLeft
        if failure is not None:
            raise failure
        assert self._machine is not None
        await self._drain.end(self._machine)

    async def fail(self, error: Exception) -> None:
        """End a stream that has been started: close the open block, one ``error`` event, nothing after it (D-14)."""
        answer = answer_of(error)
        request_id = self._call.request_id
        self._call.record.outcome = type(error).__name__
        if answer.status == 500:
            logger.error("a bug broke the stream of %s", self._call.record.route, exc_info=error)
        if self._machine is None:
            await self._drain.fail([ErrorEvent(answer.type, answer.message, request_id)])
        else:
            await self._drain.fail(self._machine.fail(answer.type, answer.message, request_id))

    async def _pump(self) -> None:
        async with self._ask() as stream:
            self._call.record.attempts = stream.attempts
            self._call.record.credential_id = stream.credential_id
            machine = self._machine = self._new_machine(stream.credential_id in self._marks_ends)
            try:
                while not machine.stopped and (batch := await stream.next_events()) is not None:
                    await self._take(machine, batch, stream.credential_id)
                last = machine.finish()
            finally:
                self._note_usage(machine)
        if last:
            await self._drain.take(last)

    def _ask(self) -> AbstractAsyncContextManager[KiroStream]:
        """Hands the conversation on without keeping it: it may be megabytes, and the answer takes minutes."""
        conversation, self._conversation = self._conversation, None
        assert conversation is not None, "asked once"
        return self._client.converse(
            conversation,
            request_id=self._call.request_id,
            input_tokens=self._input_tokens,
            window=self._window,
        )

    async def _take(self, machine: MessageStream, batch: Sequence[KiroEvent], credential_id: int) -> None:
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
            elif type(event) is Metadata:
                self._marks_ends.add(credential_id)
        if events:
            self._call.record.first_byte()
            await self._drain.take(events)
        if failure is not None:
            raise failure

    async def _watch_client(self, everything: trio.CancelScope) -> None:
        await self._call.inbound.wait_until_gone()
        self._left = True
        everything.cancel()

    def _note_usage(self, machine: MessageStream) -> None:
        record = self._call.record
        record.stop_reason = machine.stop_reason or ""
        if machine.started:
            record.input_tokens, record.output_tokens = machine.usage.input_tokens, machine.usage.output_tokens


def _typed(event: KiroEvent, error: UpstreamFault) -> KiroError:
    """What the fault means, in our words: a throttle in mid-answer is still a throttle."""
    from kiro_rs_py.upstream.failures import classify_fault

    return classify_fault(event) if isinstance(event, Fault) else error
