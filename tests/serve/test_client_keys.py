"""Client keys and their ring."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from kiro_rs_py.serve.client_keys import (
    ClientKey,
    KeyRing,
    Uses,
    entry_of,
    is_key_name,
    is_model_name,
    new_client_key,
    utc_now,
)

NOW = datetime(2026, 5, 4, 3, 2, 1, 999, tzinfo=UTC)


def make(name: str = "laptop", **changes: object) -> tuple[ClientKey, bytes]:
    """A key and the digest that a request with it has."""
    key, secret = new_client_key(name, NOW)
    return replace(key, **changes), sha256(secret.encode()).digest()  # type: ignore[arg-type]


def test_a_new_key_is_long_random_and_kept_as_a_hash() -> None:
    key, secret = new_client_key("laptop", NOW, expires_at=NOW, models=["m"])
    other, other_secret = new_client_key("laptop", NOW)
    assert secret.startswith("sk-kiro-")
    assert len(secret) >= len("sk-kiro-") + 32  # 192 bits in base64
    assert key.prefix == secret[:12]
    assert key.digest == sha256(secret.encode()).digest()
    assert (key.created_at, key.expires_at, key.models) == (NOW.replace(microsecond=0), NOW, ("m",))
    assert (key.id, secret) != (other.id, other_secret)
    assert secret[12:] not in repr(key)
    assert repr(key.digest) not in repr(key)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "active"),
        ({"expires_at": NOW + timedelta(seconds=1)}, "active"),
        ({"expires_at": NOW}, "expired"),
        ({"enabled": False}, "disabled"),
        ({"enabled": False, "expires_at": NOW}, "disabled"),
    ],
)
def test_only_an_active_key_opens(changes: dict[str, object], state: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    key, digest = make("laptop", **changes)
    assert key.state_at(NOW) == state
    ring = KeyRing([key], now=lambda: NOW)
    assert ring.admit(digest) == (key if state == "active" else None)
    said = [] if state == "active" else [f"client key {key.id} was sent, which is {state}"]
    assert caplog.messages == said


def test_a_deleted_key_is_known_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (key, digest), (other, other_digest) = make(), make("phone")
    ring = KeyRing([key, other], now=lambda: NOW)
    ring.take([other])
    assert ring.admit(digest) is None
    assert ring.admit(other_digest) == other
    assert ring.admit(sha256(b"a guess").digest()) is None
    assert caplog.messages == [f"client key {key.id} was sent, which is deleted"]


def test_uses_are_counted_until_they_are_written() -> None:
    key, digest = make()
    ring = KeyRing([key], now=lambda: NOW)
    ring.admit(digest)
    ring.admit(digest)
    noted = ring.unwritten()
    assert noted == {key.id: Uses(2, NOW)}
    ring.admit(digest)  # while those are being written
    [shown] = ring.listed()
    assert (shown.requests, shown.last_used_at) == (3, NOW)
    ring.take([key.used(noted[key.id])])
    ring.written(noted)
    assert [shown.requests for shown in ring.listed()] == [3]
    ring.written(ring.unwritten())
    assert ring.unwritten() == {}
    ring.written(noted)  # of a key that is gone meanwhile
    ring.admit(digest)
    ring.take([])
    assert ring.unwritten() == {}


def test_another_server_may_have_used_it_later() -> None:
    later = NOW + timedelta(hours=1)
    key, _ = make(last_used_at=later, requests=5)
    used = key.used(Uses(2, NOW))
    assert (used.requests, used.last_used_at) == (7, later)


def test_the_oldest_is_listed_first() -> None:
    old, new = make(created_at=NOW - timedelta(days=1))[0], make()[0]
    assert KeyRing([new, old]).listed() == [old, new]


def test_names() -> None:
    assert is_key_name("my laptop")
    assert not any(map(is_key_name, ["", " ", " x", "a\nb", "x" * 65]))
    assert is_model_name("claude-sonnet-4-5")
    assert not any(map(is_model_name, ["", "a\x1b", "x" * 129]))


def test_now_is_utc() -> None:
    assert utc_now().tzinfo is UTC


def test_a_key_as_json_has_no_hash() -> None:
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
