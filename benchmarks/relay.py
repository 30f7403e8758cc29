"""The limit on this stack: a Trio server that copies bytes both ways and understands none of them.

Run with ``python -m benchmarks.relay UPSTREAM_PORT``; prints its own port.
"""

from __future__ import annotations

import gc
import sys
from functools import partial

import trio

CHUNK = 65_536


async def _copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
    while data := await source.receive_some(CHUNK):
        await target.send_all(data)


async def _relay(upstream_port: int, client: trio.SocketStream) -> None:
    try:
        upstream = await trio.open_tcp_stream("127.0.0.1", upstream_port)
        async with client, upstream, trio.open_nursery() as nursery:

            async def up() -> None:
                await _copy(client, upstream)
                nursery.cancel_scope.cancel()

            nursery.start_soon(up)
            await _copy(upstream, client)
            nursery.cancel_scope.cancel()
    except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
        pass


async def main(upstream_port: int) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
    sys.stdout.write(f"{listener.socket.getsockname()[1]}\n")
    sys.stdout.flush()
    gc.freeze()
    await trio.serve_listeners(partial(_relay, upstream_port), [listener])


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
