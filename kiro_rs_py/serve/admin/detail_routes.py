"""The endpoints of one account's page: history, models, test call (operations §6.11)."""

from __future__ import annotations

from collections.abc import Callable

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.models import LEGACY_IDS, MAX_NAME, ModelCatalog
from kiro_rs_py.serve.admin.api import Answer, Asked, Endpoint
from kiro_rs_py.serve.admin.bodies import Members, read_members
from kiro_rs_py.serve.admin.history import History
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import no_such_account
from kiro_rs_py.serve.admin.trials import Trials
from kiro_rs_py.serve.admin.views import time_text
from kiro_rs_py.upstream.pool import CredentialStatus


class DetailRoutes:
    """``catalog`` gives the models as they are known now."""

    def __init__(self, house: House, history: History, trials: Trials, catalog: Callable[[], ModelCatalog]) -> None:
        self._house = house
        self._history = history
        self._trials = trials
        self._catalog = catalog

    def endpoints(self) -> list[Endpoint]:
        one = "credentials/{id}"
        return [
            Endpoint("GET", f"{one}/history", self.history),
            Endpoint("GET", f"{one}/models", self.models),
            Endpoint("POST", f"{one}/test", self.test, "credential.test"),
        ]

    async def history(self, asked: Asked) -> Answer:
        """The changes of its state, the newest first."""
        return Answer(200, {"history": self._history.of(self._status(asked.id))})

    async def models(self, asked: Asked) -> Answer:
        """What the account was told it may use; an empty list and no time if nothing was told yet."""
        self._status(asked.id)
        listed = self._house.models.listed(asked.id) if self._house.models else None
        catalog = self._catalog()
        shown: list[Json] = [self._shown(model, catalog) for model in listed.models] if listed else []
        return Answer(200, {"models": shown, "listedAt": time_text(listed.listed_at if listed else None)})

    async def test(self, asked: Asked) -> Answer:
        """One tiny conversation. That the account failed is an answer too; the audit names it."""
        members = await read_members(asked.call) if asked.call.inbound.unread else Members({})
        members.only(("model",))
        trial = await self._trials.run(asked.id, members.text("model", longest=MAX_NAME))
        outcome = "done" if trial.error is None else type(trial.error).__name__
        return Answer(200, trial.to_json(), outcome=outcome)

    def _shown(self, model: DiscoveredModel, catalog: ModelCatalog) -> JsonObject:
        suffix = self._house.config.thinking_suffix
        name = LEGACY_IDS.get(model.upstream_id.lower(), model.upstream_id)
        return {
            "id": catalog.public_id(name, thinking_suffix=suffix),
            "upstreamId": model.upstream_id,
            "displayName": model.display_name or None,
            "window": model.window,
            "maxOutput": model.max_output,
            "rateMultiplier": model.rate,
        }

    def _status(self, credential_id: int) -> CredentialStatus:
        for status in self._house.pool.snapshot():
            if status.id == credential_id:
                return status
        raise no_such_account(credential_id)
