"""How HTTP leaves: one TLS context, each account by its own proxy, control calls within limits (operations §8.2)."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Literal

import certifi
import httpx
import trio
import truststore

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError, UpstreamTimeout
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.failures import translate_transport_error
from kiro_rs_py.upstream.proxy import ProxyExceptions, effective_proxy
from kiro_rs_py.upstream.transport import TrioTransport

CALL_SECONDS = 30.0
"""How long a control call (refresh, usage, models, profiles, search) may take in all (operations §8.2)."""

MAX_CALL_BODY_BYTES = 8 * 2**20
"""Far above any control answer seen; a bound, so that a wrong server cannot fill the memory."""


class HttpClients:
    """All HTTP leaves through here: whole answers by :meth:`call`, streams by :meth:`transport`.

    Neither follows redirects, reads proxies from the environment or adds headers of its own; proxies come from the
    credential, else from the configuration. Both raise ConfigError for a proxy URL or CA file that cannot be used.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._exceptions = ProxyExceptions(config.no_proxy)
        self._tls: ssl.SSLContext | None = None

    def transport(self, credential: Credential | None = None, *, max_body_bytes: int | None = None) -> TrioTransport:
        """The way out of ``credential``, None for calls that belong to no account.

        There is no limit on silence, and none on the body unless ``max_body_bytes`` is one: the reader watches both.
        """
        proxy = effective_proxy(self._config, credential)
        return TrioTransport(self._tls_context, proxy=proxy, exceptions=self._exceptions, max_body_bytes=max_body_bytes)

    async def call(
        self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = CALL_SECONDS
    ) -> httpx.Response:
        """One control call, answered and read within ``seconds``, whatever its status.

        The request's headers are sent as they are, so it must carry ``host`` and, with a body, ``content-length``
        (``httpx.Request(..., content=...)`` sees to both). Raises UpstreamUnavailable and UpstreamTimeout.
        """
        request.extensions["timeout"] = {"connect": self._config.connect_timeout_seconds}
        transport = self.transport(credential, max_body_bytes=MAX_CALL_BODY_BYTES)
        with trio.move_on_after(seconds):
            try:
                response, body = await transport.open_response(request)
                try:
                    await response.aread()
                finally:
                    body.close()
                return response
            except httpx.RequestError as exc:
                raise translate_transport_error(exc) from exc
        raise UpstreamTimeout(f"The service did not answer within {seconds:g} seconds.")

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = build_tls_context(self._config.tls_backend, self._config.ca_file)
        return self._tls


# --- whom we trust ---------------------------------------------------------------------------------------------


def build_tls_context(
    backend: Literal["rustls", "native-tls"] | None = None, ca_file: Path | None = None
) -> ssl.SSLContext:
    """The one context all upstream connections share; making it costs tens of milliseconds (stack.md P8).

    ``rustls`` trusts certifi's roots alone, ``native-tls`` the system's store alone, None both: certifi, so that a
    bare container works, and the system, so that a company's inspecting proxy works. ``ca_file`` (PEM) is trusted in
    addition. TLS 1.2 or newer. Raises ConfigError when ``ca_file`` cannot be read.
    """
    if backend == "rustls":
        context: ssl.SSLContext = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=certifi.where())
    elif backend == "native-tls" or sys.platform in ("darwin", "win32"):
        # These two systems keep no file of roots that OpenSSL could read; truststore asks the system itself and
        # takes loaded roots in addition.
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if backend is None:
            context.load_verify_locations(cafile=certifi.where())
    else:
        context = ssl.create_default_context()
        context.load_verify_locations(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The header order of upstream-protocol §1.1 is HTTP/1.1's, so a server is not offered anything else.
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        _trust(context, ca_file)
    return context


def _trust(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as exc:
        raise ConfigError([f"caFile {ca_file} holds no certificates in PEM form."]) from exc
    except OSError as exc:
        raise ConfigError([f"caFile {ca_file} cannot be read: {exc.strerror}."]) from exc
