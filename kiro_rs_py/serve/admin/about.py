"""What runs here: version, files, and who holds the lock of the credentials file (operations §6.11)."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime

import trio

from kiro_rs_py import __version__
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.upstream.credential import format_time
from kiro_rs_py.upstream.locks import LockState, look_at_lock

LOCK_SECONDS = 0.2
"""A lock is held for milliseconds as a rule: one that is held longer is worth showing."""


async def about(house: House, sources: Mapping[str, str], started_at: datetime) -> JsonObject:
    """The answer of ``GET /about``. ``sources`` says where each setting came from; a file among them is the
    configuration's."""
    lock_path = house.store.lock_path()
    try:
        lock = _lock_json(await trio.to_thread.run_sync(lambda: look_at_lock(lock_path, seconds=LOCK_SECONDS)))
    except OSError as error:
        lock = {"state": "unknown", "holder": error.strerror}
    return {
        "version": __version__,
        "python": platform.python_version(),
        "startedAt": format_time(started_at),
        "uptimeSeconds": int((house.now() - started_at).total_seconds()),
        "files": {
            "config": next((source for source in sources.values() if source.endswith((".toml", ".json"))), None),
            "credentials": str(house.config.credentials_path.absolute()),
            "state": str(house.state.path.absolute()),
            "lock": str(lock_path.absolute()),
        },
        "lock": lock,
        "unsavedBecause": house.pool.unsaved_because,
    }


def _lock_json(lock: LockState) -> JsonObject:
    holder: Json = str(lock) if lock.held else None
    return {"state": "held" if lock.held else "free", "holder": holder}
