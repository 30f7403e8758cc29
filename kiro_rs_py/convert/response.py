"""KiroEvents → the events of one Anthropic message (response-conversion, Appendix D).

:class:`MessageStream` is the one machine behind streaming, plain and ``/cc`` answers. It decides what belongs into
which block; :mod:`.blocks` writes the blocks, :mod:`.endings` knows the stop reasons and the usage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Protocol

from kiro_rs_py.convert.anthropic import JsonObject, ToolNames
from kiro_rs_py.convert.blocks import BlockWriter, Open, ThinkingFormat
from kiro_rs_py.convert.client_json import compact
from kiro_rs_py.convert.endings import Ledger
from kiro_rs_py.convert.events import AssistantText, Fault, KiroEvent, Reasoning, ToolUseFragment, bare_code
from kiro_rs_py.convert.kiro import AssistantMessage, ToolResult
from kiro_rs_py.convert.message_events import (
    ErrorEvent,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    MessageStreamEvent,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from kiro_rs_py.convert.rounds import Round, SearchCall, results_of
from kiro_rs_py.convert.search_results import SearchOutcome, result_block
from kiro_rs_py.convert.stops import StopScanner
from kiro_rs_py.convert.structured import HeldAnswer
from kiro_rs_py.convert.thinking import Piece, ThinkingSplitter
from kiro_rs_py.convert.tokens import count_text
from kiro_rs_py.convert.tool_calls import Line, ToolCall
from kiro_rs_py.convert.websearch import TOOL_NAME as SEARCH_NAME
from kiro_rs_py.errors import ContextWindowFull, EmptyAnswer, UpstreamFault

_new_tuple = tuple.__new__
_DELTAS: Mapping[type | None, type[TextDelta]] = {  # all of them are an index and a text
    AssistantText: TextDelta,
    Reasoning: ThinkingDelta,  # type: ignore[dict-item]
    ToolUseFragment: InputJsonDelta,  # type: ignore[dict-item]
}

# Faults that say the prompt, or prompt and answer, do not fit (upstream-protocol §11.1, §11.2).
_LENGTH_EXCEEDED = "ContentLengthExceeded"
_TOO_LONG_REASONS = frozenset({"CONTENT_LENGTH_EXCEEDS_THRESHOLD", "PROMPT_TOO_LONG"})
_TWICE = "left out thinking in tags: it came as thinking before"


class ThinkingWish(Protocol):
    """Whether thinking was asked for, and how it is shown."""

    @property
    def on(self) -> bool: ...
    @property
    def format(self) -> ThinkingFormat: ...


class _Phase(Enum):
    ANSWERING = auto()
    SETTLED = auto()
    """How the answer ends is known; content is no longer taken, what is said of usage is."""
    CLOSED = auto()
    """Its last event was given."""


class MessageStream:
    """Takes KiroEvents in order, gives the events of one message::

        for event in upstream: send(stream.receive(event))
        while searches := stream.end_round():  # only where the model may search the web
            outcomes = …
            send(stream.receive_results(outcomes))
            if not stream.goes_on: break
            for event in upstream asked again, with stream.next_round(outcomes): send(stream.receive(event))
        send(stream.finish())

    and ``send(stream.fail(…))`` in place of the rest when something breaks.
    """

    def __init__(
        self,
        *,
        message_id: str,
        model: str,
        thinking: ThinkingWish,
        tool_names: ToolNames,
        input_estimate: int,
        window: int,
        stop_sequences: Sequence[str] = (),
        expects_metadata: bool = False,
        search_tool: str | None = None,
        thinking_model: str = "",
        answer_schema: JsonObject | None = None,
        one_call: bool = False,
    ) -> None:
        """``model`` is echoed; ``input_estimate`` and ``window`` are tokens; ``tool_names`` maps aliases back.
        ``thinking_model`` is the upstream id that signatures are sealed with.

        ``search_tool``: what the web search is called upstream, if it is offered. ``expects_metadata``: this endpoint
        is known to end whole answers with a ``metadataEvent``, so that one without it was cut off (upstream-protocol
        §2.5). ``answer_schema``: the text has to be JSON of this kind, and is held until it is whole and checked.
        ``one_call``: a second tool call is left out.
        """
        # D-18: a real stream starts with a small number too, and clients take the last one.
        start = MessageStart(message_id, model, Usage(input_estimate, 1))
        self._blocks = BlockWriter(start, thinking.format, thinking_model=thinking_model)
        self._ledger = Ledger(input_estimate, window)
        self._phase = _Phase.ANSWERING
        self._thinking_on = thinking.on
        self._tool_names = tool_names
        self.expects_metadata = expects_metadata
        self._search_tool = search_tool
        # What is only a piece of the open block goes the short way: nine events in ten.
        self._straight: type[KiroEvent] | None = None
        self._straight_delta = TextDelta
        self._written = self._blocks.written
        self._stops = StopScanner(stop_sequences) if any(stop_sequences) else None
        self._answer = None if answer_schema is None else HeldAnswer(answer_schema)
        self._one_call = one_call
        self.notes: list[str] = []
        """What was done to the answer, for the log; none of its words."""
        self._tool_used = False
        self._begin_round()
        self.stop_reason: str | None = None
        """Known after :meth:`finish`, or before if it is this machine that ends the answer."""
        self._stop_sequence: str | None = None

    def _begin_round(self) -> None:
        self._splitter = ThinkingSplitter() if self._thinking_on else None
        self._native_reasoning = False
        self._reasoned = False
        self._line = Line()
        self._call: ToolCall | None = None
        self._round = Round()

    @property
    def started(self) -> bool:
        """``message_start`` was given: from now on an error can only be an ``error`` event."""
        return self._blocks.started

    @property
    def stopped(self) -> bool:
        """The rest of the answer is of no use, upstream may be closed: a stop sequence matched, or a call was cut."""
        return self._phase is not _Phase.ANSWERING

    @property
    def usage(self) -> Usage:
        """Tokens as far as they are known; final after :meth:`finish`."""
        return self._ledger.usage(self._written.units(), anything=self._blocks.index >= 0)

    @property
    def measured_input(self) -> int | None:
        """What upstream says the request's input was, if it did; after :meth:`finish`."""
        return self._ledger.measured_input(self._written.units())

    @property
    def credits(self) -> float:
        """Kiro credits charged."""
        return self._ledger.credits

    def receive(self, event: KiroEvent) -> list[MessageStreamEvent]:
        """The events that ``event`` gives rise to; the message starts with the first content.

        Raises UpstreamFault for an error or exception frame, ContextWindowFull if it says "too long" before any
        output. Too long after output is how a long answer ends: see :meth:`finish`.
        """
        if type(event) is self._straight:
            text = event[0] if type(event) is AssistantText and self._stops is None else self._plain_piece(event)
            if text:
                if text.isascii():
                    self._written.counted += len(text)
                else:
                    self._written.add(text)
                return [_new_tuple(self._straight_delta, (self._blocks.index, text))]
        match event:
            case AssistantText() | Reasoning() | ToolUseFragment():
                if self._phase is _Phase.ANSWERING:
                    self._content(event)
            case Fault():
                self._fault(event)
            case _:
                self._ledger.receive(event)
                return self._blocks.take()
        self._straight = self._short_way()
        self._straight_delta = _DELTAS.get(self._straight, TextDelta)
        return self._blocks.take()

    def _short_way(self) -> type[KiroEvent] | None:
        """The kind of event that will only add a piece to the open block, if there is such a kind."""
        if self._phase is not _Phase.ANSWERING or self._answer is not None or self._search_tool is not None:
            return None
        if self._call is not None:
            return ToolUseFragment if self._call.opened and not self._line else None
        if self._blocks.open is Open.TEXT and self._splitter is None:
            return AssistantText
        return Reasoning if self._native_reasoning and self._blocks.in_thought else None

    def _plain_piece(self, event: KiroEvent) -> str:
        """The piece that an event of the kind above adds; empty if there is more to it."""
        if type(event) is AssistantText:
            return event.content if self._stops is not None and self._stops.passes(event.content) else ""
        if type(event) is ToolUseFragment:
            call = self._call
            return call.extended(event) if call is not None and self._line.call_of(event) is call else ""
        if type(event) is Reasoning and not (event.signature or event.redacted):
            return event.text
        return ""

    def finish(self) -> list[MessageStreamEvent]:
        """The end of an answer that upstream ended without an error; empty if the message has ended already.

        Raises EmptyAnswer if nothing was answered, ContextWindowFull if that is because the window is full.
        """
        if self._phase is _Phase.CLOSED:
            return []
        self._end_content()
        blocks = self._blocks
        if not blocks.started:
            self._require_answer()
            blocks.start()
        only_thinking = not blocks.answered and (blocks.index >= 0 or self._reasoned)
        if self.stop_reason is None:
            self.stop_reason = self._ledger.stop_reason(
                tool_use=self._tool_used, only_thinking=only_thinking, expects_metadata=self.expects_metadata
            )
        if only_thinking and self._stop_sequence is None and blocks.open is not Open.TAGGED:
            # Clients need something visible (D-10).
            blocks.text(" ")
        blocks.close()
        self._close()
        return [*blocks.take(), MessageDelta(self.stop_reason, self._stop_sequence, self.usage), MessageStop()]

    def fail(self, error_type: str, message: str, request_id: str) -> list[MessageStreamEvent]:
        """The end of an answer that broke: the open block is closed, one ``error`` event, nothing after it.

        A tool's block stays open, for clients run a tool when its block is closed (clients §1.2).
        """
        if self._phase is _Phase.CLOSED:
            return []
        if self._phase is _Phase.ANSWERING and self._call is None and self._answer is None:
            # Half of a JSON answer would be of no use.
            self._flush_text()
        self._blocks.abandon_tool()
        self._blocks.close()
        self._close()
        return [*self._blocks.take(), ErrorEvent(error_type, message, request_id)]

    # --- rounds -----------------------------------------------------------------------------------------------------

    def end_round(self) -> tuple[SearchCall, ...]:
        """Call when upstream has ended its answer: the searches it waits for.

        Behind a cut call, whose block stays open, results could not be shown: those searches are not made.
        """
        if self._phase is not _Phase.CLOSED:
            self._end_content()
        return () if self._blocks.left_open else tuple(self._round.searches)

    def receive_results(self, outcomes: Sequence[SearchOutcome]) -> list[MessageStreamEvent]:
        """The events that show what came of the searches of this round, one outcome for each."""
        for search, outcome in zip(self._round.searches, outcomes, strict=True):
            self._blocks.whole(result_block(search.id, outcome))
        worked = sum(outcome.error is None for outcome in outcomes)
        self._ledger.web_searches = (self._ledger.web_searches or 0) + worked
        return self._blocks.take()

    @property
    def goes_on(self) -> bool:
        """The model has more to say once it knows its results, and no tool of the client's is to be run first."""
        ended = self._ledger.refused or self._ledger.window_full
        return self._phase is _Phase.ANSWERING and not self._tool_used and not ended

    def next_round(self, outcomes: Sequence[SearchOutcome]) -> tuple[AssistantMessage, tuple[ToolResult, ...]]:
        """Make ready for the answer to the results. What the conversation has to be continued with for it."""
        said, results = self._round.said(), results_of(self._round.searches, outcomes)
        added = sum(count_text(result.text) for result in results)
        self._ledger.next_round(self._written.units(), added)
        self._blocks.answered = False
        self._begin_round()
        return said, results

    def pause(self) -> None:
        """End the answer although the model would go on; the client may ask it to."""
        self._settle("pause_turn")

    # --- content ----------------------------------------------------------------------------------------------------

    def _content(self, event: AssistantText | Reasoning | ToolUseFragment) -> None:
        """Put ``event`` in line, then write what is next."""
        if isinstance(event, ToolUseFragment):
            self._line.add(event)
        else:
            if self._search_tool is not None:
                self._round.hear(event)
            if self._call is None:
                self._write(event)
                return
            self._line.put(event)
        self._write_waiting()

    def _write_waiting(self) -> None:
        while self._phase is _Phase.ANSWERING:
            if self._call is not None:
                self._write_call(self._call)
                if not (self._call.stopped or (self._line and self._call.close_if_whole())):
                    return
                self._end_call(self._call)
            elif self._line:
                item = self._line.take()
                if isinstance(item, ToolCall) and self._is_surplus(item):
                    self.notes.append("left out a tool call: the client takes one at a time")
                elif isinstance(item, ToolCall):
                    # What was held back of the text belongs in front of the call.
                    self._flush_text(is_answer=False)
                    self._call = item
                else:
                    self._write(item)
            else:
                return

    def _is_surplus(self, call: ToolCall) -> bool:
        return self._one_call and self._tool_used and call.name != self._search_tool

    def _write_call(self, call: ToolCall) -> None:
        if not call.opened:
            # A search is shown when it is whole: half of one would be of no use to anybody.
            if not call.name or call.name == self._search_tool:
                return
            self._blocks.tool(call.id, self._tool_names.get(call.name, call.name))
            call.opened = True
        for part in call.take_parts():
            self._blocks.tool_input(part)

    def _end_call(self, call: ToolCall) -> None:
        self._call = None
        if call.name == self._search_tool and call.whole:
            search = self._round.search(call)
            self._blocks.server_tool(search.id, SEARCH_NAME, compact(call.arguments))
        elif call.opened and call.whole:
            self._blocks.close()
            self._tool_used = True
        else:
            # A call that cannot be run ends the turn: what follows would build on it. Its block stays open (D-11).
            self._blocks.abandon_tool()
            self._settle("max_tokens")

    def _write(self, event: AssistantText | Reasoning) -> None:
        if isinstance(event, Reasoning):
            self._reasoning(event)
        elif self._splitter is None:
            self._visible_text(event.content)
        else:
            self._pieces(self._splitter.receive(event.content))

    def _pieces(self, pieces: list[Piece]) -> None:
        # A piece of text is the last one, since the splitter is done then: no stop sequence can match in mid-list.
        for thinking, text in pieces:
            if thinking and self._native_reasoning:
                if _TWICE not in self.notes:
                    self.notes.append(_TWICE)
            elif thinking:
                self._blocks.thinking(text)
            else:
                self._visible_text(text)
        if self._splitter is not None and self._splitter.done:
            self._splitter = None

    def _visible_text(self, text: str) -> None:
        if self._stops is not None:
            text = self._stops.receive(text)
        self._show(text)
        if self._stops is not None and self._stops.matched is not None:
            self._show_answer()
            if self._tool_used:
                # Clients run a call only when the message says so (B14).
                self._settle("tool_use")
            else:
                self._stop_sequence = self._stops.matched
                self._settle("stop_sequence")

    def _show(self, text: str) -> None:
        if self._answer is not None:
            self._answer.receive(text)
        elif text:
            self._blocks.text(text)

    def _show_answer(self) -> None:
        """Write what was held until it could be checked."""
        checked = None if self._answer is None else self._answer.take()
        if checked is not None:
            self._blocks.text(checked.text)
            self.notes += filter(None, [checked.note])

    def _reasoning(self, reasoning: Reasoning) -> None:
        self._reasoned = True
        if not self._thinking_on:
            return
        self._flush_text(is_answer=False)
        if self._phase is not _Phase.ANSWERING:
            return
        if not self._native_reasoning:
            # A block of tags ends here: it has no part in the signature. What comes in tags from now on is left out
            # (D-7): some models write the thought into the text once more (field-notes §1 row 26).
            self._native_reasoning = True
            self._splitter = ThinkingSplitter()
            if self._blocks.open is Open.THINKING:
                self._blocks.close()
        if reasoning.text:
            self._blocks.thinking(reasoning.text)
        if reasoning.signature:
            self._blocks.signature(reasoning.signature)
        if reasoning.redacted:
            self._blocks.redacted(reasoning.redacted)

    def _flush_text(self, *, is_answer: bool = True) -> None:
        """Write what was held back: nothing can join it any more. ``is_answer``: it may be what was asked for; words on
        the way there are none, and clients that asked for JSON would fail to parse them."""
        if self._splitter is not None:
            self._pieces(self._splitter.flush())
        if self._stops is not None:
            self._show(self._stops.flush())
        if is_answer:
            self._show_answer()
        elif self._answer is not None and self._answer.drop():
            self.notes.append("left out words before the JSON answer")

    # --- endings ----------------------------------------------------------------------------------------------------

    def _fault(self, fault: Fault) -> None:
        if self._phase is not _Phase.ANSWERING:
            return
        too_long = bare_code(fault.code) == _LENGTH_EXCEEDED or fault.reason in _TOO_LONG_REASONS
        begun = self._blocks.started or (self._answer is not None and self._answer.begun)
        if too_long and not begun:
            raise ContextWindowFull("The conversation is too long for the model.", reason=fault.reason or fault.code)
        if not too_long:
            raise UpstreamFault(fault.code, fault.message or "Kiro ended the answer.", reason=fault.reason)
        self._end_content()
        self._settle("max_tokens")

    def _settle(self, stop_reason: str) -> None:
        self._phase = _Phase.SETTLED
        self.stop_reason = self.stop_reason or stop_reason

    def _close(self) -> None:
        self._phase = _Phase.CLOSED
        self._straight = None

    def _end_content(self) -> None:
        """No more content comes: end what is unfinished."""
        while self._call is not None and self._phase is _Phase.ANSWERING:
            if not self._call.close_if_whole():
                self._end_call(self._call)
            self._write_waiting()
        if self._phase is _Phase.ANSWERING:
            self._flush_text()

    def _require_answer(self) -> None:
        """Pass if it is an answer that nothing was said: stopped at once, refused, or thinking that is not shown."""
        if self._stop_sequence is not None or self._ledger.refused or self._reasoned:
            return
        if self._ledger.window_full:
            raise ContextWindowFull("The conversation fills the model's window.", reason="CONTEXT_WINDOW_FULL")
        raise EmptyAnswer("Kiro answered without any content. Please try again.")
