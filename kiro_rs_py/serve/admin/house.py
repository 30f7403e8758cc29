"""What the administration works on: the pool, the files and the way out, opened by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.serve.key_keeper import ClientKeys
from kiro_rs_py.upstream.catalog import LiveModels
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.pool import CredentialPool
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    """``now`` is the wall clock in UTC, ``clock`` counts seconds and never goes back. ``models`` None: nobody asks for
    the accounts' models."""

    config: Config
    pool: CredentialPool
    store: CredentialStore
    state: StateStore
    http: HttpClients
    endpoints: Endpoints
    keys: ClientKeys = field(kw_only=True)
    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = trio.current_time
    models: LiveModels | None = None
