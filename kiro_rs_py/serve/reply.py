"""The answer to one request: whole, or as a stream of Server-Sent Events."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.message_events import Ping, encode_events, error_body
from kiro_rs_py.convert.surrogates import well_formed
from kiro_rs_py.serve.errors import ErrorAnswer
from kiro_rs_py.serve.inbound import Inbound

Send = Callable[[Any], Awaitable[None]]
Header = tuple[bytes, bytes]

_PING = encode_events([Ping()])
_SSE_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # nginx holds streams back otherwise.
    (b"x-accel-buffering", b"no"),
)


class Reply:
    """``common`` headers go out with every answer. ``started`` once a status was sent, ``status`` which one."""

    def __init__(self, send: Send, inbound: Inbound, request_id: str, common: Iterable[Header] = ()) -> None:
        self._send = send
        self._inbound = inbound
        self._request_id = request_id
        # What a model said is never a page or a script, whatever a browser makes of it (operations §10.1 S12).
        self._common = ((b"request-id", request_id.encode()), (b"x-content-type-options", b"nosniff"), *common)
        # The pump and the pings write to one stream. A flag, since a lock costs each event more than its encoding.
        self._writing = False
        self._waiting = trio.lowlevel.ParkingLot()
        self._last_write = trio.current_time()
        self.status: int | None = None

    @property
    def started(self) -> bool:
        return self.status is not None

    # --- whole answers ------------------------------------------------------------------------------------------

    async def json(self, status: int, body: Mapping[str, object], headers: Iterable[Header] = ()) -> None:
        """Answer with one JSON document."""
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        await self.whole(status, well_formed(text).encode(), b"application/json", headers)

    async def error(self, answer: ErrorAnswer) -> None:
        """Answer with the error envelope (PRODUCT §3)."""
        envelope: JsonObject = error_body(answer.type, answer.message, self._request_id, answer.error_code)
        await self.json(answer.status, envelope, answer.headers)

    async def whole(self, status: int, body: bytes, content_type: bytes, headers: Iterable[Header] = ()) -> None:
        """Answer with ``body``. If the request's body is still coming, it is read and thrown away before the last
        byte of ours, so that the client sees the answer whether or not it looks while it sends."""
        described = ((b"content-type", content_type), (b"content-length", b"%d" % len(body)))
        await self._start(status, (*described, *headers))
        if self._inbound.unread:
            await self._body(body, more=True)
            await self._inbound.discard()
            body = b""
        await self._body(body, more=False)

    async def empty(self, status: int, headers: Iterable[Header] = ()) -> None:
        """Answer without a body."""
        await self._start(status, headers)
        await self._body(b"", more=False)

    # --- streams ------------------------------------------------------------------------------------------------

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """Send ``data``, whole Server-Sent Events, in one piece; the first call also starts the answer, ``last`` ends
        it."""
        while self._writing:
            await self._waiting.park()
        self._writing = True
        try:
            if self.status is None:
                await self._start(200, _SSE_HEADERS)
            await self._body(data, more=not last)
            self._last_write = trio.current_time()
        finally:
            self._writing = False
            if self._waiting:
                self._waiting.unpark()

    async def finish(self) -> None:
        """End the stream properly."""
        await self._body(b"", more=False)

    async def keep_alive(self, interval: float, *, hold: float) -> float:
        """Ping if there was silence for ``interval`` seconds. When to come again, in Trio's seconds.

        While no event has come the stream is not started before ``hold`` seconds: until then a failure can still be
        answered with a status.
        """
        now = trio.current_time()
        due = self._last_write + (interval if self.started else hold)
        if now >= due:
            # Something being written is sign of life enough.
            if not self._writing:
                await self.write(_PING)
            return trio.current_time() + interval
        return min(due, now + interval)

    # --- ASGI ---------------------------------------------------------------------------------------------------

    async def _start(self, status: int, headers: Iterable[Header]) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *self._common]})

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
