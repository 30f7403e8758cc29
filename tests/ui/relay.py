"""A wire between browser and server that can be cut and mended, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from urllib.parse import urlsplit

import trio


class Relay:
    """``url`` is where the browser goes; everything is passed on to ``target``."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._cut = False
        self._scopes: set[trio.CancelScope] = set()
        self.token: trio.lowlevel.TrioToken | None = None
        self.url = ""

    def cut(self) -> None:
        """End all connections, and let none through."""
        trio.from_thread.run_sync(self._set, True, trio_token=self.token)

    def mend(self) -> None:
        trio.from_thread.run_sync(self._set, False, trio_token=self.token)

    def _set(self, cut: bool) -> None:
        self._cut = cut
        for scope in self._scopes if cut else ():
            scope.cancel()

    async def run(self, ready: SimpleQueue[trio.Event]) -> None:
        self.token = trio.lowlevel.current_trio_token()
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, host="127.0.0.1")
            listeners = await nursery.start(serve, self._pass_on, 0)
            self.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            ready.put(stop)
            await stop.wait()
            nursery.cancel_scope.cancel()

    async def _pass_on(self, browser: trio.SocketStream) -> None:
        if self._cut:
            return
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                server = await trio.open_tcp_stream(self._host, self._port)
                async with browser, server, trio.open_nursery() as nursery:
                    nursery.start_soon(_pump, browser, server)
                    nursery.start_soon(_pump, server, browser)
            finally:
                self._scopes.discard(scope)


async def _pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    try:
        async for chunk in source:
            await sink.send_all(chunk)
        await sink.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


@contextmanager
def open_relay(target: str) -> Iterator[Relay]:
    relay = Relay(target)
    ready: SimpleQueue[trio.Event] = SimpleQueue()
    thread = threading.Thread(target=trio.run, args=(relay.run, ready), daemon=True)
    thread.start()
    stop = ready.get(timeout=30)
    try:
        yield relay
    finally:
        trio.from_thread.run_sync(stop.set, trio_token=relay.token)
        thread.join()
