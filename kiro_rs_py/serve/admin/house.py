"""What the administration works on: the pool, the files and the way out, opened by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.models import ModelCatalog, catalog_from_settings
from kiro_rs_py.serve.admin.refusals import no_such_account
from kiro_rs_py.serve.client_keys import utc_now
from kiro_rs_py.serve.key_keeper import ClientKeys
from kiro_rs_py.upstream.catalog import LiveModels
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore


@dataclass(frozen=True, slots=True)
class House:
    """``now`` is the wall clock in UTC, ``clock`` counts seconds and never goes back."""

    config: Config
    pool: CredentialPool
    store: CredentialStore
    state: StateStore
    http: HttpClients
    endpoints: Endpoints
    models: LiveModels
    keys: ClientKeys
    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = trio.current_time

    def status(self, credential_id: int) -> CredentialStatus:
        """An account as it is now. Raises Refusal (404)."""
        for status in self.pool.snapshot():
            if status.id == credential_id:
                return status
        raise no_such_account(credential_id)

    def catalog(self, config: Config) -> ModelCatalog:
        """The models as they are known now, with what ``config`` says of them."""
        discovery = self.models.discovery
        return catalog_from_settings(config.models).with_discovered(discovery.models, complete=discovery.complete)
