"""What is counted of the requests that have ended. A few additions a request, nothing an event.

Nothing here grows with the traffic: routes, statuses and outcomes are ours, and of the models, whose names clients may
make up, only the first :data:`MOST_MODELS` have counters of their own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from kiro_rs_py.serve.exposition import Exposition, Histogram
from kiro_rs_py.serve.request_log import RequestRecord

MOST_MODELS: Final = 50
OTHER_MODELS: Final = "other"

# Seconds. Large gateways see a 99th percentile of 94 s until the first token of a thinking model (field-notes, 18).
_FIRST: Final = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
_WAITED: Final = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)
_OWN: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
_TOTAL: Final = (0.005, 0.025, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)


class Counters:
    """All of them, since the start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._durations: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(_TOTAL))
        self._messages: Counter[tuple[str, str, str]] = Counter()
        self._first: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(_FIRST))
        self._waited = Histogram(_WAITED)
        self._own = Histogram(_OWN)
        self._input_tokens: Counter[str] = Counter()
        self._output_tokens: Counter[str] = Counter()
        self._credits: dict[str, float] = {}
        self._retries = 0
        self._searches = 0

    def note(self, record: RequestRecord) -> None:
        """Count one request that has ended."""
        self._requests[record.route, str(record.status or "none")] += 1
        self._durations[record.route].observe(record.total)
        self._retries += record.retries
        self._searches += record.searches
        if record.mode:
            self._note_message(record)

    def _note_message(self, record: RequestRecord) -> None:
        model = self._known_model(record.model)
        self._messages[model, record.mode, record.outcome or "ok"] += 1
        if record.first is not None:
            self._first[record.mode].observe(record.first)
        self._waited.observe(record.waited)
        self._own.observe(record.own)
        self._input_tokens[model] += record.input_tokens
        self._output_tokens[model] += record.output_tokens
        self._credits[model] += record.credits

    def _known_model(self, model: str) -> str:
        if model not in self._credits:
            if len(self._credits) >= MOST_MODELS:
                model = OTHER_MODELS
            self._credits.setdefault(model, 0.0)
        return model

    def write(self, out: Exposition) -> None:
        """All samples."""
        out.family("kiro_requests_total", "counter", "Requests that have ended; status none: nothing was answered.")
        for (route, status), count in self._requests.items():
            out.sample(count, route=route, status=status)
        out.family("kiro_request_seconds", "histogram", "From a request's head to the end of its answer.")
        for route, histogram in self._durations.items():
            out.histogram(histogram, route=route)
        out.family("kiro_messages_total", "counter", "Message requests by Kiro's model id; outcome ok, or what failed.")
        for (model, mode, outcome), count in self._messages.items():
            out.sample(count, model=model, mode=mode, outcome=outcome)
        out.family("kiro_first_event_seconds", "histogram", "Until the first content of a message went out.")
        for mode, histogram in self._first.items():
            out.histogram(histogram, mode=mode)
        out.family("kiro_upstream_wait_seconds", "histogram", "How long a message waited for the upstream, in all.")
        out.histogram(self._waited)
        out.family("kiro_own_seconds", "histogram", "What the proxy itself took for a message, in all.")
        out.histogram(self._own)
        out.family("kiro_tokens_total", "counter", "Tokens as told to clients.")
        for direction, tokens in (("input", self._input_tokens), ("output", self._output_tokens)):
            for model, count in tokens.items():
                out.sample(count, model=model, direction=direction)
        out.family("kiro_credits_total", "counter", "Credits that Kiro charged.")
        for model, credits_used in self._credits.items():
            out.sample(credits_used, model=model)
        out.family("kiro_retries_total", "counter", "Attempts beyond the first that a question took.", self._retries)
        out.family("kiro_web_searches_total", "counter", "Web searches made.", self._searches)
