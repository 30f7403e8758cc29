"""Who is tried next, after which pause, and what the client is told in the end."""

from __future__ import annotations

import pytest

from kiro_rs_py.errors import (
    AccountSuspended,
    CodecError,
    ConfigError,
    ContextWindowFull,
    EmptyAnswer,
    KiroError,
    ModelUnavailable,
    NoUsableCredential,
    PromptTooLong,
    QuotaExhausted,
    RefreshFailed,
    SignatureRejected,
    Throttled,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream.attempts import TRIES_PER_CREDENTIAL, TRIES_PER_REQUEST, Attempts


def fresh(deadline: float = 100.0, jitter: float = 0.0) -> Attempts:
    return Attempts(deadline, lambda: jitter)


def fail(attempts: Attempts, credential_id: int, error: KiroError, now: float = 0.0) -> float:
    attempts.begin(credential_id)
    return attempts.failed(credential_id, error, now)


@pytest.mark.parametrize(
    "error",
    [
        Throttled("x"),
        QuotaExhausted("x"),
        AccountSuspended("x"),
        ModelUnavailable("x"),
        UpstreamUnauthorized("x"),
        ConfigError(["x"]),
    ],
)
def test_an_accounts_own_failure_moves_on_at_once_and_for_good(error: KiroError) -> None:
    attempts = fresh()
    assert fail(attempts, 1, error) == 0.0
    assert attempts.excluded == {1}


def test_a_refused_token_is_tried_once_more_after_its_refresh() -> None:
    attempts = fresh()
    error = UpstreamUnauthorized("x", bearer_invalid=True)
    assert fail(attempts, 1, error) == 0.0
    assert attempts.excluded == attempts.avoided == frozenset()
    assert fail(attempts, 1, error) == 0.0
    assert attempts.excluded == {1}


@pytest.mark.parametrize(
    "error",
    [
        UpstreamOverloaded("x"),
        UpstreamUnavailable("x"),
        UpstreamFault("Odd", "x"),
        CodecError("x"),
        EmptyAnswer("x"),
        UpstreamTimeout("x", status=408),
    ],
)
def test_the_services_failure_pauses_and_prefers_another_account(error: KiroError) -> None:
    attempts = fresh()
    assert fail(attempts, 1, error) == 0.2
    assert attempts.avoided == {1}
    assert attempts.excluded == frozenset()


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRejected("x"),
        ContextWindowFull("x"),
        SignatureRejected("x"),
        PromptTooLong(2, 1),
        UpstreamTimeout("x"),
        UpstreamTimeout("x", status=504),
    ],
)
def test_what_another_try_cannot_cure_ends_the_request(error: KiroError) -> None:
    with pytest.raises(type(error)) as caught:
        fail(fresh(), 1, error)
    assert caught.value is error


def test_pauses_double_up_to_two_seconds_with_a_quarter_of_jitter() -> None:
    plain, jittered = fresh(), fresh(jitter=1.0)
    error = UpstreamUnavailable("x")
    assert [fail(plain, n, error) for n in range(6)] == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert [fail(jittered, n, error) for n in range(2)] == [0.25, 0.5]


def test_a_longer_wish_of_the_service_is_honoured() -> None:
    assert fail(fresh(), 1, UpstreamOverloaded("x", retry_after=5.0)) == 5.0
    assert fail(fresh(), 1, UpstreamOverloaded("x", retry_after=0.1)) == 0.2


def test_no_attempt_begins_after_the_deadline() -> None:
    assert fail(fresh(deadline=10.0), 1, UpstreamUnavailable("x"), now=9.7) == 0.2
    with pytest.raises(UpstreamUnavailable):
        fail(fresh(deadline=10.0), 1, UpstreamUnavailable("x"), now=9.9)
    with pytest.raises(UpstreamOverloaded):
        fail(fresh(deadline=10.0), 1, UpstreamOverloaded("x", retry_after=60.0))
    with pytest.raises(Throttled):
        fail(fresh(deadline=10.0), 1, Throttled("x"), now=10.0)


def test_tries_per_credential() -> None:
    attempts = fresh()
    for _ in range(TRIES_PER_CREDENTIAL):
        assert attempts.excluded == frozenset()
        fail(attempts, 1, UpstreamUnavailable("x"))
    assert attempts.excluded == {1}


def test_tries_per_request() -> None:
    attempts = fresh()
    for credential_id in range(TRIES_PER_REQUEST - 1):
        fail(attempts, credential_id, Throttled("x"))
    with pytest.raises(Throttled):
        fail(attempts, 99, Throttled("last"))
    assert attempts.count == TRIES_PER_REQUEST


def test_an_empty_answer_is_tried_once_more_and_not_again() -> None:
    attempts = fresh()
    fail(attempts, 1, EmptyAnswer("x"))
    with pytest.raises(EmptyAnswer):
        fail(attempts, 2, EmptyAnswer("x"))


def test_the_most_hopeful_error_is_told() -> None:
    attempts = fresh()
    for credential_id, error in enumerate(
        [AccountSuspended("x"), Throttled("first"), QuotaExhausted("x"), Throttled("second"), UpstreamUnauthorized("x")]
    ):
        fail(attempts, credential_id, error)
    assert str(attempts.most_telling()) == "second"


def test_nobody_left() -> None:
    nobody = NoUsableCredential("none", retry_after=7.0)
    assert fresh().exhausted(nobody) is nobody
    attempts = fresh()
    fail(attempts, 1, QuotaExhausted("x"))
    error = attempts.exhausted(nobody)
    assert isinstance(error, QuotaExhausted)
    assert error.retry_after == 7.0
    fail(attempts, 2, Throttled("x", retry_after=3.0))
    error = attempts.exhausted(nobody)
    assert isinstance(error, Throttled)
    assert error.retry_after == 3.0


def test_an_error_outside_the_table_ends_the_request() -> None:
    with pytest.raises(RefreshFailed):
        fail(fresh(), 1, RefreshFailed("x"))
