"""The listening sockets, opened by us so that they carry the options hypercorn does not set.

Standard library only: a command can listen before it has loaded Trio, which takes longer than everything until then.
Clients that connect meanwhile wait in the backlog.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiro_rs_py.config.values import split_listen
from kiro_rs_py.errors import BindError

if TYPE_CHECKING:
    from kiro_rs_py.config import Config

logger = logging.getLogger(__name__)

BACKLOG = 1024
# Accepted sockets inherit these options.
# What the kernel holds for a slow client beyond what is on its way.
UNSENT_BYTES = 16 * 1024
# A peer that acknowledges nothing for so long is gone; without it a vanished client holds its stream for a quarter of
# an hour (stack.md P2).
USER_TIMEOUT_MS = 30_000
LOCK_SECONDS = 5.0
"""How long a start waits for another one that is making the same socket file."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the proxy listens, with the real port if 0 was asked for; or the socket file at ``path``."""

    host: str
    port: int
    path: Path | None = None

    @property
    def url(self) -> str:
        """A base URL that works on this machine: wildcard addresses become loopback. ``unix:…`` for a socket file."""
        if self.path is not None:
            return f"unix:{self.path}"
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host)  # noqa: S104
        if host is None:
            host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Bound:
    """Sockets that listen already, and where; ``admin`` are the administration's own, ``file`` is a socket file's."""

    sockets: tuple[socket.socket, ...]
    address: ServerAddress
    admin: Bound | None = None
    file: os.stat_result | None = None

    def close(self) -> None:
        """Listen no longer. The socket file goes too, unless it is another's by now."""
        for sock in self.sockets:
            sock.close()
        path = self.address.path
        try:
            if path is not None and self.file is not None and _same_file(path.lstat(), self.file):
                path.unlink()
        except OSError:
            pass  # somebody has tidied up already, or may not
        if self.admin is not None:
            self.admin.close()


def bind_all(config: Config) -> Bound:
    """Listen where ``config`` says, for the administration too if it has an address of its own.

    Raises :class:`BindError`; then nothing listens.
    """
    bound = bind(config.host, config.port)
    if config.admin_listen is None:
        return bound
    try:
        return replace(bound, admin=bind_admin(config.admin_listen))
    except BindError:
        bound.close()
        raise


def bind_admin(listen: str) -> Bound:
    """Listen on ``host:port`` or ``unix:path`` (the setting ``admin_listen``). Raises :class:`BindError`."""
    place = split_listen(listen)
    return _bind_file(place) if isinstance(place, Path) else bind(*place, options=("admin_listen", "admin_listen"))


def bind(host: str, port: int, options: tuple[str, str] = ("--host", "--port")) -> Bound:
    """Listen on every address ``host`` stands for (``localhost`` is often two) and one ``port``; 0 picks a free one.

    Raises :class:`BindError` if no address can be had; ``options`` are what its remedy names.
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
        raise BindError(_explain(host, port, failure, options)) from failure
    return Bound(tuple(sockets), ServerAddress(host, port))


def _listen(family: int, address: tuple[Any, ...], port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there the option means "steal the port"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        sock.bind((address[0], port, *address[2:]))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _explain(host: str, port: int, failure: OSError, options: tuple[str, str]) -> str:
    for_host, for_port = options
    match failure.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is in use. Stop the other program, or choose another port with {for_port}."
        case errno.EACCES | errno.EPERM:
            return f"Not allowed to listen on port {port}. Choose a port of 1024 or more with {for_port}."
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine. Choose another with {for_host}."
        case _:
            both = " and ".join(dict.fromkeys(options))
            return f"Cannot listen on {host}:{port}: {failure.strerror}. Choose others with {both}."


# --- socket files -----------------------------------------------------------------------------------------------------


def _bind_file(path: Path) -> Bound:
    """Listen on a socket file for its owner alone. What a dead process left there is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise BindError("This system has no socket files. Choose an address and a port in admin_listen.")
    from kiro_rs_py.upstream.locks import FileLock

    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Between bind and listen a socket looks dead to others.
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        if not lock.acquire(LOCK_SECONDS):
            raise BindError(f"Another program is making {path}. Stop it, or choose another path in admin_listen.")
        _clear(path)
        sock.bind(str(path))
        # Before it listens, so that nobody else can have come in.
        path.chmod(0o600)
        sock.listen(BACKLOG)
        return Bound((sock,), ServerAddress("", 0, path), file=path.lstat())
    except OSError as exc:
        sock.close()
        raise BindError(_explain_file(path, exc)) from exc
    except BindError:
        sock.close()
        raise
    finally:
        if lock.held:
            lock.release()


def _same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether it is still the same. A file system may give the number of a removed file to the next one at once."""
    return os.path.samestat(one, other) and one.st_ctime_ns == other.st_ctime_ns


def _clear(path: Path) -> None:
    """Take away a socket that nobody listens on. Raises :class:`BindError` if it is anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BindError(f"{path} is there already and is no socket. Choose another path in admin_listen.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise BindError(f"A running program listens on {path}. Stop it, or choose another path in admin_listen.")


def _explain_file(path: Path, failure: OSError) -> str:
    match failure.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"There is no folder {path.parent} for the socket. Make it, or choose another path in admin_listen."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"Not allowed to make the socket {path}. Choose another path in admin_listen."
        case _:
            why = failure.strerror or failure
            return f"Cannot make the socket {path}: {why}. Choose another path in admin_listen."
