"""An upstream that answers at once, and costs little: for what the simulator is too slow to measure.

Every request gets the same bytes: ``--events`` text frames, each a chunk of its own, then the end. Run with
``python -m benchmarks.canned [--events N]``; prints its own port.
"""

from __future__ import annotations

import argparse
import gc
import sys
from functools import partial

import trio

from kiro_rs_py.codec.frame import event_frame

READ_BYTES = 1 << 20
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nx-amzn-requestid: 1234\r\n"
    b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
)
# As large as the simulator's paced events, marks included (the load generator counts those).
TEXT = "@0000000000000000@" + "lorem ipsum " * 10 + "lo"


def answer_of(events: int) -> bytes:
    """The bytes of the whole response."""
    text = event_frame("assistantResponseEvent", f'{{"content":"{TEXT}"}}'.encode())
    usage = event_frame("contextUsageEvent", b'{"contextUsagePercentage":1.5}')
    chunks = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in (*[text] * events, usage)]
    return b"".join([HEAD, *chunks, b"0\r\n\r\n"])


async def _serve(answer: bytes, client: trio.SocketStream) -> None:
    try:
        async with client:
            if await _read_request(client):
                await client.send_all(answer)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def _read_request(client: trio.SocketStream) -> bool:
    """Read one request to its end and forget it; False if the client left before."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        data = await client.receive_some(READ_BYTES)
        if not data:
            return False
        received += data
    lines = received[:end].lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    missing = length - (len(received) - end - 4)
    while missing > 0:
        data = await client.receive_some(READ_BYTES)
        if not data:
            return False
        missing -= len(data)
    return True


async def main(events: int) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
    sys.stdout.write(f"{listener.socket.getsockname()[1]}\n")
    sys.stdout.flush()
    gc.freeze()
    await trio.serve_listeners(partial(_serve, answer_of(events)), [listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20)
    trio.run(main, parser.parse_args().events)
