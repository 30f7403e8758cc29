"""Which names this server answers to: the defence against DNS rebinding and foreign pages (operations §7.8, §10.1 S4).

A page of another site can make a browser send requests here, and with a domain of its own that suddenly resolves to
this machine it could read the answers too. It cannot forge ``Host`` and ``Origin``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from kiro_rs_py.config.serving import is_loopback
from kiro_rs_py.serve.admin.refusals import forbidden
from kiro_rs_py.serve.app import Call

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Guard:
    """``host`` is what the server listens on, ``extra`` the names it has behind a reverse proxy."""

    def __init__(self, host: str, extra: Iterable[str] = ()) -> None:
        self._names = {"localhost", host.strip("[]").lower()}
        self._extra = {name.strip("[]").lower() for name in extra}
        # An address typed as such cannot be rebound; but on loopback nobody has a reason to come by another one.
        self._any_address = not is_loopback(host)

    def check(self, call: Call) -> None:
        """Raises Refusal (403) for a foreign ``Host`` or ``Origin``."""
        host = _Place.of_host(call.header(b"host") or "")
        if host is None or not self._is_ours(host.name):
            raise forbidden(
                "foreign_host",
                "This server does not answer to that host name here. Use its address, or add the name to admin_hosts.",
            )
        written = call.header(b"origin")
        if written is None:
            return
        origin = _Place.of_origin(written)
        if origin is None or not (origin.name in self._extra or origin.is_at(host)):
            raise forbidden("foreign_origin", "Requests of other sites' pages are not accepted here.")

    def _is_ours(self, name: str) -> bool:
        if name in self._names or name in self._extra:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._any_address or address.is_loopback


class _Place(NamedTuple):
    """A host name in lower case and a port; the port is None where none is written."""

    name: str
    port: int | None
    default_port: int | None

    @classmethod
    def of_host(cls, value: str) -> _Place | None:
        return cls._split(f"//{value}", None)

    @classmethod
    def of_origin(cls, value: str) -> _Place | None:
        scheme = value.partition("://")[0].lower()
        return cls._split(value, _DEFAULT_PORTS[scheme]) if scheme in _DEFAULT_PORTS else None

    @classmethod
    def _split(cls, address: str, default_port: int | None) -> _Place | None:
        try:
            parts = urlsplit(address)
            name, port = parts.hostname, parts.port
        except ValueError:
            return None
        plain = not (parts.path or parts.query or parts.fragment or parts.username or parts.password)
        return cls(name.lower(), port, default_port) if name and plain else None

    def is_at(self, host: _Place) -> bool:
        """Whether this origin is the page's own server."""
        return self.name == host.name and (self.port or self.default_port) == (host.port or self.default_port)
