"""How often one request is tried, with whom, and after which pause. Decides only; the client acts.

At most 3 tries a credential and 9 a request, none begun after the deadline (PRODUCT §4, operations §4.12). A failure of
the account sends the request to another account at once, and never back. A failure of the service is nobody's fault:
a pause, another account if there is one, else the same again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kiro_rs_py.errors import (
    AccountSuspended,
    CodecError,
    ConfigError,
    EmptyAnswer,
    KiroError,
    ModelUnavailable,
    NoUsableCredential,
    QuotaExhausted,
    Throttled,
    UpstreamError,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)

TRIES_PER_CREDENTIAL = 3
TRIES_PER_REQUEST = 9

# These speak of one account; another may well be served.
_OF_THE_ACCOUNT = (Throttled, QuotaExhausted, ModelUnavailable, UpstreamUnauthorized, AccountSuspended, ConfigError)
_OF_THE_SERVICE = (UpstreamOverloaded, UpstreamUnavailable, EmptyAnswer, UpstreamFault, CodecError)

# What to tell the client when several accounts failed in different ways: the one that promises most for later.
_BY_HOPE = (
    Throttled, UpstreamOverloaded, UpstreamUnavailable, UpstreamTimeout, EmptyAnswer, CodecError, UpstreamFault,
    QuotaExhausted, ModelUnavailable, UpstreamUnauthorized, AccountSuspended, ConfigError,
)  # fmt: skip


class Tally(Protocol):
    """What a request has cost, whatever comes of it: kept by whoever asks, added to while it is under way.

    ``attempts`` made so far and how many of them were ``retries``, ``credential_id`` of the last one, ``waited``:
    seconds in which there was nothing to do but wait, for an account's token, a pause, the connection, or the next
    piece of the answer.
    """

    attempts: int
    retries: int
    credential_id: int | None
    waited: float


@dataclass(slots=True)
class OwnTally:
    """A tally of those who do not care."""

    attempts: int = 0
    retries: int = 0
    credential_id: int | None = None
    waited: float = 0.0


class Attempts:
    """The attempts of one request. ``deadline`` and all times in Trio's seconds; ``jitter`` gives 0 … 1."""

    def __init__(self, deadline: float, jitter: Callable[[], float], tally: Tally | None = None) -> None:
        self.count = 0
        self.tally: Tally = OwnTally() if tally is None else tally
        self._deadline = deadline
        self._jitter = jitter
        self._tries: Counter[int] = Counter()
        self._refused: set[int] = set()
        self._doubted: set[int] = set()
        self._unlucky: set[int] = set()
        self._pauses = 0
        self._errors: list[KiroError] = []

    def begin(self, credential_id: int) -> None:
        """A try with this credential starts now."""
        self.count += 1
        self.tally.attempts += 1
        self.tally.retries += self.count > 1
        self.tally.credential_id = credential_id
        self._tries[credential_id] += 1

    @property
    def excluded(self) -> frozenset[int]:
        """Credentials that must not be asked again for this request."""
        spent = {id_ for id_, tries in self._tries.items() if tries >= TRIES_PER_CREDENTIAL}
        return frozenset(self._refused | spent)

    @property
    def avoided(self) -> frozenset[int]:
        """Credentials to be asked again only if there is no other: the service failed while they were asked."""
        return frozenset(self._unlucky)

    def failed(self, credential_id: int, error: KiroError, now: float) -> float:
        """The pause in seconds before the next try. Raises when there must be none: ``error``, or the most telling."""
        self._errors.append(error)
        pause = 0.0
        if isinstance(error, UpstreamUnauthorized) and error.bearer_invalid and credential_id not in self._doubted:
            # Once per credential: the pool refreshes a doubted token before it lends it again.
            self._doubted.add(credential_id)
        elif isinstance(error, _OF_THE_ACCOUNT):
            self._refused.add(credential_id)
        elif isinstance(error, _OF_THE_SERVICE) or (isinstance(error, UpstreamTimeout) and error.status == 408):
            self._unlucky.add(credential_id)
            wanted = error.retry_after if isinstance(error, UpstreamError) else None
            pause = max(self._back_off(), wanted or 0.0)
        else:
            # The request itself, or a silence that has used up the client's patience already.
            raise error
        twice_empty = isinstance(error, EmptyAnswer) and sum(isinstance(e, EmptyAnswer) for e in self._errors) > 1
        if self.count >= TRIES_PER_REQUEST or now + pause >= self._deadline or twice_empty:
            raise self.most_telling()
        return pause

    def exhausted(self, nobody: NoUsableCredential) -> KiroError:
        """What to raise when the pool has nobody left: what the accounts said, if any was asked."""
        if not self._errors:
            return nobody
        error = self.most_telling()
        if isinstance(error, UpstreamError) and error.retry_after is None:
            error.retry_after = nobody.retry_after
        return error

    def most_telling(self) -> KiroError:
        """Of all errors so far the one that promises most for later, the latest of its kind."""
        return min(reversed(self._errors), key=_hope)

    def _back_off(self) -> float:
        """Doubling from 200 ms to 2 s, plus up to a quarter (upstream-protocol §3.2)."""
        base = min(0.2 * 2.0 ** min(self._pauses, 6), 2.0)
        self._pauses += 1
        return base + self._jitter() * base / 4


def _hope(error: KiroError) -> int:
    return next((rank for rank, kind in enumerate(_BY_HOPE) if isinstance(error, kind)), len(_BY_HOPE))
