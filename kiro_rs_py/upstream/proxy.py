"""Outgoing proxies as settings: what a proxy URL may say, who uses which, which hosts go without (operations §8.2).

The talking to proxies is in :mod:`kiro_rs_py.upstream.tunnel`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError

if TYPE_CHECKING:
    from kiro_rs_py.upstream.credential import Credential

ProxyScheme: TypeAlias = Literal["http", "https", "socks5", "socks5h"]

DEFAULT_PORTS: dict[ProxyScheme, int] = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

DIRECT = "direct"
"""The credential's ``proxyUrl`` that means: no proxy, whatever the configuration says."""

# RFC 1929: lengths of user name and password are one byte each.
_MAX_SOCKS_SECRET_BYTES = 255


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy to go through. ``socks5`` resolves names here, ``socks5h`` at the proxy (operations §8.1)."""

    scheme: ProxyScheme
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


def parse_proxy(url: str, username: str | None = None, password: str | None = None) -> Proxy:
    """``http://``, ``https://``, ``socks5://`` or ``socks5h://`` with optional ``user:password@`` and port.

    ``username`` and ``password`` win over those in the URL, but only when both are there (operations §2.2). Raises
    ConfigError, whose text never repeats the URL, since that may hold a password.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as exc:
        raise ConfigError(["proxyUrl is not a URL. Write it like http://127.0.0.1:7890."]) from exc
    scheme = parts.scheme
    if scheme not in DEFAULT_PORTS:
        raise ConfigError(
            [f"proxyUrl has the scheme {scheme!r}. Use http://, https://, socks5:// or socks5h://, and a host."]
        )
    if not parts.hostname or any(character.isspace() for character in parts.hostname):
        raise ConfigError(["proxyUrl has no host. Write it like http://127.0.0.1:7890."])
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(["proxyUrl has something after host and port. Write it like http://127.0.0.1:7890."])
    if not (username and password):
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password or "") if username else None
    if scheme.startswith("socks") and any(
        len((s or "").encode()) > _MAX_SOCKS_SECRET_BYTES for s in (username, password)
    ):
        raise ConfigError(["User name and password of a SOCKS proxy may have 255 bytes each."])
    return Proxy(scheme, parts.hostname, DEFAULT_PORTS[scheme] if port is None else port, username, password)


def effective_proxy(config: Config, credential: Credential | None = None) -> Proxy | None:
    """The credential's own proxy, else the configuration's; None for ``direct`` and when there is none.

    Raises ConfigError for an unusable URL.
    """
    for settings in (credential, config):
        url = ((settings and settings.proxy_url) or "").strip()
        if settings is not None and url:
            if url.lower() == DIRECT:
                return None
            return parse_proxy(url, settings.proxy_username, settings.proxy_password)
    return None


class ProxyExceptions:
    """Which targets are reached without the proxy.

    Entries of ``noProxy`` as other tools read ``NO_PROXY``: ``*``, a host or domain (its subdomains are included, a
    leading dot or ``*.`` changes nothing), an address, a network in CIDR form; each but the network may have a
    ``:port``. Loopback targets need no entry: a proxy on another machine could not reach them. Through a proxy on
    this machine they do go, so that a debugging proxy can watch a simulated upstream.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._everything = False
        self._hosts: set[tuple[str, int | None]] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        if entry in ("", "*"):
            self._everything |= entry == "*"
            return
        try:
            self._networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            host, port = _split_port(entry)
            self._hosts.add((host.removeprefix("*").removeprefix("."), port))

    def cover(self, proxy: Proxy, host: str, port: int) -> bool:
        """Whether ``host`` and ``port`` are to be reached without ``proxy``."""
        host = host.lower().rstrip(".")
        if self._everything or (is_loopback(host) and not is_loopback(proxy.host)):
            return True
        address = parse_address(host)
        if address is not None and any(address in network for network in self._networks):
            return True
        labels = host.split(".")
        names = [host] if address is not None else [".".join(labels[start:]) for start in range(len(labels))]
        return any((name, wanted) in self._hosts for name in names for wanted in (None, port))


def is_loopback(host: str) -> bool:
    """Whether a host, by its spelling alone, is this machine: ``localhost`` or a loopback address."""
    address = parse_address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address a host is written as, without brackets; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _split_port(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdecimal() else (entry, None)
