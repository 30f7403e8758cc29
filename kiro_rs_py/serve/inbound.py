"""The request body, and the client's presence after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from kiro_rs_py.errors import BodyTimeout, RequestTooLarge

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

# A body may take so long, and longer by what it brings: slow uplinks get through, a drip of bytes does not.
BODY_SECONDS = 60.0
BODY_BYTES_PER_SECOND = 16 * 1024
# How long an upload that was answered early is read and thrown away, so that the client gets to see the answer
# instead of a reset connection.
DISCARD_SECONDS = 10.0


class ClientLeft(Exception):
    """The client hung up; there is nobody to answer."""


class Inbound:
    """What the client sends in one request. ``length`` is its content-length, if it named one.

    ``unread`` says whether body bytes may still be on their way, ``seconds`` how long :meth:`read` took.
    """

    def __init__(self, receive: Receive, *, length: int | None, chunked: bool) -> None:
        self._receive = receive
        self._length = length
        self.unread = chunked or bool(length)
        self.seconds = 0.0

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises :class:`RequestTooLarge` over ``limit`` bytes (at once, if the client named the
        length), :class:`BodyTimeout` when it comes too slowly, :class:`ClientLeft`."""
        if self._length is not None and self._length > limit:
            raise RequestTooLarge(limit)
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
