"""One of several processes that share a credentials file; run by test_races.py.

``force ROUNDS``: replace every account's token so often. ``lease COUNT``: so many requests at once. Prints what
happened as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import KiroError
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.leases import Abandoned
from kiro_rs_py.upstream.pool import CredentialPool, open_pool
from kiro_rs_py.upstream.refresh import Refresher
from kiro_rs_py.upstream.rotation import Timings
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore

TIMINGS = Timings(settled=0.0, watch=0.05)


async def force(pool: CredentialPool, rounds: int, seen: Counter[str]) -> None:
    async def one(credential_id: int) -> None:
        for _ in range(rounds):
            try:
                await pool.force_refresh(credential_id)
                seen["refreshed"] += 1
            except KiroError as error:
                seen[f"{type(error).__name__}: {error}"] += 1

    async with trio.open_nursery() as nursery:
        for status in pool.snapshot():
            nursery.start_soon(one, status.id)


async def lease(pool: CredentialPool, count: int, seen: Counter[str]) -> None:
    async def one() -> None:
        try:
            borrowed = await pool.lease("m")
        except KiroError as error:
            seen[f"{type(error).__name__}: {error}"] += 1
        else:
            seen["leased"] += 1
            borrowed.report(Abandoned())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)


async def main(path: Path, url: str, what: str, number: int) -> None:
    config = Config(upstream_url=url)
    seen: Counter[str] = Counter()
    http = HttpClients(config)
    async with (
        open_pool(
            config, CredentialStore(path), StateStore.beside(path), Refresher(http, config), timings=TIMINGS
        ) as pool,
    ):
        await {"force": force, "lease": lease}[what](pool, number, seen)
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    trio.run(partial(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
