"""The requests under way: how many there may be, and how they end when the proxy does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from kiro_rs_py.errors import ProxyBusy


class InFlight:
    """``limit`` requests at once, 0 for no limit. ``closing`` once the proxy has begun to stop."""

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.closing = False
        self._scopes: set[trio.CancelScope] = set()
        self._empty = trio.Event()

    @property
    def running(self) -> int:
        return len(self._scopes)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Run one request inside. Raises :class:`ProxyBusy` when there is no room, when the proxy is stopping, and at
        the end of a block that :meth:`drain` cut short."""
        if self.closing:
            raise ProxyBusy("The proxy is shutting down. Try again in a moment.")
        if self.limit and len(self._scopes) >= self.limit:
            raise ProxyBusy(f"The proxy already serves {self.limit} requests, its limit. Try again in a moment.")
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
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
