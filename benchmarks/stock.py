"""The proxy as it is, but on httpx's stock transport: what our own transport buys in short answers.

Run with ``python -m benchmarks.stock`` and the program's arguments. Only for answers that are read to their end: the
stock transport cannot close a connection at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

from kiro_rs_py.cli import main
from kiro_rs_py.upstream.http import HttpClients


class StockBody:
    """What :class:`kiro_rs_py.upstream.stream.KiroStream` reads from."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def receive(self) -> bytes:
        return await anext(self._pieces, b"")

    def expire(self) -> None:
        pass

    def close(self) -> None:
        pass


class StockTransport:
    """In place of :class:`kiro_rs_py.upstream.transport.TrioTransport`."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.AsyncClient(trust_env=False, limits=limits)

    async def open_response(self, request: httpx.Request) -> tuple[httpx.Response, StockBody]:
        response = await self._client.send(request, stream=True)
        return response, StockBody(response.aiter_raw())


def use_stock_transport() -> None:
    """For this process, from now on."""
    transport = StockTransport()

    def stock(_clients: HttpClients, _credential: object = None) -> Any:
        return transport

    HttpClients.transport = stock  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    use_stock_transport()
    main()
