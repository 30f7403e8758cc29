"""One log line a request, and the request's id on every line logged for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import trio

logger = logging.getLogger(__name__)

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")


class RequestIdFilter(logging.Filter):
    """Gives every record a ``request_id``: the current request's, or an empty one. Always lets it pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class RequestRecord:
    """What is worth knowing of one request when it has ended.

    ``route`` is ours, never the path the client wrote, and ``model`` Kiro's id, so the line holds no text of the
    client. ``outcome`` is empty for a success, else an error's class name or ``client left``. ``attempts``,
    ``credential_id`` and ``waited`` (seconds spent waiting for the upstream) are counted by
    :class:`~kiro_rs_py.upstream.attempts.Tally`'s users.
    """

    def __init__(self, method: str, *, level: int = logging.INFO) -> None:
        self.method = method
        self.level = level
        self.route = "(unknown route)"
        self.key = ""
        """The id of the client key that was let in, ``config`` for the configured one."""
        self.status = 0
        self.outcome = ""
        self.model = ""
        self.mode = ""
        self.attempts = 0
        self.retries = 0
        self.searches = 0
        self.credential_id: int | None = None
        self.upstream_request_id: str | None = None
        self.waited = 0.0
        self.uploading = 0.0
        """Seconds spent reading the request's body."""
        self.input_tokens = 0
        self.output_tokens = 0
        self.credits = 0.0
        self.stop_reason = ""
        self._started = trio.current_time()
        self._first_byte: float | None = None
        self._ended: float | None = None

    def first_byte(self) -> None:
        """Call when the first byte of the answer's content goes out."""
        if self._first_byte is None:
            self._first_byte = trio.current_time()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as waiting for the upstream."""
        since = trio.current_time()
        try:
            yield
        finally:
            self.waited += trio.current_time() - since

    def end(self, status: int | None) -> None:
        """The request is over: write its line. Without a status nothing was answered: the client left before."""
        self.status = status or 0
        self._ended = trio.current_time()
        if logger.isEnabledFor(self.level):
            logger.log(self.level, "%s", self.line(), extra={"facts": self.facts()})

    # --- times, in seconds --------------------------------------------------------------------------------------

    @property
    def total(self) -> float:
        """From the request's head to the end of its answer; to now while it runs."""
        return (trio.current_time() if self._ended is None else self._ended) - self._started

    @property
    def first(self) -> float | None:
        """Until the first byte of the answer's content; None if there was none."""
        return None if self._first_byte is None else self._first_byte - self._started

    @property
    def own(self) -> float:
        """What the proxy itself took: the total without the waiting for the upstream and for the request's body.

        Writing to a client that reads slowly counts as ours.
        """
        return max(0.0, self.total - self.waited - self.uploading)

    @property
    def total_ms(self) -> int:
        return _milliseconds(self.total)

    @property
    def first_byte_ms(self) -> int | None:
        return None if self.first is None else _milliseconds(self.first)

    # --- showing ------------------------------------------------------------------------------------------------

    def line(self) -> str:
        """All in one line for people."""
        parts = [self.method, self.route, str(self.status or "-")]
        if self.key:
            parts.append(f"key={self.key}")
        if self.model:
            parts += [f"model={self.model}", f"mode={self.mode}", f"attempts={self.attempts}"]
            if self.credential_id is not None:
                parts.append(f"credential=#{self.credential_id}")
            if self.first_byte_ms is not None:
                parts.append(f"first={self.first_byte_ms}ms")
        if self.searches:
            parts.append(f"searches={self.searches}")
        parts.append(f"total={self.total_ms}ms")
        if self.model:
            parts += [f"upstream={_milliseconds(self.waited)}ms", f"own={_milliseconds(self.own)}ms"]
        if self.output_tokens:
            parts += [f"in={self.input_tokens}", f"out={self.output_tokens}"]
        if self.credits:
            parts.append(f"credits={self.credits:.4g}")
        if self.stop_reason:
            parts.append(f"stop={self.stop_reason}")
        if self.outcome:
            parts.append(f"({self.outcome})")
        return " ".join(parts)

    def facts(self) -> dict[str, object]:
        """The same for programs: members of the JSON log line. What does not apply is left out."""
        facts: dict[str, object] = {"method": self.method, "route": self.route, "status": self.status or None}
        if self.key:
            facts["key"] = self.key
        if self.model:
            facts |= {
                "model": self.model,
                "mode": self.mode,
                "attempts": self.attempts,
                "credential": self.credential_id,
                "upstream_request_id": self.upstream_request_id,
                "first_ms": self.first_byte_ms,
                "upstream_ms": _milliseconds(self.waited),
                "own_ms": _milliseconds(self.own),
                "input_tokens": self.input_tokens,
                "output_tokens": self.output_tokens,
                "credits": round(self.credits, 6),
                "searches": self.searches,
                "stop_reason": self.stop_reason or None,
            }
        return facts | {"total_ms": self.total_ms, "outcome": self.outcome or None}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
