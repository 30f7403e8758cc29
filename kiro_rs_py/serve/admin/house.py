"""What the administration works on: the pool, the files and the way out, opened by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.pool import CredentialPool
from kiro_rs_py.upstream.refresh import Caller
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialSource


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    """``now`` is the wall clock in UTC, ``clock`` counts seconds and never goes back."""

    config: Config
    pool: CredentialPool
    store: CredentialSource
    state: StateStore
    http: Caller
    endpoints: Endpoints
    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = trio.current_time
