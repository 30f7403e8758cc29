"""How a message ends: its stop reason and its usage (response-conversion D-10, D-13, D-15 … D-18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiro_rs_py.convert.events import ContextUsage, KiroEvent, Metadata, Metering, TokenUsage
from kiro_rs_py.convert.message_events import Usage
from kiro_rs_py.convert.tokens import tokens_of

# TOOL_USE is not here: it may come although every call was unusable, so only a complete call counts.
_STOP_REASONS: Final[Mapping[str, str]] = {
    "END_TURN": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "MODEL_CONTEXT_WINDOW_EXCEEDED": "model_context_window_exceeded",
    "CONTENT_FILTERED": "refusal",
    "PAUSE_TURN": "pause_turn",
    # The client's stop sequences are not sent: it can only be one of the service's own, which the client knows not.
    "STOP_SEQUENCE": "end_turn",
}
# A client must run the complete calls it was given, whatever else upstream says: it reports END_TURN for about 38 % of
# tool turns (upstream-protocol §2.5), and a full window would otherwise hide them (B14). Only these say more.
_OVER_TOOL_USE: Final = frozenset({"max_tokens", "refusal"})


class Ledger:
    """What upstream says about the answer, gathered from the events beside its content.

    An answer may take several rounds, each of which upstream counts for itself. The input of the last one holds all
    that came before, so it is what clients need who watch how full the window is; output adds up.
    """

    def __init__(self, input_estimate: int, window: int) -> None:
        self._input_estimate = input_estimate
        self._window = window
        self._begin_round()
        self._earlier_units = 0
        self._earlier_output = 0
        self.credits = 0.0
        self.web_searches: int | None = None

    def _begin_round(self) -> None:
        self._percentage = 0.0
        self._exact: TokenUsage | None = None
        self._stop_reason: str | None = None
        self.complete = False
        """Upstream marked the end of the answer (``metadataEvent``)."""

    def next_round(self, units: int, added_tokens: int) -> None:
        """Another round follows. ``units`` is the weight of all that was written so far, ``added_tokens`` what tools
        add to the next prompt."""
        output = self.usage(units, anything=True).output_tokens - self._earlier_output
        self._input_estimate += output + added_tokens
        self._earlier_output += output
        self._earlier_units = units
        self._begin_round()

    def receive(self, event: KiroEvent) -> None:
        """Take what ``event`` says; events with content say nothing here. The last word counts, credits add up."""
        match event:
            case ContextUsage(percentage):
                self._percentage = percentage
            case Metering(credits_used):
                self.credits += credits_used
            case Metadata(stop_reason, usage, percentage, is_end):
                self.complete |= is_end
                self._stop_reason = stop_reason or self._stop_reason
                self._exact = usage or self._exact
                self._percentage = percentage or self._percentage
            case _:
                pass

    @property
    def window_full(self) -> bool:
        return self._percentage >= 100 or self._stop_reason == "MODEL_CONTEXT_WINDOW_EXCEEDED"

    @property
    def refused(self) -> bool:
        return self._stop_reason == "CONTENT_FILTERED"

    def stop_reason(self, *, tool_use: bool, only_thinking: bool, expects_metadata: bool) -> str:
        """The stop reason of an answer that upstream ended, by what was written: a complete tool call, only thinking.

        With ``expects_metadata``, a missing end mark means that it was cut off although the connection ended cleanly.
        """
        told = _STOP_REASONS.get(self._stop_reason or "")
        if tool_use and told not in _OVER_TOOL_USE:
            return "tool_use"
        if told is not None:
            return told
        if self.window_full:
            return "model_context_window_exceeded"
        if only_thinking or (expects_metadata and not self.complete):
            return "max_tokens"
        return "end_turn"

    def measured_input(self, units: int) -> int | None:
        """Upstream's own count of the request, cached parts included; ``units`` as for :meth:`usage`.

        None if it told none, or one that says nothing of the request: a full window is only known to be full, and a
        later round has more to read than the request.
        """
        if self._earlier_output:
            return None
        if self._exact is not None:
            return self._exact.uncached_input + self._exact.cache_read + self._exact.cache_write
        if not 0 < self._percentage < 100:
            return None
        return self.usage(units, anything=True).input_tokens

    def usage(self, units: int, *, anything: bool) -> Usage:
        """Tokens: exact if upstream sent them, else from its percentage, else estimated.

        ``units`` is the weight of all that was written, ``anything`` whether there was a block at all. The percentage
        covers input and output, so the output is taken off (response-conversion P2).
        """
        earlier, searches = self._earlier_output, self.web_searches
        if self._exact is not None:
            uncached, output, cache_read, cache_write = self._exact
            return Usage(uncached, earlier + output, cache_write, cache_read, searches)
        output = max(1, tokens_of(units - self._earlier_units)) if anything else 0
        shown = int(self._percentage * self._window / 100) - output
        # No figure, or a short question under a long answer that drowns in the rounding: no prompt has no tokens.
        return Usage(shown if shown > 0 else self._input_estimate, earlier + output, web_searches=searches)
