"""What an upstream failure means: status, codes, reasons and texts → one typed error. Pure.

The machine-readable reason decides, then code and status, wording last (upstream-protocol §3.1–3.4, §11). What the
error says stands in :mod:`~kiro_rs_py.upstream.sentences`: the upstream's own words go to the log only (PRODUCT §3).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from kiro_rs_py.convert.anthropic import json_object, text_in
from kiro_rs_py.convert.events import Fault, bare_code
from kiro_rs_py.errors import (
    AccountSuspended,
    ContextWindowFull,
    ModelUnavailable,
    QuotaExhausted,
    SignatureRejected,
    Throttled,
    UpstreamError,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream import sentences

MAX_SHOWN_CHARACTERS = 300
MAX_SEARCHED_CHARACTERS = 2048
MAX_HINT_MILLISECONDS = 1e12
"""Thirty years. Whatever is longer is a mistake, and may be a number that no float can hold."""

_QUOTA_REASONS = frozenset({
    "MONTHLY_REQUEST_COUNT", "MONTHLY_REQUEST_LIMIT_REACHED", "WEEKLY_REQUEST_COUNT", "DAILY_REQUEST_COUNT",
    "HOURLY_REQUEST_COUNT", "USAGE_LIMIT_REACHED", "OVERAGE_REQUEST_LIMIT_EXCEEDED",
})  # fmt: skip
_THROTTLE_REASONS = frozenset({
    "CREDIT_CONSUMPTION_RATE_EXCEEDED", "SERVICE_REQUEST_RATE_EXCEEDED", "USER_REQUEST_RATE_EXCEEDED",
    "RATE_LIMIT_EXCEEDED", "THROTTLING_EXCEPTION",
})  # fmt: skip
_CAPACITY_REASONS = frozenset({"INSUFFICIENT_MODEL_CAPACITY", "MODEL_TEMPORARILY_UNAVAILABLE", "SERVICE_UNAVAILABLE"})
_CONTEXT_REASONS = frozenset({"CONTENT_LENGTH_EXCEEDS_THRESHOLD", "PROMPT_TOO_LONG", "CONVERSATION_LIMIT_EXCEEDED"})
_SUSPENSION_REASONS = frozenset({"TEMPORARILY_SUSPENDED", "ACCOUNT_SUSPENDED"})
# 403s that speak of the request, not of the token (§11.2 AccessDenied).
_FORBIDDEN_FEATURE_REASONS = frozenset({
    "FEATURE_NOT_SUPPORTED", "UNAUTHORIZED_CUSTOMIZATION_RESOURCE_ACCESS",
    "UNAUTHORIZED_WORKSPACE_CONTEXT_FEATURE_ACCESS",
})  # fmt: skip
# Validation may arrive with a 5xx; it is no better the second time (§3.3).
_VALIDATION_REASONS = frozenset({
    "DISALLOWED_FILE_TYPE", "DOCUMENT_COUNT_EXCEEDED", "DOCUMENT_DUPLICATE_NAME", "DOCUMENT_MAXIMUM_PAGES_EXCEEDED",
    "DOCUMENT_MODEL_NOT_SUPPORTED", "DOCUMENT_PASSWORD_PROTECTED", "DOCUMENT_SIZE_EXCEEDED", "IMAGE_COUNT_EXCEEDED",
    "IMAGE_DIMENSION_EXCEEDED", "IMAGE_FORMAT_UNSUPPORTED", "IMAGE_MIME_MISMATCH", "IMAGE_SIZE_EXCEEDED",
    "INVALID_CONVERSATION_ID", "INVALID_DOCUMENT_NAME", "INVALID_KMS_GRANT", "REQUEST_BODY_INVALID",
    "REQUEST_BODY_INVALID_JSON", "TOOL_CONFIG_MISSING", "TOOL_DUPLICATE", "TOOL_SCHEMA_INVALID",
    "TOOL_USE_RESULT_MISMATCH", "VALIDATION_EXCEPTION",
})  # fmt: skip
# The status a code stands for, when it comes without one: inside a stream, or in an envelope with status 200 (§1.5,
# §11.1). Names without "Exception" or "Error" at their end; the two spellings are equal (§3.1).
_CODES_OF_STATUS = {
    400: (
        "ContentLengthExceeded", "DryRunOperation", "HeaderMisclassification", "InvalidMessageDigest", "InvalidState",
        "MalformedHttpRequest", "MissingMessageDigest", "MissingRequiredHeader", "ServiceLinkedRoleLockClient",
        "Validation",
    ),
    401: ("InvalidAuthScheme", "InvalidAuthSchemeParameter", "MissingAuthSchemeParameter"),
    402: ("ServiceQuotaExceeded", "UpdateUsageLimitQuotaExceeded"),
    403: ("AccessDenied", "Delegation", "ExpiredToken", "InvalidSignature", "NotAuthorized", "UnrecognizedClient"),
    404: ("HttpNotFound", "ResourceNotFound", "UnknownOperation"),
    408: ("RequestTimeout",),
    409: ("Conflict",),
    413: ("RequestEntityTooLarge",),
    415: ("UnsupportedMediaType",),
    429: ("BackOff", "Throttling"),
    500: ("InternalFailure", "InternalServer", "Model", "RequestAborted", "ServiceLinkedRoleLockService"),
    503: ("ServiceUnavailable",),
    504: ("Timeout",),
}  # fmt: skip
_STATUS_OF_CODE = {code: status for status, codes in _CODES_OF_STATUS.items() for code in codes}
# These say more than the status they come with: throttling as 400, quota as 400, unavailability as 500 (§11.1).
_STRONG_CODES = frozenset({"Throttling", "ServiceQuotaExceeded", "ServiceUnavailable"})
_TOKEN_CODES = frozenset({"ExpiredToken", "UnrecognizedClient", "InvalidAuthScheme"})

_PRIVATE = re.compile(r"https?://\S+|arn:\S+|\S+@\S+|\b(?:aoa|aor|ksk_|eyJ)[\w.:+/=-]{8,}|\bd-[0-9a-f]{10}\.\S+")
_BEARER_TEXTS = ("bearer token", "invalid token", "token is invalid", "expired token", "token has expired")
_CONTEXT_TEXTS = ("input is too long", "prompt is too long", "context window is full")
_QUOTA_TEXTS = ("you have reached the limit", "maximum request reached for this month")
_CAPACITY_TEXTS = ("unexpectedly high load", "experiencing high traffic")
_WRONG_ENDPOINT_TEXTS = (
    b"unknownoperation", b"unknown operation", b"invalidsignature", b"invalid signature", b"endpoint not found",
    b"unsupported endpoint",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Facts:
    """An error answer in parts: ``status`` is what it amounts to (0: unknown), ``sent_status`` what the head said."""

    status: int
    code: str
    reason: str | None
    said: str
    shown: str
    retry_after: float | None = None
    sent_status: int | None = None
    request_id: str | None = None

    def says(self, *texts: str) -> bool:
        said = self.said.lower()
        return any(text in said for text in texts)


def classify(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None) -> UpstreamError:
    """The error in an answer that is no event stream; ``status`` may well be 200 (upstream-protocol §1.5).

    ``headers`` are case-insensitive or in lower case. A Retry-After date is reckoned from the answer's own ``date``,
    else from ``now``.
    """
    envelope = _envelope(body)
    code = bare_code(headers.get("x-amzn-errortype") or text_in(envelope, "code", "__type") or "")
    effective = status
    if status < 400 or code in _STRONG_CODES:
        effective = _STATUS_OF_CODE.get(code, status)
    said = text_in(envelope, "message", "Message", "errorMessage") or ""
    facts = _Facts(
        status=effective,
        code=code,
        reason=_code_like(text_in(envelope, "reason")),
        # The page of some gateway in between is searched, but never shown.
        said=said or ("" if envelope else body[:4096].decode("utf-8", "replace")),
        shown=_shown(said),
        retry_after=_retry_after(headers, envelope, now),
        sent_status=status,
        request_id=headers.get("x-amzn-requestid"),
    )
    return _by_meaning(facts) or _by_status(facts) or _unavailable(facts)


def classify_fault(fault: Fault, *, request_id: str | None = None) -> UpstreamError:
    """The same for an error or exception frame; UpstreamFault when its code says nothing we know."""
    code = bare_code(fault.code)
    facts = _Facts(
        status=_STATUS_OF_CODE.get(code, 0),
        code=code,
        reason=_code_like(fault.reason),
        said=fault.message,
        shown=_shown(fault.message),
        request_id=request_id,
    )
    error = _by_meaning(facts) or _by_status(facts)
    if error is None and facts.status:
        error = _unavailable(facts)
    return error or UpstreamFault(
        fault.code, sentences.fault(code), reason=_code_like(fault.reason), request_id=request_id
    )


def wrong_endpoint(status: int, body: bytes) -> bool:
    """Whether the host does not know this call, so that the other one should be asked (upstream-protocol §1.12)."""
    if status in (404, 405):
        return True
    text = body.lower()
    return status in (400, 403) and any(wanted in text for wanted in _WRONG_ENDPOINT_TEXTS)


def translate_transport_error(error: httpx.RequestError) -> UpstreamError:
    """httpx's exception as ours; its own text may hold addresses and stays out."""
    match error:
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return UpstreamTimeout(sentences.TIMEOUT)
        case httpx.ProxyError():
            # The transport's own words, not the proxy's.
            return UpstreamUnavailable(f"{sentences.PROXY} {error}")
        case httpx.ConnectTimeout():
            return UpstreamUnavailable(sentences.CONNECT_TIMEOUT)
        case httpx.ConnectError() if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            return UpstreamUnavailable(sentences.CERTIFICATE)
        case httpx.ConnectError():
            return UpstreamUnavailable(sentences.CONNECT)
        case _:
            return UpstreamUnavailable(sentences.BROKEN)


def redacted(body: bytes) -> str:
    """An error's body for the debug log: on one line, shortened, without secrets, accounts and addresses."""
    return _PRIVATE.sub("…", " ".join(body[:MAX_SEARCHED_CHARACTERS].decode("utf-8", "replace").split()))


def _by_meaning(facts: _Facts) -> UpstreamError | None:
    """What reason, code and wording say, whatever the status. The order is that of upstream-protocol §3.4, except
    that a conversation that is too long comes before the quota: both may arrive as ServiceQuotaExceeded (§11.2)."""
    reason, about_request = facts.reason, 400 <= facts.status < 500
    if (
        reason in _CONTEXT_REASONS
        or facts.code == "ContentLengthExceeded"
        or (about_request and facts.says(*_CONTEXT_TEXTS))
    ):
        return _error(ContextWindowFull, facts, sentences.CONTEXT)
    if reason in _QUOTA_REASONS or facts.status == 402 or (about_request and facts.says(*_QUOTA_TEXTS)):
        return _error(QuotaExhausted, facts, sentences.QUOTAS.get(reason or "", sentences.QUOTA))
    if (
        reason in _SUSPENSION_REASONS
        or facts.status == 423
        or (facts.says("suspended") and facts.says("locked your account"))
    ):
        return _error(AccountSuspended, facts, sentences.SUSPENDED)
    if reason == "THINKING_SIGNATURE_INVALID":
        return _error(SignatureRejected, facts, sentences.SIGNATURE)
    if reason == "INVALID_MODEL_ID" or (facts.status == 400 and facts.said.lower().startswith("invalid model")):
        return _error(ModelUnavailable, facts, sentences.MODEL)
    if reason in _VALIDATION_REASONS or facts.says("expected toolresult blocks"):
        return _rejected(facts)
    if reason in _CAPACITY_REASONS or facts.says(*_CAPACITY_TEXTS):
        down = reason == "SERVICE_UNAVAILABLE"
        return _error(UpstreamOverloaded, facts, sentences.UNAVAILABLE if down else sentences.CAPACITY)
    if reason in _THROTTLE_REASONS or facts.status == 429:
        return _throttled(facts)
    return None


def _by_status(facts: _Facts) -> UpstreamError | None:
    """What is left to the status; None for 5xx and everything unknown."""
    status = facts.status
    if status in (401, 403) or (status == 400 and facts.code in _TOKEN_CODES):
        return _unauthorized(facts)
    if status == 400 and facts.says("profilearn is required"):
        # Another account may have what this one lacks.
        return _error(UpstreamUnauthorized, facts, sentences.NO_PROFILE)
    if status in (408, 504, 524) or (status >= 500 and facts.says("gateway timeout", "gateway time-out", "524")):
        return _error(UpstreamTimeout, facts, sentences.TIMEOUT)
    if status == 503:
        return _error(UpstreamOverloaded, facts, sentences.UNAVAILABLE)
    return _rejected(facts) if 400 <= status < 500 else None


def _throttled(facts: _Facts) -> UpstreamError:
    if facts.says("suspicious activity") and facts.says("temporary limits"):
        return _error(Throttled, facts, sentences.SUSPICIOUS, suspicious=True)
    rate = facts.reason not in (None, "THROTTLING_EXCEPTION")
    return _error(Throttled, facts, sentences.RATE if rate else sentences.TOO_MANY)


def _unauthorized(facts: _Facts) -> UpstreamError:
    if facts.reason in _FORBIDDEN_FEATURE_REASONS:
        return _rejected(facts)
    if facts.says("does not support this application"):
        return _error(UpstreamUnauthorized, facts, sentences.WRONG_PLAN)
    bearer_invalid = facts.status == 401 or facts.code in _TOKEN_CODES or facts.says(*_BEARER_TEXTS)
    text = sentences.BAD_TOKEN if bearer_invalid else sentences.NOT_ALLOWED
    return _error(UpstreamUnauthorized, facts, text, bearer_invalid=bearer_invalid)


def _rejected(facts: _Facts) -> UpstreamError:
    if facts.reason == "VALIDATION_EXCEPTION" and facts.shown:
        # The one reason whose message the reference's table hands on (PRODUCT §3.2).
        return _error(UpstreamRejected, facts, sentences.INVALID.format(facts.shown))
    return _error(UpstreamRejected, facts, sentences.rejection(facts.status, facts.reason, facts.said))


def _unavailable(facts: _Facts) -> UpstreamError:
    if facts.status < 400 and not facts.code:
        return _error(UpstreamUnavailable, facts, sentences.STRANGER)
    return _error(UpstreamUnavailable, facts, sentences.UNAVAILABLE)


def _error(kind: type[UpstreamError], facts: _Facts, text: str, **more: bool) -> UpstreamError:
    """An error of ``kind`` with the facts all of them have."""
    error = kind(text, status=facts.sent_status, reason=facts.reason, request_id=facts.request_id, **more)
    error.retry_after = facts.retry_after
    return error


# --- reading the answer -----------------------------------------------------------------------------------------


def _envelope(body: bytes) -> dict[str, object]:
    """The JSON object, if there is one, with a nested ``error`` object's members on top (§3.1)."""
    envelope = json_object(body) or {}
    nested = envelope.get("error")
    return {**envelope, **nested} if isinstance(nested, dict) else {**envelope}


def _code_like(reason: str | None) -> str | None:
    """A reason, if it is one: it is shown to clients and stands in the log."""
    return reason if reason and re.fullmatch(r"[A-Z0-9_]{1,64}", reason) else None


def _retry_after(headers: Mapping[str, str], envelope: Mapping[str, object], now: datetime | None) -> float | None:
    """Seconds, the longer of the two hints there may be (§11.5); None without any."""
    hints = []
    milliseconds = envelope.get("retryAfterMilliseconds")
    if isinstance(milliseconds, int | float) and 0 <= milliseconds <= MAX_HINT_MILLISECONDS:
        hints.append(milliseconds / 1000)
    header = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", header):
        hints.append(float(header))
    elif header:
        sent = http_date(headers.get("date", "")) or now
        until = http_date(header)
        if sent is not None and until is not None:
            hints.append(max(0.0, (until - sent).total_seconds()))
    return max(hints, default=None)


def http_date(text: str) -> datetime | None:
    """The moment in a ``date`` or ``retry-after`` header; None for what is no date."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(said: str) -> str:
    """The upstream's sentence, fit for a client: one line, no links, ARNs, e-mail addresses, account ids or secrets.

    Cut before it is searched: the search takes the square of a long word's length.
    """
    text = _PRIVATE.sub("…", " ".join(said[:MAX_SEARCHED_CHARACTERS].split()))
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"
