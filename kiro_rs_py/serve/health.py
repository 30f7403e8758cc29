"""Probes: clients ask whether somebody is there, orchestrators whether it can serve. No key, no account data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiro_rs_py import __version__
from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.serve.app import Call, Route

if TYPE_CHECKING:
    from kiro_rs_py.upstream.pool import CredentialPool

NAME = "kiro-rs-py"


@dataclass(frozen=True, slots=True)
class Readiness:
    """``obstacles`` are why a request had better go elsewhere, ``problems`` what a person should see to; both as
    codes (see docs/operations.md)."""

    obstacles: Sequence[str] = ()
    problems: Sequence[str] = ()

    @property
    def ready(self) -> bool:
        return not self.obstacles


def readiness_of(pool: CredentialPool, *, closing: bool) -> Readiness:
    """Ready: not stopping, at least one account that can be asked, and a credentials file that takes new tokens."""
    obstacles: list[str] = []
    if closing:
        obstacles.append("stopping")
    if not any(status.state in ("active", "cooling") for status in pool.snapshot()):
        obstacles.append("no_usable_account")
    if pool.unsaved_because is not None:
        obstacles.append("credentials_not_saved")
    return Readiness(obstacles, ["credential_entries_left_out"] if pool.problems else [])


def routes(readiness: Callable[[], Readiness]) -> list[Route]:
    """``readiness`` is asked at each request of ``/readyz``."""

    async def hello(call: Call) -> None:
        await call.reply.json(200, {"name": NAME, "version": __version__})

    async def healthz(call: Call) -> None:
        await call.reply.json(200, {"status": "ok", "name": NAME, "version": __version__})

    async def readyz(call: Call) -> None:
        found = readiness()
        codes: list[Json] = [*found.obstacles, *found.problems]
        status = "ready" if found.ready else "not ready"
        await call.reply.json(200 if found.ready else 503, {"status": status, "problems": codes})

    probes = {"/": hello, "/api/hello": hello, "/healthz": healthz, "/readyz": readyz}
    return [Route(path, {"GET": probe}, keyed=False, log_level=logging.DEBUG) for path, probe in probes.items()]
