"""The endpoints about client keys: list, create, change, revoke (operations §6.11, §10.1 S8)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.admin.api import Answer, Asked, Endpoint
from kiro_rs_py.serve.admin.bodies import Members, read_members
from kiro_rs_py.serve.admin.refusals import Refusal, invalid, invalid_field
from kiro_rs_py.serve.client_keys import (
    LONGEST_MODEL,
    LONGEST_NAME,
    MOST_KEYS,
    MOST_MODELS,
    ClientKey,
    entry_of,
    is_key_name,
    is_model_name,
    new_client_key,
)
from kiro_rs_py.serve.key_keeper import ClientKeys

logger = logging.getLogger(__name__)

_MEMBERS = ("name", "expiresAt", "models")


@dataclass(frozen=True, slots=True)
class KeyRoutes:
    """``now`` is the wall clock in UTC. The key itself is in one answer only, that of its creation."""

    keys: ClientKeys
    now: Callable[[], datetime]

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", "keys", self.show_all),
            Endpoint("POST", "keys", self.create, "key.create"),
            Endpoint("PATCH", "keys/{name}", self.patch, "key.edit"),
            Endpoint("DELETE", "keys/{name}", self.delete, "key.delete"),
        ]

    async def show_all(self, asked: Asked) -> Answer:
        """``configured`` stands for the ``apiKey`` of the configuration, which is there always."""
        entries: list[Json] = [entry_of(key, self.now()) for key in self.keys.ring.listed()]
        return Answer(200, {"keys": entries, "configured": {"present": True}})

    async def create(self, asked: Asked) -> Answer:
        members = await read_members(asked.call, *_MEMBERS)
        name, expires_at, models = read_name(members), read_expiry(members), read_models(members)
        if expires_at is not None and expires_at <= self.now():
            raise invalid_field("expiresAt", "is over already.")
        key, secret = new_client_key(name, self.now(), expires_at=expires_at, models=models)

        def add(keys: dict[str, ClientKey]) -> None:
            if len(keys) >= MOST_KEYS:
                raise invalid("too_many_keys", f"There are {MOST_KEYS} keys, which is the most. Delete one first.")
            keys[key.id] = key

        await self.keys.change(add)
        logger.info("client key %s was created", key.id)
        return Answer(201, {"key": entry_of(key, self.now()), "secret": secret})

    async def patch(self, asked: Asked) -> Answer:
        """Any of name, enabled, expiresAt, models; null takes the last two away."""
        members = await read_members(asked.call, *_MEMBERS, "enabled")
        changes: dict[str, object] = {}
        if "name" in members:
            changes["name"] = read_name(members)
        if "enabled" in members:
            changes["enabled"] = members.boolean("enabled")
        if "expiresAt" in members:
            changes["expires_at"] = read_expiry(members)
        if "models" in members:
            changes["models"] = read_models(members)

        def edit(keys: dict[str, ClientKey]) -> None:
            keys[asked.name] = replace(_found(keys, asked.name), **changes)  # type: ignore[arg-type]

        await self.keys.change(edit)
        logger.info("client key %s was changed: %s", asked.name, ", ".join(changes) or "nothing")
        return Answer(200, {"key": self._shown(asked.name)})

    async def delete(self, asked: Asked) -> Answer:
        def remove(keys: dict[str, ClientKey]) -> None:
            _found(keys, asked.name)
            del keys[asked.name]

        await self.keys.change(remove)
        logger.info("client key %s was deleted", asked.name)
        return Answer(200, {"success": True, "message": f"Client key {asked.name} has been deleted"})

    def _shown(self, key_id: str) -> JsonObject:
        return entry_of(_found({key.id: key for key in self.keys.ring.listed()}, key_id), self.now())


def _found(keys: dict[str, ClientKey], key_id: str) -> ClientKey:
    key = keys.get(key_id)
    if key is None:
        raise Refusal(404, "not_found", "key_not_found", "There is no such client key.")
    return key


def read_name(members: Members) -> str:
    """1 to 64 characters. Raises Refusal (400)."""
    name = members.required_text("name", longest=LONGEST_NAME)
    if not is_key_name(name):
        raise invalid_field("name", "must not contain invisible characters.")
    return name


def read_expiry(members: Members) -> datetime | None:
    """A moment with its offset; None is never. Raises Refusal (400)."""
    text = members.text("expiresAt", longest=40)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise invalid_field("expiresAt", "must be a time such as 2030-01-31T12:00:00Z, or null.") from None


def read_models(members: Members) -> tuple[str, ...] | None:
    """Names of models, each once; None is all. An empty list is refused: it could be meant either way."""
    value = members.document.get("models")
    if value is None:
        return None
    if not isinstance(value, list) or not 0 < len(value) <= MOST_MODELS:
        raise invalid_field("models", f"must be a list of 1 to {MOST_MODELS} model names, or null for all models.")
    names: list[str] = []
    for item in value:
        name = item.strip() if isinstance(item, str) else ""
        if not is_model_name(name):
            raise invalid_field("models", f"must hold model names of at most {LONGEST_MODEL} characters only.")
        names.append(name)
    return tuple(dict.fromkeys(names))
