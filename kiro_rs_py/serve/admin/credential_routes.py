"""The endpoints about accounts: kiro-rs's, unchanged (operations §5.4–5.7), and ours (operations §6.11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from kiro_rs_py.config import Config
from kiro_rs_py.config.values import REGION
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.models import LEGACY_IDS, MAX_NAME
from kiro_rs_py.serve.admin.accounts import Accounts, Action
from kiro_rs_py.serve.admin.api import Answer, Asked, Endpoint
from kiro_rs_py.serve.admin.balances import Balances
from kiro_rs_py.serve.admin.bodies import Members, read_members
from kiro_rs_py.serve.admin.enrolling import Enrolling, check_proxy
from kiro_rs_py.serve.admin.history import History
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import invalid, invalid_field
from kiro_rs_py.serve.admin.trials import Trials
from kiro_rs_py.serve.admin.views import time_text
from kiro_rs_py.upstream.state import Mode

LONGEST_LABEL = 100

# What may be said of a new account; kiro-rs ignores everything else, and so do we (operations §5.6).
_TEXTS = (
    "refreshToken", "authMethod", "clientId", "clientSecret", "region", "authRegion", "apiRegion", "machineId", "email",
    "kiroApiKey", "endpoint", "proxyUrl", "proxyUsername", "proxyPassword", "label", "startUrl", "provider",
)  # fmt: skip
_PATCHABLE = ("label", "priority", "authRegion", "apiRegion", "proxyUrl", "disabled")


@dataclass(frozen=True, slots=True)
class CredentialRoutes:
    """``config`` gives the configuration in force."""

    house: House
    accounts: Accounts
    enrolling: Enrolling
    balances: Balances
    history: History
    trials: Trials
    config: Callable[[], Config]

    def endpoints(self) -> list[Endpoint]:
        one = "credentials/{id}"
        return [
            Endpoint("GET", "credentials", self.show_all),
            Endpoint("POST", "credentials", self.add, "credential.add"),
            Endpoint("POST", "credentials/batch", self.act, "credential.batch"),
            Endpoint("POST", "credentials/priorities", self.set_priorities, "credential.priorities"),
            Endpoint("PATCH", one, self.patch, "credential.edit"),
            Endpoint("DELETE", one, self.delete, "credential.delete"),
            Endpoint("POST", f"{one}/restore", self.restore, "credential.restore"),
            Endpoint("POST", f"{one}/disabled", self.set_disabled, "credential.disabled"),
            Endpoint("POST", f"{one}/priority", self.set_priority, "credential.priority"),
            Endpoint("POST", f"{one}/reset", self.reset, "credential.reset"),
            Endpoint("POST", f"{one}/refresh", self.refresh, "credential.refresh"),
            Endpoint("GET", f"{one}/balance", self.show_balance),
            Endpoint("GET", f"{one}/history", self.show_history),
            Endpoint("GET", f"{one}/models", self.show_models),
            Endpoint("POST", f"{one}/test", self.test, "credential.test"),
            Endpoint("GET", "config/load-balancing", self.show_mode),
            Endpoint("PUT", "config/load-balancing", self.set_mode, "config.load-balancing"),
        ]

    # --- all of them ------------------------------------------------------------------------------------------------

    async def show_all(self, asked: Asked) -> Answer:
        return Answer(200, self.accounts.listed())

    async def add(self, asked: Asked) -> Answer:
        """kiro-rs's AddCredential; also with an API key, label, proxy (operations §5.6)."""
        members = await read_members(asked.call)
        entry: JsonObject = {name: text for name in _TEXTS if (text := members.text(name)) is not None}
        if members.document.get("priority") is not None:
            entry["priority"] = members.priority()
        if "kiroApiKey" not in entry and "refreshToken" not in entry:
            raise invalid("invalid_refresh_token", "Invalid credential: refreshToken is missing.", field="refreshToken")
        added = await self.enrolling.add(entry)
        number, email = added.credential.id, added.credential.email
        message = f"Credential added successfully, ID: {number}"
        if added.replaced:
            message = f"Credential #{number} is the same account and has been given these tokens"
        body: JsonObject = {"success": True, "message": message, "credentialId": number}
        if email is not None:
            body["email"] = email
        return Answer(200, body | {"replaced": added.replaced, "warnings": list(added.doubts)})

    async def act(self, asked: Asked) -> Answer:
        members = await read_members(asked.call, "ids", "action")
        action = members.text("action")
        if action not in get_args(Action):
            raise invalid_field("action", f"must be one of {', '.join(get_args(Action))}.")
        results = await self.accounts.act(members.ids(), cast("Action", action))
        return Answer(200, {"results": results})

    async def set_priorities(self, asked: Asked) -> Answer:
        """Another order of several accounts: all of it, or nothing."""
        members = await read_members(asked.call, "priorities")
        priorities = members.priorities()
        await self.accounts.set_priorities(priorities)
        return _success(f"{len(priorities)} priorities have been set")

    # --- one of them ------------------------------------------------------------------------------------------------

    async def patch(self, asked: Asked) -> Answer:
        """Any of label, priority, authRegion, apiRegion, proxyUrl, disabled; null takes a text away."""
        changes = read_changes(await read_members(asked.call, *_PATCHABLE))
        disabled = changes.pop("disabled", None)
        await self.accounts.change(asked.id, changes, disabled=cast("bool | None", disabled))
        return Answer(200, self.accounts.entry(asked.id))

    async def delete(self, asked: Asked) -> Answer:
        await self.accounts.delete(asked.id, force=_is_set(asked, "force"))
        return _success(f"Credential #{asked.id} has been deleted")

    async def restore(self, asked: Asked) -> Answer:
        await self.accounts.restore(asked.id)
        return Answer(200, self.accounts.entry(asked.id))

    async def set_disabled(self, asked: Asked) -> Answer:
        disabled = (await read_members(asked.call)).boolean("disabled")
        await self.accounts.change(asked.id, {}, disabled=disabled)
        return _success(f"Credential #{asked.id} has been {'disabled' if disabled else 'enabled'}")

    async def set_priority(self, asked: Asked) -> Answer:
        priority = (await read_members(asked.call)).priority()
        await self.accounts.change(asked.id, {"priority": priority or None})
        return _success(f"Credential #{asked.id} priority has been set to {priority}")

    async def reset(self, asked: Asked) -> Answer:
        await self.accounts.reset(asked.id)
        return _success(f"Credential #{asked.id} failure count has been reset and re-enabled")

    async def refresh(self, asked: Asked) -> Answer:
        await self.accounts.refresh(asked.id)
        return _success(f"Credential #{asked.id} token has been refreshed")

    async def show_balance(self, asked: Asked) -> Answer:
        fresh = _is_set(asked, "fresh") or _is_set(asked, "refresh")
        return Answer(200, await self.balances.get(asked.id, fresh=fresh))

    async def show_history(self, asked: Asked) -> Answer:
        """The changes of its state, the newest first."""
        return Answer(200, {"history": self.history.of(self.house.status(asked.id))})

    async def show_models(self, asked: Asked) -> Answer:
        """What the account was told it may use; an empty list and no time if nothing was told yet."""
        self.house.status(asked.id)
        listed = self.house.models.listed(asked.id)
        shown = self._shown(listed.models) if listed else []
        return Answer(200, {"models": shown, "listedAt": time_text(listed.listed_at if listed else None)})

    async def test(self, asked: Asked) -> Answer:
        """One tiny conversation. That the account failed is an answer too; the audit names it."""
        members = await read_members(asked.call, "model") if asked.call.inbound.unread else Members({})
        trial = await self.trials.run(asked.id, members.text("model", longest=MAX_NAME))
        outcome = "done" if trial.error is None else type(trial.error).__name__
        return Answer(200, trial.to_json(), outcome=outcome)

    def _shown(self, models: Sequence[DiscoveredModel]) -> list[Json]:
        config = self.config()
        catalog, suffix = self.house.catalog(config), config.thinking_suffix
        return [
            {
                "id": catalog.public_id(
                    LEGACY_IDS.get(model.upstream_id.lower(), model.upstream_id), thinking_suffix=suffix
                ),
                "upstreamId": model.upstream_id,
                "displayName": model.display_name or None,
                "window": model.window,
                "maxOutput": model.max_output,
                "rateMultiplier": model.rate,
            }
            for model in models
        ]

    # --- how they are chosen ----------------------------------------------------------------------------------------

    async def show_mode(self, asked: Asked) -> Answer:
        return Answer(200, {"mode": self.house.pool.mode})

    async def set_mode(self, asked: Asked) -> Answer:
        mode = (await read_members(asked.call)).document.get("mode")
        if mode not in get_args(Mode):
            text = "Invalid credential: mode must be 'priority' or 'balanced'"
            raise invalid("invalid_field", text, field="mode")
        await self.house.pool.set_mode(cast("Mode", mode))
        return Answer(200, {"mode": self.house.pool.mode})


def read_changes(members: Members) -> dict[str, Json]:
    """The members of a PATCH as the file's. Raises Refusal (400) before anything is changed."""
    changes: dict[str, Json] = {}
    if "label" in members:
        changes["label"] = members.text("label", longest=LONGEST_LABEL)
    for name in ("authRegion", "apiRegion"):
        if name in members:
            region = changes[name] = members.text(name)
            if region is not None and not REGION.fullmatch(region):
                raise invalid_field(name, "is no AWS region (us-east-1, eu-central-1, …).")
    if "proxyUrl" in members:
        proxy = changes["proxyUrl"] = members.text("proxyUrl")
        if proxy is not None:
            check_proxy(proxy)
    if "priority" in members:
        changes["priority"] = members.priority() or None  # 0 is not written (operations §3.3)
    if "disabled" in members:
        changes["disabled"] = members.boolean("disabled")
    return changes


def _success(message: str) -> Answer:
    return Answer(200, {"success": True, "message": message})


def _is_set(asked: Asked, name: str) -> bool:
    return asked.call.query.get(name, "").lower() in ("1", "true", "yes")
