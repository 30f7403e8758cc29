"""THE error table: what a client is told for each error of the program (PRODUCT §3, response-conversion D-20).

The status and the type are the Anthropic API's own, so that clients react as they do to it (clients §1.2, §4.8):
they retry 408, 409, 429, 5xx and 529 unless ``x-should-retry: false``, compact on "prompt is too long", and give up
on the rest. Messages come from the errors' own texts, which never hold upstream bodies or URLs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kiro_rs_py.errors import (
    AccountSuspended,
    BadKey,
    BodyTimeout,
    CodecError,
    ConfigError,
    ContextWindowFull,
    EmptyAnswer,
    Forbidden,
    InvalidRequest,
    KiroError,
    MethodNotAllowed,
    ModelUnavailable,
    NotFound,
    NoUsableCredential,
    ProxyBusy,
    QuotaExhausted,
    RefreshFailed,
    RefreshRejected,
    RequestTooLarge,
    Throttled,
    UnsupportedEncoding,
    UpstreamError,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream import sentences

Headers = tuple[tuple[bytes, bytes], ...]

# A human has to act first; without it Claude Code repeats a 401 or 429 ten times (clients §1.2).
NO_RETRY = (b"x-should-retry", b"false")
# Seconds to name when nobody told us any: every 429 and 529 carries retry-after (PRODUCT §3).
BUSY_SECONDS = 1.0
OVERLOADED_SECONDS = 5.0
THROTTLED_SECONDS = 10.0
# Clients do not wait longer than a minute (clients §2), so a wait for the next month is not worth a retry.
LONGEST_WAIT_SECONDS = 60.0
_LOGIN = "Log in again."


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """``type`` and ``message`` are the envelope's, ``headers`` go out besides the usual ones."""

    status: int
    type: str
    message: str
    headers: Headers = ()
    error_code: str | None = None

    def with_headers(self, *headers: tuple[bytes, bytes]) -> ErrorAnswer:
        return replace(self, headers=(*self.headers, *headers))


def answer_of(error: BaseException) -> ErrorAnswer:
    """The answer for ``error``; an error that is not one of ours, or belongs to the command line, is a bug: 500."""
    if not isinstance(error, KiroError):
        return _INTERNAL
    message = str(error)
    match error:
        case InvalidRequest():
            return ErrorAnswer(400, "invalid_request_error", message, error_code=error.error_code)
        case BadKey() | RefreshRejected():
            return ErrorAnswer(401, "authentication_error", message, (NO_RETRY,))
        case Forbidden():
            return ErrorAnswer(403, "permission_error", message)
        case NotFound():
            return ErrorAnswer(404, "not_found_error", message)
        case MethodNotAllowed():
            allow = ", ".join(error.allowed).encode()
            return ErrorAnswer(405, "invalid_request_error", message, ((b"allow", allow),))
        case BodyTimeout():
            return ErrorAnswer(408, "invalid_request_error", message)
        case RequestTooLarge():
            return ErrorAnswer(413, "request_too_large", message)
        case UnsupportedEncoding():
            return ErrorAnswer(415, "invalid_request_error", message)
        case ProxyBusy():
            return ErrorAnswer(529, "overloaded_error", message, _retry_after(BUSY_SECONDS))
        case NoUsableCredential():
            return _no_credential(error)
        case RefreshFailed():
            return ErrorAnswer(503, "api_error", message, _retry_after(error.retry_after))
        case ConfigError():
            # Of an account, or of the way there. It may name files and hosts, which are the owner's business.
            return ErrorAnswer(503, "api_error", MISCONFIGURED, (NO_RETRY,))
        case UpstreamError():
            return _upstream(error, message)
        case CodecError():
            # Its text speaks of offsets and checksums, which help nobody but the log.
            return ErrorAnswer(502, "api_error", sentences.DAMAGED)
        case _:
            return _INTERNAL


MISCONFIGURED = "An account of this proxy, or its way to Kiro, is configured wrongly. The proxy's log says what."

_INTERNAL = ErrorAnswer(500, "api_error", "Internal error of the proxy. Its log has the details under this request id.")


def _upstream(error: UpstreamError, message: str) -> ErrorAnswer:
    match error:
        case ModelUnavailable():
            return ErrorAnswer(404, "not_found_error", message)
        case ContextWindowFull():
            # Without numbers; the pipeline, which knows them, turns it into PromptTooLong.
            return ErrorAnswer(400, "invalid_request_error", "prompt is too long")
        case UpstreamRejected() if error.status == 413:
            return ErrorAnswer(413, "request_too_large", message)
        case UpstreamRejected():
            return ErrorAnswer(400, "invalid_request_error", message)
        case UpstreamUnauthorized():
            return ErrorAnswer(401, "authentication_error", message, (NO_RETRY,))
        case AccountSuspended():
            return ErrorAnswer(403, "permission_error", message)
        case QuotaExhausted():
            return ErrorAnswer(429, "rate_limit_error", message, _wait_or_give_up(error.retry_after))
        case Throttled():
            return ErrorAnswer(
                429, "rate_limit_error", message, _wait_or_give_up(error.retry_after or THROTTLED_SECONDS)
            )
        case UpstreamOverloaded():
            return ErrorAnswer(529, "overloaded_error", message, _retry_after(error.retry_after or OVERLOADED_SECONDS))
        case UpstreamTimeout():
            return ErrorAnswer(504, "timeout_error", message)
        case UpstreamUnavailable() | UpstreamFault() | EmptyAnswer():
            return ErrorAnswer(502, "api_error", message)
        case _:
            return _INTERNAL


def _no_credential(error: NoUsableCredential) -> ErrorAnswer:
    """By what the last account said, in the words of the pool, which knows the state of all of them."""
    retry_after = error.retry_after
    message = _with_remedy(_fit_for_clients(error), error.cause)
    match error.cause:
        case QuotaExhausted():
            return ErrorAnswer(429, "rate_limit_error", message, _wait_or_give_up(retry_after))
        case Throttled():
            return ErrorAnswer(429, "rate_limit_error", message, _wait_or_give_up(retry_after or THROTTLED_SECONDS))
        case KiroError() as cause if not isinstance(cause, NoUsableCredential):
            answer = answer_of(cause)
            if retry_after is None:
                return replace(answer, message=message)
            headers = tuple(header for header in answer.headers if header[0] != b"retry-after")
            return replace(answer, message=message, headers=headers + _retry_after(retry_after))
        case _:
            # Without a time only a human can help.
            headers = (NO_RETRY,) if retry_after is None else _retry_after(retry_after)
            return ErrorAnswer(503, "overloaded_error", message, headers)


def _fit_for_clients(error: NoUsableCredential) -> str:
    """The pool's words. What it says of a wrong setting, behind its first sentence, may name files and hosts."""
    text = str(error)
    if not isinstance(error.cause, ConfigError):
        return text
    return f"{text.partition('. ')[0].removesuffix('.')}. The proxy's log says what is wrong."


def _with_remedy(text: str, cause: KiroError | None) -> str:
    """With what the owner of the accounts can do, where the pool's words do not say so."""
    if text.endswith(_LOGIN):
        return f"{text[:-1]} with `kiro-rs-py login`."
    match cause:
        case QuotaExhausted():
            return f"{text} `kiro-rs-py balance` shows when they start again."
        case Throttled():
            return f"{text} Wait, or add an account."
        case RefreshRejected() | UpstreamUnauthorized():
            return f"{text} {_LOGIN[:-1]} with `kiro-rs-py login`."
        case RefreshFailed():
            return f"{text} Please try again later."
        case _:
            return text


def _wait_or_give_up(seconds: float | None) -> Headers:
    """After a long or unknown wait the message should be seen now, not after ten retries."""
    if seconds is None or seconds > LONGEST_WAIT_SECONDS:
        return (*_retry_after(seconds), NO_RETRY)
    return _retry_after(seconds)


def _retry_after(seconds: float | None) -> Headers:
    return () if seconds is None else ((b"retry-after", b"%d" % max(1, math.ceil(seconds))),)
