"""Failures and holds that a test orders for the next requests to a path."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import trio

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.asgi import Answer, compact


@dataclass(slots=True)
class Failure:
    """One ordered answer; see :meth:`~kiro_rs_py.simulator.app.Simulator.fail_next`."""

    status: int
    body: Json | bytes
    headers: Mapping[str, str]
    delay: float
    drop: bool

    def answer(self) -> Answer:
        """``body`` as it is if bytes, as text if a string, as JSON otherwise; nothing at all if None."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        content_type = headers.pop("content-type", None)
        if isinstance(self.body, bytes):
            body, default = self.body, "application/octet-stream"
        elif isinstance(self.body, str):
            body, default = self.body.encode(), "text/plain"
        else:
            body, default = b"" if self.body is None else compact(self.body).encode(), "application/json"
        return Answer(self.status, body, content_type or default, tuple(headers.items()))


class Hold:
    """A request that waits: ``arrived`` is set when it came, the test sets ``release``."""

    def __init__(self) -> None:
        self.arrived = trio.Event()
        self.release = trio.Event()


class Orders:
    """Queues by canonical path."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[Failure]] = {}
        self._holds: dict[str, deque[Hold]] = {}

    def fail(
        self,
        path: str,
        status: int,
        body: Json | bytes,
        headers: Mapping[str, str],
        *,
        times: int,
        delay: float,
        drop: bool,
    ) -> None:
        queue = self._failures.setdefault(path, deque())
        queue.extend(Failure(status, body, headers, delay, drop) for _ in range(times))

    def hold(self, path: str) -> Hold:
        hold = Hold()
        self._holds.setdefault(path, deque()).append(hold)
        return hold

    async def carry_out(self, path: str) -> Failure | None:
        """Waits where a hold or a delay wants it; the failure to answer with, if one was ordered."""
        if holds := self._holds.get(path):
            hold = holds.popleft()
            hold.arrived.set()
            await hold.release.wait()
        if failures := self._failures.get(path):
            failure = failures.popleft()
            await trio.sleep(failure.delay)
            return failure
        return None
