"""Which account is asked next, and what to say when there is none (operations §4.12). Pure decisions over the entries.

An entry is usable when its state allows it now, its plan can run the model and it was not tried in this request. Among
the usable ones ``priority`` takes the preferred one each time anew, ``balanced`` the least busy one,
then the one that has rested longest. Lifetime counters never steer: a new account would get all the traffic.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from kiro_rs_py.errors import (
    AccountSuspended,
    KiroError,
    ModelUnavailable,
    NoUsableCredential,
    QuotaExhausted,
    RefreshRejected,
)
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.state import Mode

StateName: TypeAlias = Literal[
    "active", "cooling", "exhausted", "reauth_required", "invalid_config", "suspended", "disabled"
]
"""``cooling`` and ``exhausted`` end by themselves; for the others a human must change something."""

TIMED_STATES: frozenset[StateName] = frozenset({"cooling", "exhausted"})
HUMAN_STATES: frozenset[StateName] = frozenset({"reauth_required", "invalid_config", "suspended"})
URGENT_STATES: frozenset[StateName] = frozenset({"exhausted", "reauth_required", "suspended"})
"""Found by asking the service, which is not asked twice for them: they are remembered from the first moment on."""


class Moment(NamedTuple):
    """Now, on both clocks: ``wall`` for expiry and for people, ``mono`` (trio's, seconds) for intervals."""

    wall: datetime
    mono: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What state an account is in and why. ``cause`` is a sentence for people, without secrets.

    ``until`` is the moment it ends by itself; ``resumes`` is the same on the other clock and decides when set, since
    it does not jump when somebody corrects the time.
    """

    state: StateName
    since: datetime
    cause: str = ""
    until: datetime | None = None
    resumes: float | None = None
    error: KiroError | None = field(default=None, repr=False, compare=False)

    def remaining(self, moment: Moment) -> float | None:
        """Seconds until it ends by itself; 0 when it is over, None when only a human can end it."""
        if self.state == "active":
            return 0.0
        if self.state not in TIMED_STATES:
            return None
        if self.resumes is not None:
            return max(0.0, self.resumes - moment.mono)
        return max(0.0, (self.until - moment.wall).total_seconds()) if self.until is not None else 0.0


@dataclass(slots=True, eq=False)
class Entry:
    """One account in the pool; changed only by functions without ``await``.

    ``credential`` is what is used, ``on_disk`` what the file last said: they differ only while a token could not be
    saved. The intervals are on trio's clock.
    """

    credential: Credential
    on_disk: Credential
    standing: Standing
    in_flight: int = 0
    leased_at: float | None = None
    last_used_at: datetime | None = None
    success_count: int = 0
    failure_count: int = 0
    new_successes: int = 0
    """Counted since the last flush; likewise below."""
    new_failures: int = 0
    last_error: KiroError | None = None
    strikes: int = 0
    """Throttles in a row; all that arrive in one cooling count as one."""
    cooling_since: float | None = None
    """When the latest cooling began (trio's clock)."""
    doubt: Literal["none", "suspect", "renewed"] = "none"
    """``suspect``: upstream refused this access token, so refresh before the next use; ``renewed``: that was done."""
    refusals: int = 0
    """Refusals of renewed tokens in a row."""
    models: frozenset[str] | None = None
    """Upstream model ids this account's plan offers; None while unknown."""
    refused_models: dict[str, float] = field(default_factory=dict)
    """Upstream model id → until when (trio's clock) other accounts are preferred for it."""
    resets_at: datetime | None = None
    """When the quota starts again, if the usage call has told."""
    refreshed_at: float | None = None
    lifetime: float | None = None
    """Seconds the last access token was good for."""
    spent: deque[str] = field(default_factory=lambda: deque(maxlen=64))
    """Fingerprints of refresh tokens that were rotated away here: an old backup must not bring them back."""
    refresh_failures: int = 0
    refresh_not_before: float = 0.0
    moved: Callable[[Entry, Standing], None] | None = field(default=None, repr=False)
    """Told of each change of the standing, with the one before."""

    def move(self, standing: Standing) -> None:
        """Change the standing."""
        before, self.standing = self.standing, standing
        if self.moved is not None:
            self.moved(self, before)

    @property
    def id(self) -> int:
        return self.credential.id

    @property
    def unsaved(self) -> bool:
        """Whether memory holds something that the file does not."""
        return self.credential != self.on_disk

    @property
    def login_unsaved(self) -> bool:
        """Whether that is a refresh token: without it the account is lost."""
        return self.credential.fingerprint != self.on_disk.fingerprint

    def standing_at(self, moment: Moment) -> Standing:
        """The standing with its end applied."""
        if self.standing.state != "active" and self.standing.remaining(moment) == 0:
            return Standing("active", since=self.standing.until or moment.wall)
        return self.standing


def able(entries: Iterable[Entry], model: str) -> list[Entry]:
    """The entries whose plan has the model (upstream-protocol §1.11: free plans have no Opus); unknown plans may.

    Discovered model lists count only for a model that some account lists: ids of the older generation still work and
    are listed by nobody. ``model`` empty asks for no particular one.
    """
    name = model.lower()
    numbered = list(entries)
    listed = any(entry.models is not None and name in entry.models for entry in numbered)
    return [entry for entry in numbered if _has_tier(entry, name) and (not listed or _lists(entry, name))]


def _has_tier(entry: Entry, name: str) -> bool:
    return not ("opus" in name and "free" in (entry.credential.subscription_title or "").lower())


def _lists(entry: Entry, name: str) -> bool:
    return entry.models is None or name in entry.models


def choose(
    entries: Iterable[Entry],
    *,
    model: str,
    mode: Mode,
    moment: Moment,
    tried: Collection[int] = (),
) -> Entry | None:
    """The entry to ask next, or None."""
    usable = [
        (order, entry)
        for order, entry in enumerate(able(entries, model))
        if entry.id not in tried and entry.standing_at(moment).state == "active"
    ]
    if not usable:
        return None

    def rank(numbered: tuple[int, Entry]) -> tuple[float, ...]:
        order, entry = numbered
        refused = entry.refused_models.get(model, float("-inf")) > moment.mono
        if mode == "priority":
            return refused, entry.credential.priority, order
        rested = float("-inf") if entry.leased_at is None else entry.leased_at
        return refused, entry.in_flight, rested, entry.credential.priority, order

    return min(usable, key=rank)[1]


# --- nobody left ------------------------------------------------------------------------------------------------

_WORDS: dict[StateName, str] = {
    "active": "busy or already tried",
    "cooling": "cooling down",
    "exhausted": "out of credits",
    "reauth_required": "in need of a new login",
    "invalid_config": "wrongly configured",
    "suspended": "suspended by the provider",
    "disabled": "disabled",
}
# The most telling state first: what ends soonest, then what the owner can do something about.
_TELLING: tuple[StateName, ...] = (
    "active", "cooling", "exhausted", "suspended", "reauth_required", "invalid_config", "disabled",
)  # fmt: skip


def nobody(entries: Sequence[Entry], *, model: str, moment: Moment) -> NoUsableCredential:
    """Why no entry could be chosen: one sentence, the most telling account's error, and when to ask again."""
    if not entries:
        return NoUsableCredential(
            "There is no account. Log in with 'kiro-rs-py login' or bring tokens in with 'kiro-rs-py import-token'."
        )
    fitting = able(entries, model)
    if all(entry.standing.state == "disabled" for entry in fitting):
        if any(entry.standing.state != "disabled" for entry in entries):
            sentence = f"No account's plan includes the model {model}."
            return NoUsableCredential(sentence, cause=ModelUnavailable(sentence))
        fitting = list(entries)
    standings = [(entry, entry.standing_at(moment)) for entry in fitting]
    entry, standing = min(standings, key=lambda pair: _telling(pair[1], moment))
    counts = Counter(standing.state for _, standing in standings)
    which = f" for {model}" if len(fitting) < len(entries) else ""
    if len(standings) == 1:
        summary = f"The only account{which} is {_WORDS[standing.state]}"
    else:
        parts = ", ".join(f"{counts[state]} {_WORDS[state]}" for state in _TELLING if counts[state])
        summary = f"None of the {len(standings)} accounts{which} can be used now: {parts}"
    waits = [standing.remaining(moment) for _, standing in standings if standing.state in TIMED_STATES]
    return NoUsableCredential(
        f"{summary}. {standing.cause}".rstrip(),
        cause=_cause(entry, standing),
        retry_after=min((wait for wait in waits if wait), default=None),
    )


def _telling(standing: Standing, moment: Moment) -> tuple[int, float]:
    return _TELLING.index(standing.state), standing.remaining(moment) or 0.0


def _cause(entry: Entry, standing: Standing) -> KiroError | None:
    match standing.state:
        case "active":
            return entry.last_error
        case "exhausted":
            return standing.error or QuotaExhausted(standing.cause)
        case "suspended":
            return standing.error or AccountSuspended(standing.cause)
        case "reauth_required":
            return standing.error or RefreshRejected(standing.cause)
        case _:
            return standing.error
