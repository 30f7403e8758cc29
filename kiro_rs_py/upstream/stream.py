"""One streamed answer: bytes of the response's body in, lists of KiroEvents out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import httpx
import trio

from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.convert.events import (
    HEADER_BLOCKS,
    AssistantText,
    ContextUsage,
    Fault,
    KiroEvent,
    Metadata,
    Reasoning,
    ToolUseFragment,
    parse_event,
)
from kiro_rs_py.errors import CodecError, EmptyAnswer, KiroError, UpstreamTimeout, UpstreamUnavailable
from kiro_rs_py.upstream import sentences
from kiro_rs_py.upstream.attempts import OwnTally, Tally
from kiro_rs_py.upstream.failures import classify_fault, translate_transport_error
from kiro_rs_py.upstream.leases import Failed, Outcome, Succeeded

MAX_HELD_EVENTS = 1000
"""Events held back while waiting for the first that says something; a stream of nothing but usage is no answer."""

MAX_ANSWER_BYTES = 64 * 2**20
"""Of one answer, framing included: many times what a model can say. What is held of an answer that is not handed on
at once (``/cc``, plain JSON, a tool call's arguments) is bounded by it."""

WORDLESS_ENDS = frozenset({"CONTENT_FILTERED", "MODEL_CONTEXT_WINDOW_EXCEEDED"})
"""Stop reasons with which an answer without a word is one: to ask again would change nothing."""


class Body(Protocol):
    """Where the bytes come from: :class:`~kiro_rs_py.upstream.transport.ResponseBody`, or what records it."""

    async def receive(self) -> bytes: ...

    def expire(self) -> None: ...

    def close(self) -> None: ...


class KiroStream:
    """The events of one answer, for one task.

    ``attempts`` tells how many tries the request took, ``credential_id`` who answered, ``upstream_request_id`` is the
    upstream's name of the call, for its support. Made by :meth:`kiro_rs_py.upstream.client.KiroClient.converse`.
    ``settle`` takes the Outcome, exactly once. ``idle_seconds`` is the longest silence, see :meth:`look`. The time
    spent waiting for bytes is added to ``tally``.
    """

    def __init__(
        self,
        body: Body,
        settle: Callable[[Outcome], None],
        *,
        credential_id: int,
        upstream_request_id: str | None,
        idle_seconds: float = math.inf,
        tally: Tally | None = None,
    ) -> None:
        self.attempts = 1
        self.credential_id = credential_id
        self.upstream_request_id = upstream_request_id
        self._tally: Tally = OwnTally() if tally is None else tally
        self._body = body
        self._settle: Callable[[Outcome], None] | None = settle
        self._decoder = EventStreamDecoder(HEADER_BLOCKS)
        self._held: list[KiroEvent] = []
        self._failure: CodecError | None = None
        self._size = 0
        self._waiting_since = math.inf
        self._idle_seconds = idle_seconds

    async def start(self) -> None:
        """Wait for the first event that says something, so that whatever fails before is not yet an answer (D-4).

        Raises EmptyAnswer if there is none, the fault in its place as a typed error, and what :meth:`next_events`
        raises. Settles nothing.
        """
        while len(self._held) < MAX_HELD_EVENTS:
            events = await self._read_events()
            if events is None:
                break
            self._held += events
            for event in events:
                match event:
                    case Fault():
                        raise classify_fault(event, request_id=self.upstream_request_id)
                    case AssistantText() | ToolUseFragment() | Reasoning():
                        return
                    case Metadata(stop_reason=stop_reason) if stop_reason in WORDLESS_ENDS:
                        return
                    case ContextUsage(percentage) if percentage >= 100:
                        return
        raise EmptyAnswer(sentences.EMPTY, status=200, request_id=self.upstream_request_id)

    async def next_events(self) -> list[KiroEvent] | None:
        """All events of the next read of the socket, at least one; None at the clean end, again and again.

        Raises CodecError for damaged bytes (good events before the damage come first), TruncatedStream for an end
        inside a frame, UpstreamUnavailable for a broken connection, UpstreamTimeout for silence. A Fault is an event
        like others here; it settles the lease as failed.
        """
        if self._held:
            events, self._held = self._held, []
        else:
            try:
                read = await self._read_events()
            except KiroError as exc:
                self.close(Failed(exc))
                raise
            if read is None:
                self.close(Succeeded())
                return None
            events = read
        for event in events:
            if type(event) is Fault:
                self.close(Failed(classify_fault(event, request_id=self.upstream_request_id)))
        return events

    def close(self, outcome: Outcome) -> None:
        """Close the socket at once and report ``outcome``, unless one was reported before. Harmless when repeated."""
        self._body.close()
        if self._settle is not None:
            settle, self._settle = self._settle, None
            settle(outcome)

    def look(self, now: float) -> float:
        """Let a ``next_events`` that has waited for the idle time end with UpstreamTimeout. When to look again.

        To be called by whoever waits beside the reader, since a deadline for each read costs more than the read
        (stack.md P9). It measures waiting only: a slow client is not the upstream's fault.
        """
        if now >= self._waiting_since + self._idle_seconds:
            self._body.expire()
            return math.inf
        return min(self._waiting_since, now) + self._idle_seconds

    async def _read_events(self) -> list[KiroEvent] | None:
        while True:
            if self._failure is not None:
                raise self._failure
            since = self._waiting_since = trio.current_time()
            try:
                data = await self._body.receive()
            except httpx.RequestError as exc:
                if isinstance(exc, httpx.ReadTimeout):
                    raise UpstreamTimeout(sentences.SILENCE) from exc
                raise translate_transport_error(exc) from exc
            finally:
                self._waiting_since = math.inf
                self._tally.waited += trio.current_time() - since
            if not data:
                self._decoder.receive_eof()
                return None
            self._size += len(data)
            if self._size > MAX_ANSWER_BYTES:
                size = f"{MAX_ANSWER_BYTES >> 20} MiB"
                raise UpstreamUnavailable(f"Kiro's answer is larger than {size}. Ask for less at once.")
            events = self._decode(data)
            if events:
                return events

    def _decode(self, data: bytes) -> list[KiroEvent]:
        """The events in ``data``; damage behind a good event is kept for the next call."""
        events: list[KiroEvent] = []
        next_frame = self._decoder.next_frame
        try:
            self._decoder.receive_data(data)
            while (frame := next_frame()) is not None:
                event = parse_event(frame)
                if event is not None:
                    events.append(event)
        except CodecError as exc:
            if not events:
                raise
            self._failure = exc
        return events
