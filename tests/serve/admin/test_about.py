from __future__ import annotations

from pathlib import Path

import trio

from kiro_rs_py import __version__
from kiro_rs_py.upstream.locks import FileLock
from tests.serve.admin.estate import Estate, open_estate


async def test_about(tmp_path: Path) -> None:
    async with open_estate(tmp_path, sources={"port": "flag --port", "region": "/etc/kiro/config.toml"}) as estate:
        body = (await estate.client.get("about")).json()
        assert body["version"] == __version__
        assert body["uptimeSeconds"] >= 0
        assert body["files"] == {
            "config": "/etc/kiro/config.toml",
            "credentials": str(estate.path),
            "state": str(estate.path.with_name("credentials.state.toml")),
            "lock": str(estate.path.with_name("credentials.json.lock")),
        }
        assert body["lock"] == {"state": "free", "holder": None}
        assert body["unsavedBecause"] is None


async def test_a_lock_that_is_held_is_shown(estate: Estate) -> None:
    lock = FileLock(estate.path.with_name("credentials.json.lock"))
    assert await trio.to_thread.run_sync(lock.acquire, 1.0)
    try:
        body = (await estate.client.get("about")).json()
    finally:
        lock.release()
    assert body["lock"]["state"] == "held"
    assert "process" in body["lock"]["holder"]


async def test_a_lock_that_cannot_be_looked_at(estate: Estate) -> None:
    path = estate.path.with_name("credentials.json.lock")
    path.unlink(missing_ok=True)
    path.mkdir()
    assert (await estate.client.get("about")).json()["lock"]["state"] == "unknown"
