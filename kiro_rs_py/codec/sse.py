"""Server-Sent Events, both ways, by the rules of the HTML standard ("Interpreting an event stream").

We write one ``event:`` and one ``data:`` line with LF. We read what any server may send: LF, CR or CRLF, a byte order
mark, comments, no space after the colon, several ``data:`` lines, pieces cut anywhere. The reader is
there for tests and benchmarks; the clients of this proxy bring their own.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Final, NamedTuple

from kiro_rs_py.errors import CodecError, TruncatedStream

# An event is one frame's worth of text: the same bound, for the same reason (frame.py).
MAX_EVENT_BYTES: Final = 16 * 2**20

_LINE_END: Final = re.compile(rb"[\r\n]")
_TEXT_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_LF: Final = ord("\n")
_CR: Final = ord("\r")


class ServerSentEvent(NamedTuple):
    """``event`` is the event's type, ``message`` if the stream names none."""

    event: str
    data: str


def encode_sse(event: str, data: str) -> str:
    """The text of one event.

    Each line of ``data`` gets its own ``data:`` line, so that it is read back with LF between its lines.
    Raises ValueError if ``event`` has a line break, which would forge a field.
    """
    if _TEXT_LINE_END.search(event):
        raise ValueError("an SSE event name is one line")
    lines = "\ndata: ".join(_TEXT_LINE_END.split(data))
    return f"event: {event}\ndata: {lines}\n\n"


class SSEDecoder:
    """Takes bytes, gives events::

        decoder.receive_data(data)
        while (event := decoder.next_event()) is not None: ...

    ``id`` and ``retry`` are skipped, since nobody here reconnects. Bytes that are not UTF-8 become U+FFFD, as the
    standard asks. After an error every call raises it again. ``max_event_bytes`` bounds the ``data`` lines of an event.
    """

    __slots__ = (
        "_after_cr",
        "_at_start",
        "_buffer",
        "_data",
        "_data_bytes",
        "_event",
        "_failure",
        "_max_event_bytes",
        "_scanned",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._scanned = 0  # this much of the buffer has no line end: not searched again when more comes
        self._at_start = True
        self._after_cr = False  # a LF that comes next belongs to the line end that was seen already
        self._event = ""
        self._data: list[str] = []
        self._data_bytes = 0
        self._failure: str | None = None

    def receive_data(self, data: bytes) -> None:
        """Store bytes for :meth:`next_event`.

        Raises CodecError if an error was raised before, or if more than ``max_event_bytes`` lie undecoded, which does
        not happen to a caller that takes all events after each call.
        """
        self._check_alive()
        self._check_size(len(self._buffer))
        self._buffer += data

    def next_event(self) -> ServerSentEvent | None:
        """The next complete event; None if more bytes are needed first.

        Raises CodecError when an event is larger than ``max_event_bytes``.
        """
        self._check_alive()
        while (line := self._next_line()) is not None:
            if line:
                self._receive_field(line)
            elif self._data:
                return self._finish_event()
            else:
                self._event = ""
        self._check_size(len(self._buffer) + self._data_bytes)
        return None

    def receive_eof(self) -> None:
        """Say that the stream has ended. To be called after :meth:`next_event` has returned None.

        Raises TruncatedStream if it ended inside an event (the standard would drop that event silently), CodecError if
        an error was raised before.
        """
        self._check_alive()
        if self._buffer or self._data or self._event:
            pending = len(self._buffer) + self._data_bytes
            raise TruncatedStream(f"the stream ended inside an event, {pending} bytes into its data")

    def _next_line(self) -> bytes | None:
        """The next complete line without its end. A CR ends a line at once: a LF may never come."""
        buffer = self._buffer
        if self._after_cr and buffer:
            self._after_cr = False
            if buffer[0] == _LF:
                del buffer[:1]
        match = _LINE_END.search(buffer, self._scanned)
        if match is None:
            self._scanned = len(buffer)
            return None
        end = match.start()
        line = bytes(buffer[:end])
        self._after_cr = buffer[end] == _CR
        del buffer[: end + 1]
        self._scanned = 0
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(BOM_UTF8)
        return line

    def _receive_field(self, line: bytes) -> None:
        # A comment is a field with an empty name here, and unknown fields are skipped.
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data_bytes += len(line) + 1  # the whole line: else empty ones would count nothing
            self._check_size(self._data_bytes)
            self._data.append(value.removeprefix(b" ").decode(errors="replace"))
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode(errors="replace")

    def _finish_event(self) -> ServerSentEvent:
        event = ServerSentEvent(self._event or "message", "\n".join(self._data))
        self._event = ""
        self._data.clear()
        self._data_bytes = 0
        return event

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise CodecError(self._failure)

    def _check_size(self, size: int) -> None:
        if size > self._max_event_bytes:
            self._failure = f"{size} bytes lie in an unfinished event, at most {self._max_event_bytes} are allowed"
            self._buffer.clear()
            self._data.clear()
            raise CodecError(self._failure)
