"""The loop that accepts connections, and how it ends."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.logging import Logger as HypercornLogger
from hypercorn.typing import AppWrapper, ASGIFramework

from kiro_rs_py.serve.hardening import HardenedConnection, OpenConnections

logger = logging.getLogger(__name__)

# Also how long a client may take to send its head. Pooled clients reuse a connection within a minute.
KEEP_ALIVE_SECONDS = 75.0
MAX_HEAD_BYTES = 64 * 1024
ACCEPT_PAUSE_SECONDS = 0.1
ACCEPTS_AT_ONCE = 100


class _QuietLogger(HypercornLogger):
    """hypercorn's "Running on …" is not ours to say."""

    async def info(self, message: str, *args: Any, **kwargs: Any) -> None:
        pass


async def serve_connections(
    app: ASGIFramework,
    sockets: Sequence[socket.socket],
    *,
    stop: trio.Event,
    grace: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` on ``sockets``, which listen, until ``stop``; then close them.

    Idle connections are closed at once then, and requests still running after ``grace`` seconds are cancelled.
    """
    config = HypercornConfig()
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = sys.maxsize
    config.h11_max_incomplete_size = MAX_HEAD_BYTES
    config.include_server_header = False
    config.errorlog = logger
    config.logger_class = _QuietLogger
    context = OpenConnections()
    handle = partial(_contained, ASGIWrapper(app), config, context)
    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            for listener in sockets:
                accepting.start_soon(_accept, listener, handle, connections)
            task_status.started()
            await stop.wait()
            accepting.cancel_scope.cancel()
        await context.stop()
        connections.cancel_scope.deadline = trio.current_time() + grace


async def _accept(
    listener: socket.socket,
    handle: Callable[[socket.socket, Any], Awaitable[None]],
    connections: trio.Nursery,
) -> None:
    """Take all connections that wait. One in a turn of the scheduler, as ``trio.serve_listeners`` does it, lets them
    queue up when there is much to do in a turn: of 1,000 streams coming and going a third was never begun.

    Linux reports errors of a broken connection here (accept(2)); they do not end the server.
    """
    with listener:
        listener.setblocking(False)
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                for _ in range(ACCEPTS_AT_ONCE):
                    connections.start_soon(handle, *listener.accept())
            except BlockingIOError:
                pass  # those were all
            except OSError as exc:
                logger.warning("cannot accept a connection just now: %s", exc.strerror)
                await trio.sleep(ACCEPT_PAUSE_SECONDS)


async def _contained(
    app: AppWrapper, config: HypercornConfig, context: OpenConnections, sock: socket.socket, peer: Any
) -> None:
    try:
        await HardenedConnection(app, config, context, sock, peer).run()
    except* OSError:
        pass  # the peer is gone
    except* Exception as group:
        # Only the kind: the text of a protocol error may quote what the client sent.
        logger.warning("connection dropped: %s", ", ".join(type(exc).__name__ for exc in group.exceptions))
        logger.debug("connection dropped", exc_info=group)
