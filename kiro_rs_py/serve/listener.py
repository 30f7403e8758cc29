"""The listening sockets, opened by us so that they carry the options hypercorn does not set.

Standard library only: a command can listen before it has loaded Trio, which takes longer than everything until then.
Clients that connect meanwhile wait in the backlog.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiro_rs_py.errors import BindError

if TYPE_CHECKING:
    import trio

logger = logging.getLogger(__name__)

BACKLOG = 1024
# A peer that acknowledges nothing for so long is gone; without it a vanished client holds its stream for a quarter of
# an hour (stack.md P2). Accepted sockets inherit the option.
USER_TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the proxy listens, with the real port if 0 was asked for."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """A base URL that works on this machine: wildcard addresses become loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host)  # noqa: S104
        if host is None:
            host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Bound:
    """Sockets that listen already, and where."""

    sockets: tuple[socket.socket, ...]
    address: ServerAddress

    def listeners(self) -> list[trio.SocketListener]:
        """The sockets in Trio's hands."""
        import trio

        return [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in self.sockets]


def open_listeners(host: str, port: int) -> tuple[list[trio.SocketListener], ServerAddress]:
    """As :func:`bind`, for those who have Trio."""
    bound = bind(host, port)
    return bound.listeners(), bound.address


def bind(host: str, port: int) -> Bound:
    """Listen on every address ``host`` stands for (``localhost`` is often two) and one ``port``; 0 picks a free one.

    Raises :class:`BindError` if no address can be had.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise BindError(f"Cannot listen on {host}: the name is unknown. Use an address such as 127.0.0.1.") from exc
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
        try:
            sockets.append(_listen(family, address, port))
        except OSError as exc:
            failure = exc
            # ::1 is missing in many containers; a busy port is fatal even if the other family is free, since half of
            # the clients would reach a stranger.
            if exc.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                break
        else:
            failure = None
            port = sockets[-1].getsockname()[1]
    if failure is not None and (not sockets or failure.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        for sock in sockets:
            sock.close()
        raise BindError(_explain(host, port, failure)) from failure
    return Bound(tuple(sockets), ServerAddress(host, port))


def _listen(family: int, address: tuple[Any, ...], port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there the option means "steal the port"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        sock.bind((address[0], port, *address[2:]))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _explain(host: str, port: int, failure: OSError) -> str:
    match failure.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is in use. Stop the other program, or choose another port with --port."
        case errno.EACCES | errno.EPERM:
            return f"Not allowed to listen on port {port}. Choose a port of 1024 or more with --port."
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine. Choose another with --host."
        case _:
            return f"Cannot listen on {host}:{port}: {failure.strerror}. Choose others with --host and --port."
