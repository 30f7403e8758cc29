"""The requests of late, without their content: what the activity screen and the overview are made from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.request_log import RequestRecord
from kiro_rs_py.upstream.credential import format_time

MOST_REQUESTS = 500
ROUTES = frozenset({"/v1/messages", "/cc/v1/messages"})
MINUTE = 60.0
ERROR_RATE_SECONDS = 300.0
"""The share of failures is that of the last five minutes."""


@dataclass(frozen=True, slots=True)
class Served:
    """One message request. ``at`` is on the activity's clock, ``time`` on the wall."""

    at: float
    time: datetime
    request_id: str
    route: str
    model: str
    mode: str
    credential_id: int | None
    status: int
    attempts: int
    first_byte_ms: int | None
    total_ms: int
    input_tokens: int
    output_tokens: int
    credits: float
    stop_reason: str
    outcome: str

    @property
    def failed(self) -> bool:
        """Whether it went wrong on our side of the wire: a client that hangs up has not failed."""
        return bool(self.outcome) and self.outcome != "client left"

    def to_json(self) -> JsonObject:
        return {
            "time": format_time(self.time),
            "requestId": self.request_id,
            "route": self.route,
            "model": self.model or None,
            "mode": self.mode or None,
            "credentialId": self.credential_id,
            "status": self.status,
            "attempts": self.attempts,
            "firstByteMs": self.first_byte_ms,
            "totalMs": self.total_ms,
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "credits": self.credits,
            "stopReason": self.stop_reason or None,
            "error": self.outcome or None,
        }


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
        self._requests: deque[Served] = deque(maxlen=MOST_REQUESTS)
        # Requests and failures of each second: the ring may be too short for a busy minute.
        self._recent: deque[_Second] = deque()
        self._day: date | None = None
        self._input_tokens = self._output_tokens = 0
        self._credits = 0.0

    def note(self, record: RequestRecord, request_id: str) -> Served | None:
        """Take a request that has ended; None if it was not one for a message."""
        if record.route not in ROUTES:
            return None
        served = Served(
            at=self._clock(),
            time=self._now(),
            request_id=request_id,
            route=record.route,
            model=record.model,
            mode=record.mode,
            credential_id=record.credential_id,
            status=record.status,
            attempts=record.attempts,
            first_byte_ms=record.first_byte_ms,
            total_ms=record.total_ms,
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
            credits=record.credits,
            stop_reason=record.stop_reason,
            outcome=record.outcome,
        )
        self._requests.appendleft(served)
        self._forget_old()
        if not self._recent or self._recent[-1].number != int(served.at):
            self._recent.append(_Second(int(served.at)))
        self._recent[-1].requests += 1
        self._recent[-1].failures += served.failed
        self._begin_day()
        self._input_tokens += served.input_tokens
        self._output_tokens += served.output_tokens
        self._credits += served.credits
        return served

    def latest(self, limit: int) -> list[Json]:
        """The newest first."""
        return [served.to_json() for _, served in zip(range(limit), self._requests, strict=False)]

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
