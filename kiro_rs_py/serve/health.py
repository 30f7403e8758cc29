"""Probes: clients ask whether somebody is there, orchestrators whether it can serve. No key, no account data."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kiro_rs_py import __version__
from kiro_rs_py.serve.app import Call, Route


def routes(is_ready: Callable[[], bool]) -> list[Route]:
    """``is_ready`` says whether a request would have an account to go to."""

    async def hello(call: Call) -> None:
        await call.reply.json(200, {"name": "kiro-rs-py", "version": __version__})

    async def healthz(call: Call) -> None:
        await call.reply.json(200, {"status": "ok"})

    async def readyz(call: Call) -> None:
        ready = is_ready()
        await call.reply.json(200 if ready else 503, {"status": "ready" if ready else "not ready"})

    probes = {"/": hello, "/api/hello": hello, "/healthz": healthz, "/readyz": readyz}
    return [Route(path, {"GET": probe}, keyed=False, log_level=logging.DEBUG) for path, probe in probes.items()]
