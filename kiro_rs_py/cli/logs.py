"""Logging to stderr: filters such as ``info,upstream=debug``, text or JSON lines, secrets blacked out."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TextIO

PACKAGE = "kiro_rs_py"

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "off": logging.CRITICAL + 10,
}
_ROOMS = ("cli", "codec", "convert", "serve", "simulator", "upstream")
_RUST_CRATE = "kiro_rs"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# Their info lines repeat ours, with URLs.
_QUIET_LIBRARIES = ("httpx", "httpcore", "hypercorn")

# Tokens as they look wherever they turn up: bearer headers, refresh and access tokens of both login ways, API keys.
_TOKEN = re.compile(
    r"(?P<keep>bearer\s+|\"(?:access|refresh)Token\"\s*:\s*\"|\"clientSecret\"\s*:\s*\")[^\s\"]+"
    r"|\b(?:aor|aoa)[A-Za-z0-9+/=_:.-]{20,}|\bksk_[A-Za-z0-9_-]+|\beyJ[A-Za-z0-9_-]{20,}[A-Za-z0-9_.-]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """A level for our own loggers and overrides for parts: ``{"kiro_rs_py.upstream": logging.DEBUG}``."""

    level: int = logging.INFO
    parts: Mapping[str, int] = field(default_factory=dict)


def parse_log_filter(text: str) -> LogFilter:
    """Parse ``debug`` or ``info,upstream.pool=debug,httpx=warn``, also in Rust's spelling (``kiro_rs::kiro=debug``).

    :raises ValueError: with a sentence that names the bad part.
    """
    level = logging.INFO
    parts: dict[str, int] = {}
    for item in (piece.strip() for piece in text.split(",")):
        if not item:
            continue
        target, equals, word = item.rpartition("=")
        number = _LEVELS.get(word.strip().lower())
        if number is None or (equals and not target.strip()):
            raise ValueError(f'"{item}" is no log level; use {", ".join(_LEVELS)}, or module=level.')
        if equals:
            parts[_logger_name(target.strip())] = number
        else:
            level = number
    return LogFilter(level, parts)


def _logger_name(target: str) -> str:
    dotted = target.replace("::", ".").replace("-", "_")
    first = dotted.partition(".")[0]
    if first == _RUST_CRATE:
        return PACKAGE  # its modules have other names than ours
    return f"{PACKAGE}.{dotted}" if first in _ROOMS else dotted


def choose_log_filter(flag: str | None, environ: Mapping[str, str]) -> tuple[LogFilter, str | None]:
    """The filter to use, and a warning about one that cannot be read: flag, else ``KIRO_RS_LOG``, else ``RUST_LOG``.

    :raises ValueError: the flag is wrong. A wrong variable means info, as in kiro-rs (operations §1.2).
    """
    if flag is not None:
        return parse_log_filter(flag), None
    for name in ("KIRO_RS_LOG", "RUST_LOG"):
        text = environ.get(name)
        if text:
            try:
                return parse_log_filter(text), None
            except ValueError as exc:
                return LogFilter(), f"{name}: {exc}"
    return LogFilter(), None


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without tokens and without the given secrets."""
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return _TOKEN.sub(lambda match: f"{match['keep'] or ''}[secret]", text)


def on_one_line(text: str) -> str:
    """``text`` with control characters spelled out: a name that a client made up must not begin a line of its own."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class LineFormatter(logging.Formatter):
    """One record → one line; tracebacks follow indented (text) or as a member (JSON).

    Members in a record's ``facts``, a request's for example, become members of the JSON line.
    """

    def __init__(self, form: Literal["text", "json"], secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._form = form
        # Longest first: a key that is the beginning of another must not leave the other's tail.
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 8), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The redacted line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        message = redact(record.getMessage(), self._secrets)
        trace = redact(self.formatException(record.exc_info), self._secrets) if record.exc_info else None
        request_id = getattr(record, "request_id", None)
        if self._form == "json":
            line: dict[str, object] = {"time": stamp, "level": record.levelname.lower(), "logger": record.name}
            line["message"] = message
            if request_id:
                line["request_id"] = str(request_id)
            line |= getattr(record, "facts", {})
            if trace:
                line["traceback"] = trace
            return json.dumps(line, ensure_ascii=False)
        place = record.name.removeprefix(f"{PACKAGE}.")
        head = f"{stamp} {record.levelname:<7} {place}: {on_one_line(message)}"
        head += f" [{request_id}]" if request_id else ""
        return head + ("\n" + trace if trace else "")


def set_up_logging(
    chosen: LogFilter,
    form: Literal["text", "json"] = "text",
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> logging.Handler:
    """Send all log records to ``stream`` (stderr) and apply the filter. Returns the handler, for filters of others."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(form, secrets))
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(chosen.level)
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(chosen.level, logging.WARNING))
    for name, level in chosen.parts.items():
        logging.getLogger(name).setLevel(level)
    return handler
