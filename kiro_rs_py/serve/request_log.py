"""One log line a request, and the request's id on every line logged for it."""

from __future__ import annotations

import logging
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
    client. ``outcome`` is empty for a success, else an error's class name or ``client left``.
    """

    def __init__(self, method: str, *, level: int = logging.INFO) -> None:
        self.method = method
        self.level = level
        self.route = "(unknown route)"
        self.status = 0
        self.outcome = ""
        self.model = ""
        self.mode = ""
        self.attempts = 0
        self.credential_id: int | None = None
        self.input_tokens = 0
        self.output_tokens = 0
        self.stop_reason = ""
        self._started = trio.current_time()
        self._first_byte: float | None = None

    def first_byte(self) -> None:
        """Call when the first byte of the answer's content goes out."""
        if self._first_byte is None:
            self._first_byte = trio.current_time()

    def log(self) -> None:
        """Write the line. Without a status nothing was answered: the client left before."""
        if logger.isEnabledFor(self.level):
            logger.log(self.level, "%s", self.line())

    def line(self) -> str:
        parts = [self.method, self.route, str(self.status or "-")]
        if self.model:
            parts += [f"model={self.model}", f"mode={self.mode}", f"attempts={self.attempts}"]
            if self.credential_id is not None:
                parts.append(f"credential=#{self.credential_id}")
            if self._first_byte is not None:
                parts.append(f"first={self._milliseconds(self._first_byte)}ms")
        parts.append(f"total={self._milliseconds(trio.current_time())}ms")
        if self.output_tokens:
            parts += [f"in={self.input_tokens}", f"out={self.output_tokens}"]
        if self.stop_reason:
            parts.append(f"stop={self.stop_reason}")
        if self.outcome:
            parts.append(f"({self.outcome})")
        return " ".join(parts)

    def _milliseconds(self, at: float) -> int:
        return round((at - self._started) * 1000)
