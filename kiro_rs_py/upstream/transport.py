"""The transport under every httpx client of ours: HTTP/1.1 on Trio, one connection a call.

httpx's stock pool scans all its connections for each request, collapses at about 250 streams, and loses slots when
requests are cancelled (stack.md P6, P7). The upstream asks for ``connection: close`` (upstream-protocol §1.1), so there
is no pool here at all: connect, one exchange, close. Cancellation closes the socket before it travels on.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal, TypeAlias, TypedDict

import httpx
import trio

from kiro_rs_py.upstream.http1 import ResponseHead, ResponseReader, encode_head
from kiro_rs_py.upstream.links import Link
from kiro_rs_py.upstream.proxy import Proxy, ProxyExceptions
from kiro_rs_py.upstream.tunnel import Target, open_link, proxy_authorization


class _Timeouts(TypedDict, total=False):
    """httpx's ``timeout`` extension: seconds, None for no limit; ``pool`` does not apply."""

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None


class ResponseBody(httpx.AsyncByteStream):
    """The body of one response: each ``receive`` is one read of the socket, decoded from its framing.

    ``close`` is synchronous and final, and harmless when repeated.
    """

    def __init__(
        self, link: Link, reader: ResponseReader, first: bytes, *, read_timeout: float | None, limit: int | None
    ) -> None:
        self._link = link
        self._reader = reader
        self._first = first
        self._read_timeout = read_timeout
        self._limit = limit
        self._size = 0
        self._expired = False

    async def receive(self) -> bytes:
        """The next bytes of the body, ``b""`` after the last. Raises ``httpx.TransportError``; closes when it does."""
        piece, self._first = self._first, b""
        try:
            while not piece and not self._reader.ended:
                if self._read_timeout is None:
                    data = await self._link.receive()
                else:
                    with trio.fail_after(self._read_timeout):
                        data = await self._link.receive()
                if data:
                    piece = self._reader.receive_data(data)
                else:
                    self._reader.receive_eof()
            self._size += len(piece)
            if self._limit is not None and self._size > self._limit:
                raise httpx.RemoteProtocolError(f"The response is larger than {self._limit} bytes.")
        except (OSError, trio.TooSlowError, trio.ClosedResourceError) as exc:
            self.close()
            if self._expired:
                raise httpx.ReadTimeout("The server went silent.") from exc
            raise _translated("read", exc) from exc
        except BaseException:
            self.close()
            raise
        if not piece:
            self.close()
        return piece

    def expire(self) -> None:
        """Let a waiting ``receive`` end with ``httpx.ReadTimeout``: what a watchdog does (stack.md P9)."""
        self._expired = True
        self.close()

    def close(self) -> None:
        self._link.close()

    async def aclose(self) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.receive()
        if not piece:
            raise StopAsyncIteration
        return piece


class TrioTransport(httpx.AsyncBaseTransport):
    """One connection a request, through ``proxy`` unless ``exceptions`` cover the target.

    ``tls`` gives the shared context when first needed. ``max_body_bytes`` bounds a response's body (None: streams).
    Honours the ``timeout`` extension: ``connect`` spans name, socket, proxy and TLS together; ``write`` the whole
    request; ``read`` each read, and the whole response head. Raises ``httpx.TransportError`` only.
    """

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        *,
        proxy: Proxy | None = None,
        exceptions: ProxyExceptions | None = None,
        max_body_bytes: int | None = None,
    ) -> None:
        self._tls = tls
        self._proxy = proxy
        self._exceptions = exceptions or ProxyExceptions()
        self._max_body_bytes = max_body_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response, _ = await self.open_response(request)
        return response

    async def open_response(self, request: httpx.Request) -> tuple[httpx.Response, ResponseBody]:
        """Send ``request`` and read the response's head; the body is the response's stream, under its own type.

        Streams are read from the body itself: httpx's ``aiter_raw`` is two async generators around it, which cost
        time and are left to the garbage collector when a stream is not read to its end (style §3.4). The caller
        closes the body.
        """
        timeouts: _Timeouts = request.extensions.get("timeout", {})
        target = _target(request.url)
        proxy = self._proxy
        if proxy is not None and self._exceptions.cover(proxy, target.host, target.port):
            proxy = None
        await request.aread()
        data = _encode(request, target, proxy)
        with _limited("connect", timeouts):
            link = await open_link(target, proxy, self._tls)
        try:
            head, reader, first = await _exchange(link, data, request.method.encode("ascii"), timeouts)
        except BaseException:
            link.close()
            raise
        body = ResponseBody(link, reader, first, read_timeout=timeouts.get("read"), limit=self._max_body_bytes)
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": head.reason}
        return httpx.Response(head.status, headers=head.headers, stream=body, extensions=extensions), body


def _target(url: httpx.URL) -> Target:
    if url.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol(f"Cannot speak {url.scheme!r}.")
    secure = url.scheme == "https"
    return Target(secure, url.raw_host.decode("ascii"), url.port or (443 if secure else 80))


def _encode(request: httpx.Request, target: Target, proxy: Proxy | None) -> bytes:
    """The whole request. Plain http through an HTTP proxy is in absolute form (RFC 9112 §3.2.2)."""
    path = request.url.raw_path
    headers = request.headers.raw
    if proxy is not None and not target.secure and proxy.scheme in ("http", "https"):
        path = b"http://" + request.url.netloc + path
        headers = [*headers, *proxy_authorization(proxy)]
    return encode_head(request.method.encode("ascii"), path, headers) + request.content


async def _exchange(
    link: Link, data: bytes, method: bytes, timeouts: _Timeouts
) -> tuple[ResponseHead, ResponseReader, bytes]:
    """Send the request, read up to the end of the response head. Returns the body bytes that came with it, too."""
    write_error: httpx.WriteError | None = None
    try:
        with _limited("write", timeouts):
            await link.send(data)
    except httpx.WriteError as exc:
        # A server that refuses a large body answers early and closes; its answer may be there to be read.
        write_error = exc
    reader = ResponseReader(method)
    first = b""
    try:
        with _limited("read", timeouts):
            while reader.head is None:
                received = await link.receive()
                if received:
                    first = reader.receive_data(received)
                else:
                    reader.receive_eof()
    except (httpx.ReadError, httpx.RemoteProtocolError):
        if write_error is not None:
            raise write_error from None
        raise
    return reader.head, reader, first


_Step: TypeAlias = Literal["connect", "read", "write"]
_TIMEOUTS = {"connect": httpx.ConnectTimeout, "read": httpx.ReadTimeout, "write": httpx.WriteTimeout}
_ERRORS = {"connect": httpx.ConnectError, "read": httpx.ReadError, "write": httpx.WriteError}


@contextmanager
def _limited(step: _Step, timeouts: _Timeouts) -> Iterator[None]:
    """The time limit of a step, and its failures as httpx's exceptions."""
    seconds = timeouts.get(step)
    try:
        with nullcontext() if seconds is None else trio.fail_after(seconds):
            yield
    except (OSError, trio.TooSlowError, trio.ClosedResourceError) as exc:
        raise _translated(step, exc) from exc


def _translated(step: _Step, error: Exception) -> httpx.TransportError:
    """Trio's or the system's exception as httpx's, by what was being done."""
    if isinstance(error, trio.TooSlowError):
        return _TIMEOUTS[step](f"Timed out ({step}).")
    return _ERRORS[step](str(error))
