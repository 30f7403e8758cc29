"""The requests of late, without their content: what the activity screen and the overview are made from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.request_log import RequestRecord
from kiro_rs_py.upstream.credential import format_time

MOST_REQUESTS = 500
ROUTES = frozenset({"/v1/messages", "/cc/v1/messages"})
MINUTE = 60.0
ERROR_RATE_SECONDS = 300.0
"""The share of failures is that of the last five minutes."""


@dataclass(slots=True)
class _Second:
    """What happened within one second of the activity's clock."""

    number: int
    requests: int = 0
    failures: int = 0


class Activity:
    """A ring of the latest requests and counters of the present day (UTC). ``clock`` in seconds, ``now`` wall clock."""

    def __init__(self, clock: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._clock = clock
        self._now = now
        self._requests: deque[JsonObject] = deque(maxlen=MOST_REQUESTS)
        # Requests and failures of each second: the ring may be too short for a busy minute.
        self._recent: deque[_Second] = deque()
        self._day: date | None = None
        self._input_tokens = self._output_tokens = 0
        self._credits = 0.0

    def note(self, record: RequestRecord, request_id: str) -> JsonObject | None:
        """Take a request that has ended, and show it; None if it was not one for a message."""
        if record.route not in ROUTES:
            return None
        self._forget_old()
        second = int(self._clock())
        if not self._recent or self._recent[-1].number != second:
            self._recent.append(_Second(second))
        self._recent[-1].requests += 1
        # A client that hangs up has not failed.
        self._recent[-1].failures += record.outcome not in ("", "client left")
        self._begin_day()
        self._input_tokens += record.input_tokens
        self._output_tokens += record.output_tokens
        self._credits += record.credits
        shown: JsonObject = {
            "time": format_time(self._now()),
            "requestId": request_id,
            "route": record.route,
            "model": record.model or None,
            "mode": record.mode or None,
            "credentialId": record.credential_id,
            "status": record.status,
            "attempts": record.attempts,
            "firstByteMs": record.first_byte_ms,
            "totalMs": record.total_ms,
            "inputTokens": record.input_tokens,
            "outputTokens": record.output_tokens,
            "credits": record.credits,
            "stopReason": record.stop_reason or None,
            "error": record.outcome or None,
        }
        self._requests.appendleft(shown)
        return shown

    def latest(self, limit: int) -> list[Json]:
        """The newest first."""
        return list(islice(self._requests, limit))

    def rates(self) -> JsonObject:
        """``requestsPerMinute`` of the last minute, ``errorRate`` (0 to 1) of the last five."""
        self._forget_old()
        minute_ago = self._clock() - MINUTE
        requests = sum(second.requests for second in self._recent)
        failures = sum(second.failures for second in self._recent)
        return {
            "requestsPerMinute": sum(second.requests for second in self._recent if second.number > minute_ago),
            "errorRate": round(failures / requests, 4) if requests else 0.0,
        }

    def today(self) -> JsonObject:
        """Tokens and credits since midnight UTC, or since the start if that was later."""
        self._begin_day()
        return {
            "tokensToday": {"input": self._input_tokens, "output": self._output_tokens},
            "creditsToday": round(self._credits, 6),
        }

    def _begin_day(self) -> None:
        today = self._now().date()
        if today != self._day:
            self._day = today
            self._input_tokens = self._output_tokens = 0
            self._credits = 0.0

    def _forget_old(self) -> None:
        oldest = self._clock() - ERROR_RATE_SECONDS
        while self._recent and self._recent[0].number <= oldest:
            self._recent.popleft()
