"""Client keys as JSON."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kiro_rs_py.serve.client_keys import new_client_key
from kiro_rs_py.serve.key_view import entry_of

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_all_members_and_no_hash() -> None:
    key, secret = new_client_key("laptop", NOW)
    assert entry_of(key, NOW) == {
        "id": key.id,
        "name": "laptop",
        "prefix": secret[:12],
        "enabled": True,
        "createdAt": "2026-05-04T03:02:01+00:00",
        "expiresAt": None,
        "lastUsedAt": None,
        "requests": 0,
        "models": None,
        "state": "active",
    }
    full = replace(key, expires_at=NOW, last_used_at=NOW, requests=3, models=("m",))
    entry = entry_of(full, NOW + timedelta(seconds=1))
    assert (entry["expiresAt"], entry["lastUsedAt"]) == ("2026-05-04T03:02:01+00:00",) * 2
    assert (entry["requests"], entry["models"], entry["state"]) == (3, ["m"], "expired")
