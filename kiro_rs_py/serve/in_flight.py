"""The requests under way: how many there may be and how much of them, and how they end when the proxy does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from kiro_rs_py.errors import ProxyBusy


class InFlight:
    """``limit`` requests at once and ``most_bytes`` of their bodies, 0 for no limit. ``closing`` once the proxy has
    begun to stop, ``held_bytes`` are those in memory."""

    def __init__(self, limit: int = 0, most_bytes: int = 0) -> None:
        self.limit = limit
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self.closing = False
        self._scopes: set[trio.CancelScope] = set()
        self._empty = trio.Event()

    @property
    def running(self) -> int:
        return len(self._scopes)

    @contextmanager
    def enter(self) -> Iterator[Load]:
        """Run one request inside, with its part of the memory. Raises :class:`ProxyBusy` when there is no room, when
        the proxy is stopping, and at the end of a block that :meth:`drain` cut short."""
        if self.closing:
            raise ProxyBusy("The proxy is shutting down. Try again in a moment.")
        if self.limit and len(self._scopes) >= self.limit:
            raise ProxyBusy(f"The proxy already serves {self.limit} requests, its limit. Try again in a moment.")
        load = Load(self)
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield load
            finally:
                load.let_go()
                self._scopes.discard(scope)
                if not self._scopes:
                    self._empty.set()
        if scope.cancelled_caught:
            raise ProxyBusy("The proxy is shutting down and had to end this answer. Try again in a moment.")

    async def drain(self, grace: float) -> None:
        """Let no more in, give those under way ``grace`` seconds, then cut them short."""
        self.closing = True
        with trio.move_on_after(grace):
            while self._scopes:
                self._empty = trio.Event()
                await self._empty.wait()
        for scope in self._scopes:
            scope.cancel()


class Load:
    """The bytes that one request holds in memory."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._bytes = 0

    def add(self, size: int) -> None:
        """Hold ``size`` bytes more. Raises :class:`ProxyBusy` when there is no room for them."""
        whole = self._in_flight
        if whole.most_bytes and whole.held_bytes + size > whole.most_bytes:
            raise ProxyBusy("The proxy holds as many bytes of requests as it may. Try again in a moment.")
        whole.held_bytes += size
        self._bytes += size

    def let_go(self) -> None:
        """Hold none any more; it may be called again."""
        self._in_flight.held_bytes -= self._bytes
        self._bytes = 0
