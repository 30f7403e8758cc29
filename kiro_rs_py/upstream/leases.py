"""One account borrowed for one attempt, how the attempt ended, and what that means for the account.

The rules are operations §4.12: a throttled account cools, an exhausted one waits for its reset, a suspended one waits
for its owner, a refused token is refreshed once before it counts. The network's and the service's own failures punish
nobody; neither does the client's request or its leaving.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias, TypeVar, assert_never

from kiro_rs_py.errors import (
    AccountSuspended,
    ConfigError,
    KiroError,
    ModelUnavailable,
    QuotaExhausted,
    Throttled,
    UpstreamRejected,
    UpstreamUnauthorized,
)
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.selection import TIMED_STATES, Entry, Moment, Standing, StateName

AnyError = TypeVar("AnyError", bound=KiroError)

LONGEST_COOLING = 60.0  # seconds, for throttles that name no time (operations §4.12)
LONGEST_RETRY_AFTER = 86_400.0  # a day: beyond it the header is a mistake
SUSPICIOUS_COOLING = 600.0
QUOTA_PROBE = timedelta(hours=4)  # an unknown reset is asked after every few hours
REFUSED_COOLING = 600.0  # the longest pause of an account whose fresh tokens are refused
REFUSED_MODEL = 600.0
MOST_REFUSED_MODELS = 32  # clients may send any name
LOCKED = "The provider has locked this account; only its owner can clear that with them."


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The answer was complete."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not, and why."""

    error: KiroError


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The client left, or the proxy is stopping: says nothing about the account."""


Outcome: TypeAlias = Succeeded | Failed | Abandoned


@dataclass(slots=True, eq=False)
class Lease:
    """A credential with a fresh token, for one attempt at ``model``; ``opened`` is trio's clock.

    :meth:`report` must be called exactly once.
    """

    credential: Credential
    model: str
    opened: float
    _settle: Callable[[Lease, Outcome], None] = field(repr=False)
    _reported: bool = field(default=False, repr=False)

    def report(self, outcome: Outcome) -> None:
        """Tell the pool how the attempt ended. Raises RuntimeError on a second call."""
        if self._reported:
            raise RuntimeError(f"lease of credential #{self.credential.id} was reported twice")
        self._reported = True
        self._settle(self, outcome)


def settle(entry: Entry, lease: Lease, outcome: Outcome, moment: Moment, jitter: float) -> None:
    """Apply an outcome to the entry. ``jitter`` is a random number in [0, 1)."""
    match outcome:
        case Abandoned():
            pass
        case Succeeded():
            _succeeded(entry, lease, moment)
        case Failed(error):
            _failed(entry, lease, error, moment, jitter)
        case _:
            assert_never(outcome)


def _succeeded(entry: Entry, lease: Lease, moment: Moment) -> None:
    entry.success_count += 1
    entry.new_successes += 1
    entry.last_used_at = moment.wall
    if entry.standing.state == "cooling" and not _is_news(entry, lease):
        return  # it began before the account was throttled, so it does not prove that the account is well again
    entry.strikes = entry.refusals = 0
    entry.doubt = "none"
    entry.last_error = None
    if entry.standing.state in ("cooling", "exhausted"):
        entry.move(Standing("active", since=moment.wall))


def _is_news(entry: Entry, lease: Lease) -> bool:
    """Whether the attempt began after the present cooling: ten requests in flight at one throttle are one throttle."""
    return entry.cooling_since is None or lease.opened >= entry.cooling_since


def _failed(entry: Entry, lease: Lease, error: KiroError, moment: Moment, jitter: float) -> None:
    entry.last_used_at = moment.wall
    if isinstance(error, ModelUnavailable):
        # Perhaps only this plan lacks the model: prefer others for it, without excluding anybody.
        entry.refused_models[lease.model] = moment.mono + REFUSED_MODEL
        while len(entry.refused_models) > MOST_REFUSED_MODELS:
            del entry.refused_models[next(iter(entry.refused_models))]
    if isinstance(error, UpstreamRejected):
        return
    entry.failure_count += 1
    entry.new_failures += 1
    error = without_traceback(error)
    entry.last_error = error
    if entry.standing.state not in TIMED_STATES | {"active"}:
        return  # a graver state stays
    match error:
        case Throttled():
            _throttled(entry, lease, error, moment, jitter)
        case QuotaExhausted():
            _exhausted(entry, error, moment)
        case AccountSuspended():
            stop(entry, "suspended", LOCKED, error, moment)
        case ConfigError():
            stop(entry, "invalid_config", str(error), error, moment)
        case UpstreamUnauthorized():
            _unauthorized(entry, lease, error, moment, jitter)
        case _:
            pass


def _throttled(entry: Entry, lease: Lease, error: Throttled, moment: Moment, jitter: float) -> None:
    if _is_news(entry, lease):
        entry.strikes += 1
    seconds = cooling_seconds(entry.strikes, error.retry_after, jitter)
    cause = "The provider asked for a pause (too many requests)."
    if error.suspicious:
        seconds = max(seconds, SUSPICIOUS_COOLING)
        cause = "The provider limits this account while it looks into unusual activity."
    cool(entry, seconds, cause, error, moment)


def cooling_seconds(strikes: int, retry_after: float | None, jitter: float) -> float:
    """What the provider named, a little more so that nobody comes back in step; else 1, 2, 4 … 60 seconds."""
    if retry_after is not None and retry_after > 0:
        return min(retry_after, LONGEST_RETRY_AFTER) + min(1.0, retry_after * 0.1) * jitter
    return min(LONGEST_COOLING, 2.0 ** max(0, min(strikes, 10) - 1) * (1.0 + 0.25 * jitter))


def cool(entry: Entry, seconds: float, cause: str, error: KiroError | None, moment: Moment) -> None:
    """Rest an account; an ongoing cooling is only ever made longer, a graver state stays."""
    resumes = moment.mono + seconds
    standing = entry.standing_at(moment)
    if standing.state not in ("active", "cooling"):
        return
    if standing.state == "active":
        entry.cooling_since = moment.mono
    elif standing.resumes is not None and standing.resumes >= resumes:
        return
    entry.move(
        Standing(
            "cooling",
            since=standing.since if standing.state == "cooling" else moment.wall,
            cause=cause,
            until=moment.wall + timedelta(seconds=seconds),
            resumes=resumes,
            error=error,
        )
    )


def _exhausted(entry: Entry, error: QuotaExhausted, moment: Moment) -> None:
    """Out until the time the answer names, else the one the usage call has named."""
    known = entry.resets_at is not None and entry.resets_at > moment.wall
    until = entry.resets_at if known else moment.wall + QUOTA_PROBE
    if error.retry_after:
        until = moment.wall + timedelta(seconds=min(error.retry_after, LONGEST_RETRY_AFTER))
    cause = "The plan's credits are used up."
    entry.move(Standing("exhausted", since=moment.wall, cause=cause, until=until, error=error))


def _unauthorized(entry: Entry, lease: Lease, error: UpstreamUnauthorized, moment: Moment, jitter: float) -> None:
    if lease.credential.bearer != entry.credential.bearer:
        return  # refreshed meanwhile
    if error.bearer_invalid and entry.credential.auth_method == "api_key":
        stop(entry, "reauth_required", "The provider refused the API key. Create a new one.", error, moment)
    elif error.bearer_invalid and entry.doubt != "renewed":
        entry.doubt = "suspect"
    else:
        entry.refusals += 1
        entry.doubt = "none"
        seconds = min(REFUSED_COOLING, 30.0 * 2.0 ** min(entry.refusals - 1, 5) * (1.0 + 0.25 * jitter))
        cool(entry, seconds, "The provider refuses this account's requests (401 or 403).", error, moment)


def stop(entry: Entry, state: StateName, cause: str, error: KiroError | None, moment: Moment) -> None:
    """Take an account out until a human acts or the credentials file changes."""
    entry.move(Standing(state, since=moment.wall, cause=cause, error=error and without_traceback(error)))


def without_traceback(error: AnyError) -> AnyError:
    """A copy to keep: the original's traceback would hold the request's body and more for as long as it is kept."""
    kept = type(error).__new__(type(error))
    kept.args = error.args
    kept.__dict__.update(error.__dict__)
    return kept
