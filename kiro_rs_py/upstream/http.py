"""How we build httpx clients: one TLS context, one client for each way out (operations §8.2)."""

from __future__ import annotations

import ssl
from collections import OrderedDict
from types import TracebackType
from typing import Self

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import UpstreamTimeout
from kiro_rs_py.upstream.failures import translate_transport_error
from kiro_rs_py.upstream.proxy import Proxy, ProxyExceptions, ProxySettings, effective_proxy
from kiro_rs_py.upstream.tls import build_tls_context
from kiro_rs_py.upstream.transport import TrioTransport

CALL_SECONDS = 30.0
"""How long a control call (refresh, usage, models, profiles, search) may take in all (operations §8.2)."""

MAX_CALL_BODY_BYTES = 8 * 2**20
"""Far above any control answer seen; a bound, so that a wrong server cannot fill the memory."""

MAX_PROXIES = 64
"""Clients kept at once; more different proxies than that push out the least recently used."""


class HttpClients:
    """All HTTP leaves through here. Use as an async context manager, or call ``aclose`` at the end.

    Every way out has a ``client`` for control calls (whole answers, bounded) and a ``transport`` for streams. Neither
    follows redirects, reads proxies from the environment or adds headers of its own; proxies come from the credential,
    else from the configuration. All methods raise ConfigError for a proxy URL or CA file that cannot be used.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._exceptions = ProxyExceptions(config.no_proxy)
        self._tls: ssl.SSLContext | None = None
        self._clients: OrderedDict[Proxy | None, httpx.AsyncClient] = OrderedDict()

    def client(self, credential: ProxySettings | None = None) -> httpx.AsyncClient:
        """The client for control calls by ``credential``; None for calls that belong to no account.

        It raises httpx's exceptions. Prefer :meth:`call`, which raises ours.
        """
        proxy = effective_proxy(self._config, credential)
        client = self._clients.get(proxy)
        if client is None:
            client = self._clients[proxy] = self._build_client(proxy)
            if len(self._clients) > MAX_PROXIES:
                # Nothing to wait for: calls of the forgotten client hold their own sockets and finish.
                self._clients.popitem(last=False)
        self._clients.move_to_end(proxy)
        return client

    def transport(self, credential: ProxySettings | None = None) -> TrioTransport:
        """The transport for streams by ``credential``: no limit on body or silence, the reader watches both."""
        proxy = effective_proxy(self._config, credential)
        return TrioTransport(self._tls_context, proxy=proxy, exceptions=self._exceptions)

    async def call(
        self, request: httpx.Request, credential: ProxySettings | None = None, *, seconds: float = CALL_SECONDS
    ) -> httpx.Response:
        """One control call, answered and read within ``seconds``, whatever its status.

        The request's headers are sent as they are, so it must carry ``host`` and, with a body, ``content-length``
        (``httpx.Request(..., content=...)`` sees to both). Raises UpstreamUnavailable and UpstreamTimeout.
        """
        with trio.move_on_after(seconds):
            try:
                return await self.client(credential).send(request)
            except httpx.RequestError as exc:
                raise translate_transport_error(exc) from exc
        raise UpstreamTimeout(f"The service did not answer within {seconds:g} seconds.")

    def _build_client(self, proxy: Proxy | None) -> httpx.AsyncClient:
        transport = TrioTransport(
            self._tls_context, proxy=proxy, exceptions=self._exceptions, max_body_bytes=MAX_CALL_BODY_BYTES
        )
        timeout = httpx.Timeout(CALL_SECONDS, connect=self._config.connect_timeout_seconds)
        client = httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout)
        # httpx would add accept-encoding and a user agent of its own to every request.
        client.headers.clear()
        return client

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = build_tls_context(self._config.tls_backend, self._config.ca_file)
        return self._tls

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
