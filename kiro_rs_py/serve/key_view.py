"""A client key as JSON, for the admin API and for ``keys list --json``."""

from __future__ import annotations

from datetime import datetime

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.client_keys import ClientKey
from kiro_rs_py.upstream.credential import format_time


def entry_of(key: ClientKey, now: datetime) -> JsonObject:
    """All that may be shown; the hash is nobody's business."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "enabled": key.enabled,
        "createdAt": format_time(key.created_at),
        "expiresAt": None if key.expires_at is None else format_time(key.expires_at),
        "lastUsedAt": None if key.last_used_at is None else format_time(key.last_used_at),
        "requests": key.requests,
        "models": None if key.models is None else list(key.models),
        "state": key.state_at(now),
    }
