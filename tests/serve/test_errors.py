from __future__ import annotations

from collections.abc import Iterator

import pytest

from kiro_rs_py import errors
from kiro_rs_py.errors import KiroError
from kiro_rs_py.serve.errors import ErrorAnswer, answer_of

SAMPLES: dict[type[KiroError], KiroError] = {
    errors.InvalidRequest: errors.InvalidRequest("messages: Field required", error_code="code"),
    errors.PromptTooLong: errors.PromptTooLong(5, 200_000),
    errors.BadKey: errors.BadKey("no"),
    errors.Forbidden: errors.Forbidden("no"),
    errors.NotFound: errors.NotFound("no"),
    errors.MethodNotAllowed: errors.MethodNotAllowed("PUT", ["GET", "POST"]),
    errors.BodyTimeout: errors.BodyTimeout("slow"),
    errors.RequestTooLarge: errors.RequestTooLarge(10),
    errors.UnsupportedEncoding: errors.UnsupportedEncoding("gzip"),
    errors.ProxyBusy: errors.ProxyBusy("busy"),
    errors.UpstreamRejected: errors.UpstreamRejected("no"),
    errors.ContextWindowFull: errors.ContextWindowFull("Input is too long."),
    errors.ModelUnavailable: errors.ModelUnavailable("no such model"),
    errors.SignatureRejected: errors.SignatureRejected("signature"),
    errors.UpstreamUnauthorized: errors.UpstreamUnauthorized("token"),
    errors.AccountSuspended: errors.AccountSuspended("locked"),
    errors.QuotaExhausted: errors.QuotaExhausted("quota"),
    errors.Throttled: errors.Throttled("slow down", retry_after=7.2),
    errors.UpstreamOverloaded: errors.UpstreamOverloaded("capacity"),
    errors.UpstreamUnavailable: errors.UpstreamUnavailable("down"),
    errors.UpstreamTimeout: errors.UpstreamTimeout("late"),
    errors.EmptyAnswer: errors.EmptyAnswer("nothing"),
    errors.UpstreamFault: errors.UpstreamFault("InternalServerException", "fault"),
    errors.CodecError: errors.CodecError("crc at 12"),
    errors.TruncatedStream: errors.TruncatedStream("3 bytes left"),
    errors.NoUsableCredential: errors.NoUsableCredential("nobody"),
    errors.RefreshRejected: errors.RefreshRejected("invalid_grant"),
    errors.RefreshFailed: errors.RefreshFailed("token service", retry_after=3),
    errors.ConfigError: errors.ConfigError(["caFile /home/me/ca.pem cannot be read"]),
}
COMMAND_LINE = (
    errors.LoginFailed,
    errors.UnusableSource,
    errors.CredentialFileError,
    errors.BindError,
)

EXPECTED: dict[type[KiroError], tuple[int, str, dict[bytes, bytes]]] = {
    errors.InvalidRequest: (400, "invalid_request_error", {}),
    errors.PromptTooLong: (400, "invalid_request_error", {}),
    errors.BadKey: (401, "authentication_error", {b"x-should-retry": b"false"}),
    errors.Forbidden: (403, "permission_error", {}),
    errors.NotFound: (404, "not_found_error", {}),
    errors.MethodNotAllowed: (405, "invalid_request_error", {b"allow": b"GET, POST"}),
    errors.BodyTimeout: (408, "invalid_request_error", {}),
    errors.RequestTooLarge: (413, "request_too_large", {}),
    errors.UnsupportedEncoding: (415, "invalid_request_error", {}),
    errors.ProxyBusy: (529, "overloaded_error", {b"retry-after": b"1"}),
    errors.UpstreamRejected: (400, "invalid_request_error", {}),
    errors.ContextWindowFull: (400, "invalid_request_error", {}),
    errors.ModelUnavailable: (404, "not_found_error", {}),
    errors.SignatureRejected: (400, "invalid_request_error", {}),
    errors.UpstreamUnauthorized: (401, "authentication_error", {b"x-should-retry": b"false"}),
    errors.AccountSuspended: (403, "permission_error", {}),
    errors.QuotaExhausted: (429, "rate_limit_error", {b"x-should-retry": b"false"}),
    errors.Throttled: (429, "rate_limit_error", {b"retry-after": b"8"}),
    errors.UpstreamOverloaded: (529, "overloaded_error", {b"retry-after": b"5"}),
    errors.UpstreamUnavailable: (502, "api_error", {}),
    errors.UpstreamTimeout: (504, "timeout_error", {}),
    errors.EmptyAnswer: (502, "api_error", {}),
    errors.UpstreamFault: (502, "api_error", {}),
    errors.CodecError: (502, "api_error", {}),
    errors.TruncatedStream: (502, "api_error", {}),
    errors.NoUsableCredential: (503, "overloaded_error", {b"x-should-retry": b"false"}),
    errors.RefreshRejected: (401, "authentication_error", {b"x-should-retry": b"false"}),
    errors.RefreshFailed: (503, "api_error", {b"retry-after": b"3"}),
    errors.ConfigError: (503, "api_error", {b"x-should-retry": b"false"}),
}


def descendants(kind: type[KiroError]) -> Iterator[type[KiroError]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def ours() -> list[type[KiroError]]:
    abstract = (errors.ClientError, errors.UpstreamError)
    return [kind for kind in descendants(KiroError) if kind.__module__ == errors.__name__ and kind not in abstract]


@pytest.mark.parametrize("kind", ours(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_answer(kind: type[KiroError]) -> None:
    if kind in COMMAND_LINE:
        return
    answer = answer_of(SAMPLES[kind])
    assert (answer.status, answer.type, dict(answer.headers)) == EXPECTED[kind]


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_every_429_and_529_says_when_or_never(kind: type[KiroError]) -> None:
    answer = answer_of(SAMPLES[kind])
    if answer.status in (429, 529):
        assert {name for name, _ in answer.headers} & {b"retry-after", b"x-should-retry"}


@pytest.mark.parametrize(
    "error",
    [
        ValueError("secret"),
        errors.LoginFailed("secret", code="x"),
        errors.UpstreamError("secret"),
        errors.ClientError("secret"),
    ],
    ids=["foreign", "command line", "abstract upstream", "abstract client"],
)
def test_what_is_not_in_the_table_is_a_bug_and_tells_nothing(error: Exception) -> None:
    answer = answer_of(error)
    assert (answer.status, answer.type) == (500, "api_error")
    assert "secret" not in answer.message


def test_clients_compact_on_these_words() -> None:
    assert answer_of(SAMPLES[errors.PromptTooLong]).message == "prompt is too long: 200001 tokens > 200000 maximum"
    assert answer_of(SAMPLES[errors.ContextWindowFull]).message.startswith("prompt is too long")


def test_codec_details_stay_in_the_log() -> None:
    assert "crc" not in answer_of(SAMPLES[errors.CodecError]).message


def test_a_wrong_setting_stays_in_the_log_but_what_it_means_for_the_accounts_is_told() -> None:
    assert "/home/me" not in answer_of(SAMPLES[errors.ConfigError]).message
    cause = errors.ConfigError(["caFile names /home/me/ca.pem, which cannot be read. Correct it."])
    for told in ("The only account for m-4.5 is wrongly configured.", "None of the 2 can be used."):
        answer = answer_of(errors.NoUsableCredential(f"{told} {cause}", cause=cause))
        assert (answer.status, answer.message) == (503, f"{told} The proxy's log says what is wrong.")
    assert answer.headers == ((b"x-should-retry", b"false"),)


def test_long_waits_are_not_worth_a_retry() -> None:
    long, short = errors.Throttled("x", retry_after=600), errors.Throttled("x", retry_after=60)
    assert dict(answer_of(long).headers) == {b"retry-after": b"600", b"x-should-retry": b"false"}
    assert dict(answer_of(short).headers) == {b"retry-after": b"60"}


def test_too_large_for_the_upstream_is_too_large_for_us() -> None:
    answer = answer_of(errors.UpstreamRejected("too large", status=413))
    assert (answer.status, answer.type) == (413, "request_too_large")


def test_the_error_code_is_handed_on() -> None:
    assert answer_of(SAMPLES[errors.InvalidRequest]).error_code == "code"


NONE_LEFT = "No account is left."


@pytest.mark.parametrize(
    ("cause", "retry_after", "expected"),
    [
        (SAMPLES[errors.QuotaExhausted], None, (429, "rate_limit_error", {b"x-should-retry": b"false"})),
        (
            SAMPLES[errors.QuotaExhausted],
            86_400.0,
            (429, "rate_limit_error", {b"retry-after": b"86400", b"x-should-retry": b"false"}),
        ),
        (SAMPLES[errors.QuotaExhausted], 30.0, (429, "rate_limit_error", {b"retry-after": b"30"})),
        (SAMPLES[errors.Throttled], 2.5, (429, "rate_limit_error", {b"retry-after": b"3"})),
        (SAMPLES[errors.Throttled], None, (429, "rate_limit_error", {b"retry-after": b"10"})),
        (SAMPLES[errors.UpstreamUnauthorized], None, (401, "authentication_error", {b"x-should-retry": b"false"})),
        (SAMPLES[errors.RefreshRejected], None, (401, "authentication_error", {b"x-should-retry": b"false"})),
        (SAMPLES[errors.AccountSuspended], None, (403, "permission_error", {})),
        (SAMPLES[errors.UpstreamOverloaded], 4.0, (529, "overloaded_error", {b"retry-after": b"4"})),
        (SAMPLES[errors.UpstreamOverloaded], None, (529, "overloaded_error", {b"retry-after": b"5"})),
        (SAMPLES[errors.UpstreamTimeout], None, (504, "timeout_error", {})),
        (SAMPLES[errors.NoUsableCredential], None, (503, "overloaded_error", {b"x-should-retry": b"false"})),
        (None, 12.0, (503, "overloaded_error", {b"retry-after": b"12"})),
    ],
)
def test_with_nobody_left_the_cause_decides(
    cause: KiroError | None, retry_after: float | None, expected: tuple[int, str, dict[bytes, bytes]]
) -> None:
    answer = answer_of(errors.NoUsableCredential(NONE_LEFT, cause=cause, retry_after=retry_after))
    assert (answer.status, answer.type, dict(answer.headers)) == expected
    assert answer.message.startswith(NONE_LEFT)


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (SAMPLES[errors.QuotaExhausted], " `kiro-rs-py balance` shows when they start again."),
        (SAMPLES[errors.Throttled], " Wait, or add an account."),
        (SAMPLES[errors.UpstreamUnauthorized], " Log in again with `kiro-rs-py login`."),
        (SAMPLES[errors.RefreshRejected], " Log in again with `kiro-rs-py login`."),
        (SAMPLES[errors.RefreshFailed], " Please try again later."),
        (SAMPLES[errors.AccountSuspended], ""),
        (None, ""),
    ],
)
def test_what_the_owner_can_do(cause: KiroError | None, remedy: str) -> None:
    assert answer_of(errors.NoUsableCredential(NONE_LEFT, cause=cause)).message == NONE_LEFT + remedy


def test_a_remedy_is_not_said_twice() -> None:
    error = errors.NoUsableCredential("It is over. Log in again.", cause=SAMPLES[errors.RefreshRejected])
    assert answer_of(error).message == "It is over. Log in again with `kiro-rs-py login`."


def test_the_answer_is_a_value() -> None:
    assert answer_of(errors.NotFound("x")) == ErrorAnswer(404, "not_found_error", "x")
