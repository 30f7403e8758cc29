"""Every error of the program, as one tree.

::

    KiroError
    ├── ClientError                  the client's request cannot be served as it is
    │   ├── InvalidRequest           bad JSON, wrong type, missing field
    │   │   └── PromptTooLong        known before or after asking upstream: "prompt is too long: N tokens > M maximum"
    │   ├── BadKey                   no valid proxy key among those presented
    │   ├── Forbidden                right key, wrong place (admin pages, foreign origin)
    │   ├── NotFound                 unknown route, model or object
    │   ├── MethodNotAllowed
    │   ├── BodyTimeout              the request body came too slowly
    │   ├── RequestTooLarge          the inbound body limit
    │   ├── UnsupportedEncoding      a compressed request body
    │   └── ProxyBusy                our own ceiling of simultaneous requests
    ├── UpstreamError                Kiro said no, or said nothing
    │   ├── UpstreamRejected         400: the request itself
    │   │   ├── ContextWindowFull    too long, by reason or wording
    │   │   ├── ModelUnavailable     INVALID_MODEL_ID
    │   │   └── SignatureRejected    THINKING_SIGNATURE_INVALID: strip the reasoning and send once more
    │   ├── UpstreamUnauthorized     401, 403: the token
    │   ├── AccountSuspended         403 with the wording of a lock, 423
    │   ├── QuotaExhausted           402, or a reason that names a quota
    │   ├── Throttled                429
    │   ├── UpstreamOverloaded       capacity: nobody's fault, no penalty
    │   ├── UpstreamUnavailable      5xx, connect, TLS, a broken connection
    │   ├── UpstreamTimeout          no headers, no first event, or silence in mid-stream
    │   ├── EmptyAnswer              200, well-formed, and nothing in it
    │   └── UpstreamFault            an error or exception frame inside the stream
    ├── CodecError                   bytes that are no event stream
    │   └── TruncatedStream          the stream ended inside a frame, or before its end mark
    ├── NoUsableCredential           nobody left to ask; `cause` says why
    ├── RefreshRejected              the token service will never accept this refresh token again
    ├── RefreshFailed                the token service could not be asked just now
    ├── LoginFailed                  a device or browser login ended without tokens
    ├── ConfigError                  configuration: all problems at once
    ├── CredentialFileError          credentials file unreadable, unwritable or no credentials file at all
    │   └── UnusableSource           what was given to import holds no usable account
    └── BindError                    host and port cannot be listened on

Errors carry facts (status, reason, seconds), not sentences to search in. Their text is written for people and never
contains a token, a prompt, an upstream URL or an upstream body. The HTTP status and Anthropic type of each are chosen
in one place, :mod:`kiro_rs_py.serve.errors`; the exit code in :mod:`kiro_rs_py.cli`.
"""

from __future__ import annotations

from collections.abc import Sequence


class KiroError(Exception):
    """Base of all errors this program raises on purpose; anything else is a bug."""


# --- the client -------------------------------------------------------------------------------------------------


class ClientError(KiroError):
    """The client's request cannot be served as it is."""


class InvalidRequest(ClientError):
    """The body is not what the Messages API takes.

    ``message`` names the field (``messages.0.content: …``); ``error_code`` goes to ``error.details.error_code``
    for clients that negotiate features by it (``thread_unsupported_request``).
    """

    def __init__(self, message: str, *, error_code: str | None = None) -> None:
        super().__init__(message)
        self.error_code = error_code


class PromptTooLong(InvalidRequest):
    """The prompt exceeds the model's window; worded as Anthropic words it, since clients compact on that text."""

    def __init__(self, tokens: int, maximum: int) -> None:
        self.maximum = maximum
        self.tokens = max(tokens, maximum + 1)
        super().__init__(f"prompt is too long: {self.tokens} tokens > {maximum} maximum")


class BadKey(ClientError):
    """None of the presented keys is the proxy's."""


class Forbidden(ClientError):
    """The key is fine, the request is not allowed from here (foreign origin, missing CSRF token, …)."""


class NotFound(ClientError):
    """Unknown route, model or object."""


class MethodNotAllowed(ClientError):
    """The route exists, the method does not; ``allowed`` are those that do."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not allowed here. Use {' or '.join(allowed)}.")
        self.allowed = tuple(allowed)


class BodyTimeout(ClientError):
    """The request body did not arrive in time."""


class RequestTooLarge(ClientError):
    """The inbound body is over the limit (bytes)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes. Send less, or raise maxInboundBodyBytes.")
        self.limit = limit


class UnsupportedEncoding(ClientError):
    """The inbound body is compressed (content-encoding)."""

    def __init__(self, encoding: str) -> None:
        super().__init__(f"The request body has the content encoding {encoding}. Send it without one.")


class ProxyBusy(ClientError):
    """As many requests are running as the configuration allows."""


# --- upstream ---------------------------------------------------------------------------------------------------


class UpstreamError(KiroError):
    """Kiro refused or failed.

    ``status`` is its HTTP status (None before headers or inside the stream), ``reason`` its machine-readable reason
    (upstream-protocol §11.2), ``retry_after`` seconds if it named any, ``request_id`` its own id, for the log.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.request_id = request_id


class UpstreamRejected(UpstreamError):
    """400: another account would be told the same."""


class ContextWindowFull(UpstreamRejected):
    """The conversation does not fit the model's window."""


class ModelUnavailable(UpstreamRejected):
    """Unknown model id, or not part of this account's plan."""


class SignatureRejected(UpstreamRejected):
    """A replayed thinking signature was refused; the remedy is one more try without reasoning."""


class UpstreamUnauthorized(UpstreamError):
    """401 or 403; ``bearer_invalid`` when the text says that the token itself is bad, so that a refresh helps."""

    def __init__(
        self,
        message: str,
        *,
        bearer_invalid: bool = False,
        status: int | None = None,
        reason: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, reason=reason, request_id=request_id)
        self.bearer_invalid = bearer_invalid


class AccountSuspended(UpstreamError):
    """The provider locked the account. Never retried: only its owner can talk to the provider."""


class QuotaExhausted(UpstreamError):
    """The plan's credits are used up."""


class Throttled(UpstreamError):
    """Too many requests; ``suspicious`` when the provider limits the account while it investigates."""

    def __init__(
        self,
        message: str,
        *,
        suspicious: bool = False,
        status: int | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, reason=reason, retry_after=retry_after, request_id=request_id)
        self.suspicious = suspicious


class UpstreamOverloaded(UpstreamError):
    """The model has no capacity just now."""


class UpstreamUnavailable(UpstreamError):
    """5xx, or the connection could not be made or broke."""


class UpstreamTimeout(UpstreamError):
    """No headers, no first event, or nothing more for too long."""


class EmptyAnswer(UpstreamError):
    """A 200 with valid framing and no content."""


class UpstreamFault(UpstreamError):
    """An error or exception frame; ``code`` is its exception type or error code."""

    def __init__(self, code: str, message: str, *, reason: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message, reason=reason, request_id=request_id)
        self.code = code


class CodecError(KiroError):
    """The bytes are no valid event stream; once raised, the decoder stays failed."""


class TruncatedStream(CodecError):
    """The stream ended before its end."""


# --- credentials ------------------------------------------------------------------------------------------------


class NoUsableCredential(KiroError):
    """Nobody left to ask. ``cause`` is what the last or most telling account said, ``retry_after`` seconds until one
    of them may be asked again (None: only a human can help)."""

    def __init__(self, message: str, *, cause: KiroError | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after = retry_after


class RefreshRejected(KiroError):
    """``invalid_grant`` and its like: log in again."""


class RefreshFailed(KiroError):
    """Network, 5xx or 429 at the token service: try later. ``retry_after`` in seconds if it named any, ``status`` its
    HTTP status if it answered."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class LoginFailed(KiroError):
    """A login ended without tokens; ``code`` is the OAuth error (``access_denied``, ``expired_token``, …)."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


# --- the command line -------------------------------------------------------------------------------------------


class ConfigError(KiroError):
    """The configuration is unusable; ``problems`` are all of them, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class CredentialFileError(KiroError):
    """The credentials file cannot be read, understood or written."""


class UnusableSource(CredentialFileError):
    """A file, database, text or prompt that tokens were to be imported from holds none that can be used."""


class BindError(KiroError):
    """The listening socket cannot be had."""
