"""Client keys beside the configured ``apiKey``: what is known of each, and the ring they hang on (operations §10.1 S8).

Only the SHA-256 of a key is kept. That is enough here, without salt and without a slow hash: those protect secrets that
people choose, which can be guessed; these are 256 random bits, which cannot, whatever a guess costs.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, NamedTuple, TypeAlias

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.upstream.credential import format_time

logger = logging.getLogger(__name__)

PREFIX = "sk-kiro-"
SHOWN_CHARACTERS = len(PREFIX) + 4
MOST_KEYS = 200
LONGEST_NAME = 64
MOST_MODELS = 50
LONGEST_MODEL = 128
MOST_REMEMBERED = 200
"""Deleted keys whose ids are still known, for the log."""

KeyState: TypeAlias = Literal["active", "disabled", "expired"]


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One key. ``prefix`` is its beginning, for people to recognise it by; ``digest`` its SHA-256.

    ``models`` None allows every model, ``expires_at`` None is never. ``requests`` and ``last_used_at`` are what has
    been written down.
    """

    id: str
    name: str
    prefix: str
    digest: bytes = field(repr=False)
    created_at: datetime
    enabled: bool = True
    expires_at: datetime | None = None
    models: tuple[str, ...] | None = None
    last_used_at: datetime | None = None
    requests: int = 0

    def state_at(self, now: datetime) -> KeyState:
        """Whether it opens anything; one that is both disabled and expired is disabled."""
        if not self.enabled:
            return "disabled"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def used(self, uses: Uses) -> ClientKey:
        """With more uses counted."""
        last = max(filter(None, (self.last_used_at, uses.last_at)))
        return replace(self, requests=self.requests + uses.times, last_used_at=last)


class Uses(NamedTuple):
    """How often a key was used, and when for the last time."""

    times: int
    last_at: datetime


def new_client_key(
    name: str, now: datetime, *, expires_at: datetime | None = None, models: Collection[str] | None = None
) -> tuple[ClientKey, str]:
    """A fresh key: what may be kept of it, and the key itself, which nobody can tell again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ClientKey(
        id=f"key_{secrets.token_hex(4)}",
        name=name,
        prefix=secret[:SHOWN_CHARACTERS],
        digest=sha256(secret.encode()).digest(),
        created_at=now.replace(microsecond=0),
        expires_at=expires_at,
        models=None if models is None else tuple(models),
    )
    return key, secret


def is_key_name(text: str) -> bool:
    """Whether a key may be called that: 1 to 64 printable characters."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and text == text.strip()


def is_model_name(text: str) -> bool:
    """Whether a key may be limited to that: 1 to 128 printable characters."""
    return 0 < len(text) <= LONGEST_MODEL and text.isprintable() and text == text.strip()


def entry_of(key: ClientKey, now: datetime) -> JsonObject:
    """A key as JSON, for the admin API and for ``keys list --json``; the hash is nobody's business."""
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


def utc_now() -> datetime:
    return datetime.now(UTC)


class KeyRing:
    """The keys of a running proxy, by digest, and their uses since they were last written. ``now`` is the wall clock.

    Looking a digest up takes a time that depends on the digest, and tells nothing: who does not know the key cannot
    choose what its digest begins with.
    """

    def __init__(self, keys: Iterable[ClientKey] = (), now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._keys: dict[bytes, ClientKey] = {}
        self._deleted: dict[bytes, str] = {}
        self._uses: dict[str, Uses] = {}
        self.take(keys)

    def take(self, keys: Iterable[ClientKey]) -> None:
        """Have these keys from now on, and no others."""
        before, self._keys = self._keys, {key.digest: key for key in keys}
        deleted = {digest: key.id for digest, key in before.items() if digest not in self._keys}
        self._deleted = dict([*self._deleted.items(), *deleted.items()][-MOST_REMEMBERED:])
        present = {key.id for key in self._keys.values()}
        self._uses = {key_id: uses for key_id, uses in self._uses.items() if key_id in present}

    def listed(self) -> list[ClientKey]:
        """All of them, the oldest first, with the uses that are not written yet."""
        keys = (key.used(self._uses[key.id]) if key.id in self._uses else key for key in self._keys.values())
        return sorted(keys, key=lambda key: (key.created_at, key.id))

    def admit(self, digest: bytes) -> ClientKey | None:
        """The key of that digest, with this use counted; None if there is none that opens anything.

        Why is for the log: a stranger must not learn that a key was one once.
        """
        key = self._keys.get(digest)
        if key is None:
            if digest in self._deleted:
                logger.info("client key %s was sent, which is deleted", self._deleted[digest])
            return None
        now = self._now()
        state = key.state_at(now)
        if state != "active":
            logger.info("client key %s was sent, which is %s", key.id, state)
            return None
        self._uses[key.id] = Uses(self._uses[key.id].times + 1 if key.id in self._uses else 1, now)
        return key

    def unwritten(self) -> dict[str, Uses]:
        """Uses by key that :meth:`written` has not heard of."""
        return dict(self._uses)

    def written(self, uses: Mapping[str, Uses]) -> None:
        """These are on disk, and in the keys that are taken."""
        for key_id, noted in uses.items():
            present = self._uses.get(key_id)
            if present is None or present.times <= noted.times:
                self._uses.pop(key_id, None)
            else:
                self._uses[key_id] = Uses(present.times - noted.times, present.last_at)
