"""Who listens at an address of this machine: nobody, another of us, or a stranger.

Blocking, in a second or two: for commands, not for the running proxy.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Final

from kiro_rs_py.convert.anthropic import json_object

SECONDS: Final = 2.0
_MOST_BYTES: Final = 64 * 1024
_NAME: Final = "kiro-rs-py"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """``version`` is set if it is one of us, ``takes_key`` if it let in the key it was shown."""

    version: str | None = None
    takes_key: bool = False

    @property
    def is_ours(self) -> bool:
        return self.version is not None


def find_neighbour(host: str, port: int, key: str = "", *, seconds: float = SECONDS) -> Neighbour | None:
    """Ask whoever listens there who it is; None if nobody does. ``key`` is shown only to one of us."""
    try:
        status, body = _get(host, port, "/healthz", {}, seconds)
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException):
        return Neighbour()
    version = _version(body) if status == 200 else None
    if version is None or not key:
        return Neighbour(version)
    try:
        status, _ = _get(host, port, "/v1/models", {"x-api-key": key}, seconds)
    except (OSError, http.client.HTTPException):
        return Neighbour(version)
    return Neighbour(version, takes_key=status == 200)


def _get(host: str, port: int, path: str, headers: dict[str, str], seconds: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(_MOST_BYTES)
    finally:
        connection.close()


def _version(body: bytes) -> str | None:
    answer = json_object(body) or {}
    return str(answer.get("version")) if answer.get("name") == _NAME else None
