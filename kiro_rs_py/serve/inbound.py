"""The request body, and the client's presence after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from kiro_rs_py.errors import BodyTimeout, RequestTooLarge, UnsupportedEncoding

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

# A body may take so long, and longer by what it brings: slow uplinks get through, a drip of bytes does not.
BODY_SECONDS = 60.0
BODY_BYTES_PER_SECOND = 16 * 1024
# How long an upload that was answered early is read and thrown away, so that the client gets to see the answer
# instead of a reset connection.
DISCARD_SECONDS = 10.0


def _hold_anything(size: int) -> None:
    pass


class ClientLeft(Exception):
    """The client hung up; there is nobody to answer."""


class Inbound:
    """What the client sends in one request. ``length`` is its content-length, if it named one, ``encoding`` its
    content-encoding.

    ``unread`` says whether body bytes may still be on their way, ``seconds`` how long :meth:`read` took.
    """

    def __init__(self, receive: Receive, *, length: int | None, chunked: bool, encoding: str = "") -> None:
        self._receive = receive
        self._encoding = encoding
        self._length = length
        self.unread = chunked or bool(length)
        self.seconds = 0.0

    async def read(self, limit: int, hold: Callable[[int], None] = _hold_anything) -> bytes:
        """The whole body. ``hold`` is told of bytes before they are kept, of all of them at once if the client named
        the length, and may raise.

        Raises :class:`UnsupportedEncoding` if it is compressed, :class:`RequestTooLarge` over ``limit`` bytes (at once,
        if the length is known), :class:`BodyTimeout` when it comes too slowly, :class:`ClientLeft`.
        """
        if self._encoding.strip().lower() not in ("", "identity"):
            raise UnsupportedEncoding("".join(filter(str.isprintable, self._encoding[:40])))
        held = self._length or 0
        if held > limit:
            raise RequestTooLarge(limit)
        hold(held)
        parts: list[bytes] = []
        size = 0
        started = trio.current_time()
        with trio.move_on_after(BODY_SECONDS) as patience:
            while True:
                message = await self._next()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise RequestTooLarge(limit)
                if size > held:
                    hold(size - held)
                    held = size
                if not message.get("more_body", False):
                    self.unread = False
                    self.seconds = trio.current_time() - started
                    return b"".join(parts)
                patience.deadline = started + BODY_SECONDS + size / BODY_BYTES_PER_SECOND
        raise BodyTimeout("The request body came too slowly.")

    async def discard(self) -> None:
        """Read on without keeping anything, to the end of the body or for :data:`DISCARD_SECONDS`."""
        with trio.move_on_after(DISCARD_SECONDS):
            try:
                while (await self._next()).get("more_body", False):
                    pass
            except ClientLeft:
                pass
        self.unread = False

    async def wait_until_gone(self) -> None:
        """Return when the client has hung up. Only after the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> Mapping[str, Any]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return message
