"""Live events for the administration's page: Server-Sent Events to every open page (PRODUCT §6).

Each page has a short queue. One that does not read falls behind and is cut off; it connects again and gets the whole
picture. So nobody slows anybody down, and no queue grows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import trio

from kiro_rs_py.codec.sse import encode_sse
from kiro_rs_py.convert.surrogates import well_formed
from kiro_rs_py.serve.admin.refusals import too_many
from kiro_rs_py.serve.app import Call
from kiro_rs_py.serve.inbound import ClientLeft

MOST_STREAMS = 20
QUEUE_LENGTH = 64
KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": keep-alive\n\n"


class Subscriber:
    """One open page; ``scope`` ends its stream."""

    def __init__(self) -> None:
        self._sender, self._receiver = trio.open_memory_channel[bytes](QUEUE_LENGTH)
        self.scope = trio.CancelScope()

    def push(self, chunk: bytes) -> None:
        try:
            self._sender.send_nowait(chunk)
        except trio.WouldBlock:
            self.scope.cancel()

    def end(self) -> None:
        """End the stream properly, after what is queued."""
        self._sender.close()

    async def next_chunk(self) -> bytes | None:
        """What comes next, a sign of life if nothing does; None at the end."""
        chunk = KEEP_ALIVE
        with trio.move_on_after(KEEP_ALIVE_SECONDS):
            try:
                chunk = await self._receiver.receive()
            except trio.EndOfChannel:
                return None
        return chunk


class Hub:
    """All open pages."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscribers)

    def publish(self, event: str, body: Mapping[str, object]) -> None:
        """Send an event to every page, at once and without waiting."""
        if self._subscribers and not self._closed:
            chunk = encode(event, body)
            for subscriber in self._subscribers:
                subscriber.push(chunk)

    def close(self) -> None:
        """The server is stopping: streams have no end of their own that it could wait for."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.end()

    async def stream(self, call: Call, first: bytes, is_allowed: Callable[[], bool]) -> None:
        """Answer ``call`` with events, ``first`` before all others, until the page leaves or may not stay.

        Raises Refusal (429) when there are too many pages, and ClientLeft.
        """
        if len(self._subscribers) >= MOST_STREAMS:
            raise too_many("too_many_streams", f"{MOST_STREAMS} pages are watching already.", KEEP_ALIVE_SECONDS)
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        left = False
        try:
            async with trio.open_nursery() as nursery:

                async def watch() -> None:
                    nonlocal left
                    await call.inbound.wait_until_gone()
                    left = True
                    nursery.cancel_scope.cancel()

                nursery.start_soon(watch)
                with subscriber.scope:
                    await call.reply.write(first)
                    if not self._closed:
                        while (chunk := await subscriber.next_chunk()) is not None and is_allowed():
                            await call.reply.write(chunk)
                    await call.reply.finish()
                nursery.cancel_scope.cancel()
        finally:
            self._subscribers.discard(subscriber)
        if left:
            raise ClientLeft


def encode(event: str, body: Mapping[str, object]) -> bytes:
    """One event as bytes."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return encode_sse(event, well_formed(text)).encode()
