"""Which certificates we trust, and from which TLS version on (PRODUCT §2, operations §8.1)."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Literal

import certifi
import truststore

from kiro_rs_py.errors import ConfigError


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
