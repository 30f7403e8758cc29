"""How an attempt ended, and what that means for the account: tables of outcomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kiro_rs_py.errors import (
    AccountSuspended,
    CodecError,
    ConfigError,
    EmptyAnswer,
    KiroError,
    ModelUnavailable,
    PromptTooLong,
    QuotaExhausted,
    SignatureRejected,
    Throttled,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream.leases import (
    Abandoned,
    Failed,
    Lease,
    Outcome,
    Succeeded,
    cool,
    cooling_seconds,
    settle,
    stop,
    without_traceback,
)
from kiro_rs_py.upstream.selection import Entry, Standing, StateName
from tests.upstream.pool_parts import START, at, make_entry

BEARER = UpstreamUnauthorized("The bearer token is invalid.", bearer_invalid=True, status=403)
FORBIDDEN = UpstreamUnauthorized("User is not authorized.", status=403)


def attempt(entry: Entry, outcome: Outcome, *, opened: float = 0.0, now: float = 1.0, jitter: float = 0.0) -> None:
    """One attempt that began and ended then (seconds after the start)."""
    lease = Lease(entry.credential, "m", at(opened).mono, lambda lease, how: settle(entry, lease, how, at(now), jitter))
    lease.report(outcome)


@pytest.mark.parametrize(
    ("error", "state", "seconds"),
    [
        (Throttled("x"), "cooling", 1.0),
        (Throttled("x", retry_after=17.0), "cooling", 17.0),
        (Throttled("x", suspicious=True), "cooling", 600.0),
        (Throttled("x", suspicious=True, retry_after=900.0), "cooling", 900.0),
        (QuotaExhausted("x"), "exhausted", 4 * 3600.0),
        (AccountSuspended("x"), "suspended", None),
        (ConfigError(["proxyUrl is no URL"]), "invalid_config", None),
        (FORBIDDEN, "cooling", 30.0),
        # Nobody's fault, or the client's:
        (UpstreamUnavailable("x"), "active", None),
        (UpstreamOverloaded("x"), "active", None),
        (UpstreamTimeout("x"), "active", None),
        (EmptyAnswer("x"), "active", None),
        (UpstreamFault("code", "x"), "active", None),
        (CodecError("x"), "active", None),
        (UpstreamRejected("x"), "active", None),
        (SignatureRejected("x"), "active", None),
        (BEARER, "active", None),
        (UpstreamUnauthorized("x", status=401, bearer_invalid=True), "active", None),
        (PromptTooLong(2, 1), "active", None),
    ],
)
def test_what_a_failure_means(error: KiroError, state: StateName, seconds: float | None) -> None:
    entry = make_entry(1)
    attempt(entry, Failed(error))
    standing = entry.standing_at(at(1))
    assert standing.state == state
    if seconds is not None:
        assert standing.remaining(at(1)) == seconds
        assert standing.until == at(1 + seconds).wall
    assert entry.last_used_at == at(1).wall
    counts = not isinstance(error, UpstreamRejected)
    assert (entry.failure_count, entry.new_failures, entry.success_count) == (counts, counts, 0)
    assert type(entry.last_error) is (type(error) if counts else type(None))


def test_success_is_counted_and_forgives() -> None:
    entry = make_entry(1, strikes=3, refusals=2, doubt="renewed", last_error=Throttled("x"))
    attempt(entry, Succeeded())
    assert (entry.success_count, entry.new_successes, entry.last_used_at) == (1, 1, at(1).wall)
    assert (entry.strikes, entry.refusals, entry.doubt, entry.last_error) == (0, 0, "none", None)


def test_leaving_says_nothing_about_the_account() -> None:
    entry = make_entry(1)
    before = replace(entry)
    attempt(entry, Abandoned())
    assert [getattr(entry, name) for name in Entry.__slots__] == [getattr(before, name) for name in Entry.__slots__]


def test_a_lease_is_reported_once() -> None:
    reports: list[Outcome] = []
    lease = Lease(make_entry(1).credential, "m", 0.0, lambda lease, outcome: reports.append(outcome))
    lease.report(Abandoned())
    with pytest.raises(RuntimeError, match="twice"):
        lease.report(Succeeded())
    assert reports == [Abandoned()]
    assert "aoa-1" not in repr(lease)


# --- throttles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strikes", "retry_after", "jitter", "seconds"),
    [
        (1, None, 0.0, 1.0),
        (2, None, 0.0, 2.0),
        (6, None, 0.0, 32.0),
        (7, None, 0.0, 60.0),
        (99, None, 1.0, 60.0),
        (3, None, 1.0, 5.0),
        (0, None, 0.0, 1.0),
        (5, 3.0, 0.0, 3.0),
        (5, 3.0, 1.0, 3.3),
        (1, 300.0, 1.0, 301.0),
        (1, 1e9, 0.0, 86_400.0),
        (1, 0.0, 0.0, 1.0),
    ],
)
def test_cooling_times(strikes: int, retry_after: float | None, jitter: float, seconds: float) -> None:
    assert cooling_seconds(strikes, retry_after, jitter) == pytest.approx(seconds)


def test_throttles_in_a_row_cool_longer_and_success_resets() -> None:
    entry = make_entry(1)
    pauses = []
    now = 0.0
    for _ in range(4):
        attempt(entry, Failed(Throttled("x")), opened=now, now=now)
        pauses.append(entry.standing_at(at(now)).remaining(at(now)))
        now += pauses[-1] or 0.0
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    attempt(entry, Succeeded(), opened=now, now=now + 1)
    attempt(entry, Failed(Throttled("x")), opened=now + 1, now=now + 2)
    assert entry.standing.remaining(at(now + 2)) == 1.0


def test_ten_requests_in_flight_at_one_throttle_are_one_throttle() -> None:
    entry = make_entry(1)
    for number in range(10):
        attempt(entry, Failed(Throttled("x")), opened=0.0, now=1.0 + number / 100)
    assert entry.strikes == 1
    assert entry.standing.since == at(1.0).wall


def test_the_longest_retry_after_of_them_counts() -> None:
    entry = make_entry(1)
    for seconds in (5.0, 20.0, 2.0):
        attempt(entry, Failed(Throttled("x", retry_after=seconds)))
    assert entry.standing.remaining(at(1)) == 20.0
    assert entry.standing.since == at(1).wall


def test_an_old_success_does_not_end_a_cooling_but_a_new_one_does() -> None:
    entry = make_entry(1)
    attempt(entry, Failed(Throttled("x", retry_after=60.0)), opened=0, now=10)
    attempt(entry, Succeeded(), opened=5, now=20)
    assert (entry.standing.state, entry.success_count, entry.strikes) == ("cooling", 1, 1)
    attempt(entry, Succeeded(), opened=30, now=31)
    assert (entry.standing.state, entry.strikes) == ("active", 0)


# --- quotas, suspensions, refusals ------------------------------------------------------------------------------


def test_exhausted_until_the_reset_that_is_known() -> None:
    reset = START + timedelta(days=9)
    entry = make_entry(1, resets_at=reset)
    attempt(entry, Failed(QuotaExhausted("x")))
    assert entry.standing.until == reset
    assert entry.standing_at(at(9 * 86400 - 1)).state == "exhausted"
    assert entry.standing_at(at(9 * 86400)).state == "active"


def test_exhausted_until_the_time_that_the_answer_names() -> None:
    entry = make_entry(1, resets_at=START + timedelta(days=9))
    attempt(entry, Failed(QuotaExhausted("x", retry_after=5)))
    assert entry.standing.until == at(6).wall
    assert entry.standing_at(at(6)).state == "active"
    entry = make_entry(1)
    attempt(entry, Failed(QuotaExhausted("x", retry_after=9e9)))
    assert entry.standing.until == at(1).wall + timedelta(days=1)


def test_a_reset_in_the_past_is_not_believed() -> None:
    entry = make_entry(1, resets_at=START - timedelta(days=1))
    attempt(entry, Failed(QuotaExhausted("x")))
    assert entry.standing.until == at(1).wall + timedelta(hours=4)


def test_a_success_ends_an_exhaustion() -> None:
    entry = make_entry(1, "exhausted", resumes=9)
    attempt(entry, Succeeded())
    assert entry.standing.state == "active"


@pytest.mark.parametrize("state", ["suspended", "reauth_required", "invalid_config", "disabled"])
@pytest.mark.parametrize("error", [Throttled("x"), QuotaExhausted("x"), BEARER, FORBIDDEN])
def test_a_grave_state_stays(state: StateName, error: KiroError) -> None:
    entry = make_entry(1, state)
    standing = entry.standing
    attempt(entry, Failed(error))
    assert entry.standing is standing
    assert entry.failure_count == 1
    cool(entry, 60.0, "x", None, at(1))
    assert entry.standing is standing


def test_an_exhausted_account_is_not_made_to_cool_instead() -> None:
    entry = make_entry(1, "exhausted", resumes=86400)
    attempt(entry, Failed(Throttled("x")))
    assert entry.standing.state == "exhausted"


def test_a_refused_token_is_refreshed_once_before_it_counts() -> None:
    entry = make_entry(1)
    attempt(entry, Failed(BEARER))
    attempt(entry, Failed(BEARER))
    assert (entry.doubt, entry.standing.state) == ("suspect", "active")
    entry.credential = replace(entry.credential, access_token="renewed")
    entry.doubt = "renewed"
    attempt(entry, Failed(BEARER))
    assert (entry.doubt, entry.standing.state) == ("none", "cooling")
    assert entry.standing.remaining(at(1)) == 30.0


def test_refused_again_and_again_rests_longer() -> None:
    entry = make_entry(1)
    pauses = []
    now = 0.0
    for _ in range(7):
        entry.doubt = "renewed"
        attempt(entry, Failed(BEARER), opened=now, now=now)
        pauses.append(entry.standing_at(at(now)).remaining(at(now)))
        now += pauses[-1] or 0.0
    assert pauses == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_a_refusal_of_a_token_that_was_replaced_meanwhile_means_nothing() -> None:
    entry = make_entry(1)
    lease = Lease(entry.credential, "m", at(0).mono, lambda lease, how: settle(entry, lease, how, at(1), 0.0))
    entry.credential = replace(entry.credential, access_token="renewed")
    lease.report(Failed(BEARER))
    assert (entry.doubt, entry.standing.state, entry.failure_count) == ("none", "active", 1)


def test_a_refused_api_key_cannot_be_refreshed() -> None:
    entry = make_entry(1, auth_method="api_key", kiro_api_key="ksk_x")
    attempt(entry, Failed(BEARER))
    assert entry.standing.state == "reauth_required"
    assert "API key" in entry.standing.cause


def test_a_model_that_is_refused_is_asked_of_others_first() -> None:
    entry = make_entry(1)
    attempt(entry, Failed(ModelUnavailable("x")))
    assert entry.refused_models == {"m": at(601).mono}
    assert (entry.standing.state, entry.failure_count) == ("active", 0)


def test_refused_models_are_bounded() -> None:
    entry = make_entry(1)
    for number in range(100):
        lease = Lease(entry.credential, f"m{number}", 0.0, lambda lease, how: settle(entry, lease, how, at(1), 0.0))
        lease.report(Failed(ModelUnavailable("x")))
    assert len(entry.refused_models) == 32
    assert "m99" in entry.refused_models


# --- kept errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [Throttled("x", retry_after=3.0, suspicious=True), UpstreamFault("code", "text"), PromptTooLong(5, 3)]
)
def test_a_kept_error_keeps_nothing_else_alive(error: KiroError) -> None:
    try:
        raise error from ValueError("cause")
    except KiroError as caught:
        kept = without_traceback(caught)
    assert (type(kept), str(kept), vars(kept)) == (type(error), str(error), vars(error))
    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)
    assert error.__traceback__ is not None


def test_stop_keeps_the_reason() -> None:
    entry = make_entry(1)
    stop(entry, "suspended", "Locked.", AccountSuspended("x"), at(3))
    assert entry.standing == Standing("suspended", at(3).wall, "Locked.")
    assert isinstance(entry.standing.error, AccountSuspended)
    stop(entry, "disabled", "", None, at(4))
    assert entry.standing.error is None
