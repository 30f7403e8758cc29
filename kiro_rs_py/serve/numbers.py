"""The input tokens of one request: our calibrated estimate, a remote counter's number, and upstream's to learn from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.convert.tokens import TokenEstimate

if TYPE_CHECKING:
    # It brings httpx with it, which the listening socket need not wait for.
    from kiro_rs_py.upstream.counting import RemoteCounter

PATIENCE_SECONDS = 0.5
"""So long after it was asked a message may wait for the remote counter, if upstream has begun to answer by then."""

# Beyond that part of a request, what an image or a document costs is too uncertain to learn from.
_MOST_UNCERTAIN = 0.25


class Numbers:
    """``input_tokens`` is the best number there is for the request, which clients are told until upstream has told."""

    def __init__(self, estimate: TokenEstimate, upstream_id: str, calibrations: Calibrations) -> None:
        self._raw = estimate.total
        self._calibrations = calibrations
        self._upstream_id = upstream_id
        uncertain = estimate.images + estimate.documents
        self._teaches = uncertain <= self._raw * _MOST_UNCERTAIN
        self.input_tokens = calibrations.of(upstream_id).apply(self._raw)
        self._counted: trio.Event | None = None
        self._patience_ends = 0.0

    def expect(self, counter: RemoteCounter, body: bytes) -> Callable[[], Awaitable[None]]:
        """From now on there is a number to be expected. Asks for it when called, which should be at once and beside the
        request's other work; ``body`` is one for counting."""
        counted = self._counted = trio.Event()
        self._patience_ends = trio.current_time() + PATIENCE_SECONDS

        async def ask() -> None:
            self.input_tokens = await counter.count(body) or self.input_tokens
            counted.set()

        return ask

    async def settle(self) -> None:
        """Wait until :attr:`input_tokens` is final, within the patience."""
        if self._counted is not None:
            with trio.move_on_at(self._patience_ends):
                await self._counted.wait()

    def learn(self, figure: int | None) -> None:
        """Take in what upstream counted for the request, if it told."""
        if figure is not None and self._teaches:
            self._calibrations.learn(self._upstream_id, self._raw, figure)
