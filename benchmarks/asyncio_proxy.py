"""A plain asyncio proxy that makes the same conversion calls: what the program would be without Trio and hypercorn.

No keys, no accounts, no deadlines, no pings: asyncio's streams, one upstream connection a request, one write a read.
Run with ``python -m benchmarks.asyncio_proxy UPSTREAM_PORT``; prints its own port.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from functools import partial

from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.convert.events import parse_event
from kiro_rs_py.convert.kiro import encode_request
from kiro_rs_py.convert.message_events import MessageStreamEvent, encode_events
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.convert.request import ConversionOptions, RequestIds, convert_request
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.convert.tokens import estimate_request

OPTIONS = ConversionOptions(ModelCatalog())
UPSTREAM_HEAD = (
    "POST /generateAssistantResponse HTTP/1.1\r\nhost: q\r\ncontent-type: application/json\r\n"
    "authorization: Bearer ksk_simulated_demo_key\r\ntokentype: API_KEY\r\nconnection: close\r\n"
    "content-length: {}\r\n\r\n"
)


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length.partition(b":")[2]))


async def _answer(upstream_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = parse_messages_request(await _body(reader))
    conversion = convert_request(request, ids=RequestIds("c" * 36, "d" * 36), options=OPTIONS)
    machine = MessageStream(
        message_id="msg_benchmark",
        model=request.model,
        thinking=conversion.thinking,
        tool_names=conversion.tool_names,
        input_estimate=estimate_request(request).total,
        window=conversion.model.window,
    )
    body = encode_request(conversion.state)
    upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", upstream_port)
    upstream_writer.write(UPSTREAM_HEAD.format(len(body)).encode() + body)
    await upstream_reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    decoder = EventStreamDecoder()
    while (size := int(await upstream_reader.readuntil(b"\r\n"), 16)) > 0:
        decoder.receive_data((await upstream_reader.readexactly(size + 2))[:-2])
        events: list[MessageStreamEvent] = []
        while (frame := decoder.next_frame()) is not None:
            if (event := parse_event(frame)) is not None:
                events += machine.receive(event)
        if events:
            _write(writer, encode_events(events))
            await writer.drain()
    _write(writer, encode_events(machine.finish()))
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    for end in (writer, upstream_writer):
        end.close()


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def main(upstream_port: int) -> None:
    server = await asyncio.start_server(partial(_answer, upstream_port), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    gc.freeze()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
