"""One message on its way to the client: one source, three ways to drain it (DESIGN §3).

* ``live``: every read of the upstream becomes one write;
* ``held`` (``/cc``): everything waits for the end, so that ``message_start`` has the true ``input_tokens``;
* ``plain``: one JSON document.

Where the events come from is a :class:`Source`'s business: a conversation with the model
(:mod:`~kiro_rs_py.serve.chat`) or a search of the web (:mod:`~kiro_rs_py.serve.searches`).

Each request has one nursery. Its main task pumps: it owns the upstream answer and writes what it reads. A second task
waits for the client to hang up and cancels the rest, which frees the upstream at once; meanwhile it fills the silence
of streams with pings, and ends that of the upstream. The pump writes itself, without a channel and a writer task
between: that would cost each event two trips through the scheduler. A client that reads slowly slows the upstream down;
one that stops reading runs into the write deadline of the connection (:mod:`~kiro_rs_py.serve.hardening`), which counts
as hanging up.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeAlias

import trio

from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.message_events import (
    MessageStart,
    MessageStreamEvent,
    Usage,
    encode_events,
    with_input_tokens,
)
from kiro_rs_py.serve.app import Call
from kiro_rs_py.serve.errors import answer_of
from kiro_rs_py.serve.inbound import ClientLeft
from kiro_rs_py.serve.reply import Reply

logger = logging.getLogger(__name__)

# How many ping intervals a stream waits for its first event before it starts with a ping. Until then every failure is
# answered with its status; afterwards it can only be an SSE error. Common reverse proxies give up after 60 seconds
# without a byte, Claude Code after 300 (clients §1.2), and by default the intervals are 25.
LIVE_HOLD = 2
HELD_HOLD = 1


Take: TypeAlias = Callable[[list[MessageStreamEvent]], Awaitable[None]]
"""Hands over the events of one read, never an empty list."""


class End(NamedTuple):
    """How a message ends: its last events, which go out together with the end of the answer, and its usage."""

    events: list[MessageStreamEvent]
    usage: Usage


class Source(Protocol):
    """What a message is made of."""

    async def pump(self, take: Take) -> End:
        """Give all events of the message but the last. Raises what went wrong."""

    def look(self, now: float) -> float:
        """End a :meth:`pump` that has waited too long for the upstream. When to look again, in Trio's seconds."""

    def fail(self, type_: str, message: str, request_id: str) -> list[MessageStreamEvent]:
        """The last events of a message that broke, an ``error`` at their end."""


class Drain(Protocol):
    """One way of handing the events over. ``mode`` is its name in the log."""

    mode: str

    async def take(self, events: list[MessageStreamEvent]) -> None:
        """The events of one upstream read."""

    async def end(self, end: End) -> None:
        """Nothing comes behind ``end``."""

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        """The answer broke after its start; ``events`` are its last."""


class Live:
    mode = "stream"

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def take(self, events: list[MessageStreamEvent]) -> None:
        await self._reply.write(encode_events(events))

    async def end(self, end: End) -> None:
        await self._reply.write(encode_events(end.events), last=True)

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        await self._reply.write(encode_events(events), last=True)


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

    async def end(self, end: End) -> None:
        await self.take(end.events)
        assert self._start is not None, "a whole message has a start"
        start = encode_events([with_input_tokens(self._start, end.usage)])
        await self._reply.write(b"".join([start, *self._rest]), last=True)

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        """Only the error: nothing of the answer has been seen, and a client would drop the part (clients §1.2)."""
        await self._reply.write(encode_events(events[-1:]), last=True)


class Plain:
    mode = "plain"

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._events: list[MessageStreamEvent] = []

    async def take(self, events: list[MessageStreamEvent]) -> None:
        self._events += events

    async def end(self, end: End) -> None:
        await self._reply.json(200, fold_message([*self._events, *end.events]))

    async def fail(self, events: list[MessageStreamEvent]) -> None:
        raise AssertionError("a plain answer starts with its end")


class Delivery:
    """The answer to one message request. ``beside`` runs at the same time, and no longer."""

    def __init__(
        self,
        call: Call,
        drain: Drain,
        source: Source,
        *,
        ping_interval: float,
        beside: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._call = call
        self._drain = drain
        self._source = source
        self._ping_interval = ping_interval
        self._beside = beside
        self._left = False
        call.record.mode = drain.mode

    async def run(self) -> None:
        """Ask and hand over. Raises what went wrong, :class:`ClientLeft` too; :meth:`fail` is for after the start."""
        failure: Exception | None = None
        end: End | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            if self._beside is not None:
                nursery.start_soon(self._beside)
            try:
                end = await self._source.pump(self._take)
            except Exception as exc:
                failure = exc
            nursery.cancel_scope.cancel()
        if self._left:
            raise ClientLeft
        if failure is not None:
            raise failure
        assert end is not None
        self._call.record.first_byte()
        await self._drain.end(end)

    async def fail(self, error: Exception) -> None:
        """End a stream that has been started: close the open block, one ``error`` event, nothing after it (D-14)."""
        answer = answer_of(error)
        self._call.record.outcome = type(error).__name__
        if answer.status == 500:
            logger.error("a bug broke the stream of %s", self._call.record.route, exc_info=error)
        await self._drain.fail(self._source.fail(answer.type, answer.message, self._call.request_id))

    async def _take(self, events: list[MessageStreamEvent]) -> None:
        self._call.record.first_byte()
        await self._drain.take(events)

    async def _watch(self, everything: trio.CancelScope) -> None:
        """Until the client hangs up, which ends everything. Meanwhile keep the stream alive, and see that the upstream
        is not silent for too long: one task for all that waits."""
        while True:
            due = min(self._source.look(trio.current_time()), await self._keep_alive())
            with trio.move_on_at(due):
                await self._call.inbound.wait_until_gone()
                break
        self._left = True
        everything.cancel()

    async def _keep_alive(self) -> float:
        """Ping if it is time; when it will be. A plain answer waits in silence."""
        if isinstance(self._drain, Plain):
            return math.inf
        hold = LIVE_HOLD if isinstance(self._drain, Live) else HELD_HOLD
        return await self._call.reply.keep_alive(self._ping_interval, hold=hold * self._ping_interval)
