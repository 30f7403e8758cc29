"""Every known failure of the upstream and what it is taken for (upstream-protocol §3, §11)."""

from __future__ import annotations

import json
import re
import ssl
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
import pytest

from kiro_rs_py.convert.events import Fault
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
from kiro_rs_py.upstream.failures import (
    classify,
    classify_fault,
    redacted,
    translate_transport_error,
    wrong_endpoint,
)


class Case(NamedTuple):
    """An answer with this status, reason, code (``__type``) and message, and what it is."""

    kind: type[UpstreamError]
    status: int
    reason: str | None = None
    code: str | None = None
    message: str = ""


VALIDATION_REASONS = """
    DISALLOWED_FILE_TYPE DOCUMENT_COUNT_EXCEEDED DOCUMENT_DUPLICATE_NAME DOCUMENT_MAXIMUM_PAGES_EXCEEDED
    DOCUMENT_MODEL_NOT_SUPPORTED DOCUMENT_PASSWORD_PROTECTED DOCUMENT_SIZE_EXCEEDED IMAGE_COUNT_EXCEEDED
    IMAGE_DIMENSION_EXCEEDED IMAGE_FORMAT_UNSUPPORTED IMAGE_MIME_MISMATCH IMAGE_SIZE_EXCEEDED
    INVALID_CONVERSATION_ID INVALID_DOCUMENT_NAME INVALID_KMS_GRANT REQUEST_BODY_INVALID
    REQUEST_BODY_INVALID_JSON TOOL_CONFIG_MISSING TOOL_DUPLICATE TOOL_SCHEMA_INVALID
    TOOL_USE_RESULT_MISMATCH VALIDATION_EXCEPTION SOMETHING_NEW
""".split()  # noqa: SIM905
REJECTING_CODES = """
    ServiceLinkedRoleLockClient InvalidState UnsupportedMediaType MalformedHttpRequest RequestEntityTooLarge
    UnknownOperation HttpNotFound InvalidMessageDigest MissingMessageDigest HeaderMisclassification
    MissingRequiredHeader DryRunOperation ResourceNotFound Conflict
""".split()  # noqa: SIM905

CASES = [
    # reasons of Throttling
    Case(QuotaExhausted, 429, "MONTHLY_REQUEST_COUNT", "ThrottlingException", "You have reached the limit."),
    Case(QuotaExhausted, 429, "DAILY_REQUEST_COUNT"),
    Case(QuotaExhausted, 429, "HOURLY_REQUEST_COUNT"),
    Case(QuotaExhausted, 429, "WEEKLY_REQUEST_COUNT"),
    Case(QuotaExhausted, 429, "USAGE_LIMIT_REACHED"),
    Case(QuotaExhausted, 400, "MONTHLY_REQUEST_LIMIT_REACHED"),
    Case(Throttled, 429, "CREDIT_CONSUMPTION_RATE_EXCEEDED"),
    Case(Throttled, 429, "SERVICE_REQUEST_RATE_EXCEEDED"),
    Case(Throttled, 429, "USER_REQUEST_RATE_EXCEEDED"),
    Case(Throttled, 429, "RATE_LIMIT_EXCEEDED"),
    Case(Throttled, 400, "THROTTLING_EXCEPTION"),
    Case(UpstreamOverloaded, 429, "INSUFFICIENT_MODEL_CAPACITY", "ThrottlingException"),
    # reasons of ServiceQuotaExceeded
    Case(ContextWindowFull, 402, "CONVERSATION_LIMIT_EXCEEDED", "ServiceQuotaExceededException"),
    Case(QuotaExhausted, 402, "MONTHLY_REQUEST_COUNT", "ServiceQuotaExceededException"),
    Case(QuotaExhausted, 402, "OVERAGE_REQUEST_LIMIT_EXCEEDED", None, "You have reached the limit for overages."),
    Case(QuotaExhausted, 400, None, "ServiceQuotaExceededError"),
    Case(QuotaExhausted, 402),
    Case(QuotaExhausted, 402, "SOMETHING_NEW"),
    # reasons of Validation
    Case(ContextWindowFull, 400, "CONTENT_LENGTH_EXCEEDS_THRESHOLD", "ValidationException", "Input is too long."),
    Case(ContextWindowFull, 400, "PROMPT_TOO_LONG"),
    *(Case(UpstreamRejected, 400, reason) for reason in VALIDATION_REASONS),
    Case(UpstreamRejected, 500, "TOOL_USE_RESULT_MISMATCH"),
    Case(UpstreamRejected, 502, "TOOL_SCHEMA_INVALID"),
    Case(ModelUnavailable, 400, "INVALID_MODEL_ID"),
    Case(SignatureRejected, 400, "THINKING_SIGNATURE_INVALID"),
    # reasons of AccessDenied
    Case(UpstreamRejected, 403, "FEATURE_NOT_SUPPORTED"),
    Case(UpstreamRejected, 403, "UNAUTHORIZED_CUSTOMIZATION_RESOURCE_ACCESS"),
    Case(UpstreamRejected, 403, "UNAUTHORIZED_WORKSPACE_CONTEXT_FEATURE_ACCESS"),
    Case(AccountSuspended, 403, "TEMPORARILY_SUSPENDED"),
    Case(AccountSuspended, 403, "ACCOUNT_SUSPENDED"),
    Case(AccountSuspended, 423),
    # reasons of InternalServer, Conflict and the reference's own
    Case(UpstreamOverloaded, 500, "MODEL_TEMPORARILY_UNAVAILABLE"),
    Case(UpstreamOverloaded, 500, "SERVICE_UNAVAILABLE"),
    Case(UpstreamRejected, 409, "CUSTOMER_KMS_KEY_DISABLED", "ConflictException"),
    Case(UpstreamUnavailable, 500, "UNKNOWN"),
    # texts
    Case(ContextWindowFull, 400, None, None, "Input is too long."),
    Case(ContextWindowFull, 400, None, None, "prompt is too long: 5 tokens > 4 maximum"),
    Case(ContextWindowFull, 400, None, None, "Context window is full"),
    Case(UpstreamRejected, 400, None, None, "Improperly formed request."),
    Case(UpstreamUnauthorized, 400, None, None, "profileArn is required for this request."),
    Case(ModelUnavailable, 400, None, None, "Invalid model. Please select a different model"),
    Case(UpstreamRejected, 400, None, None, "Invalid tool use format."),
    Case(UpstreamRejected, 500, None, None, "Expected toolResult blocks at messages.2.content"),
    Case(UpstreamRejected, 400, None, None, "input_schema does not support oneOf, allOf, or anyOf at the top level"),
    Case(UpstreamRejected, 400, None, None, "additionalModelRequestFields is not supported for this model"),
    Case(QuotaExhausted, 400, None, None, "Maximum Request reached for this month."),
    Case(QuotaExhausted, 429, None, None, "You have reached the limit."),
    Case(Throttled, 429, None, None, "Too many requests, please wait before trying again."),
    Case(Throttled, 429, None, None, "Rate exceeded"),
    Case(UpstreamOverloaded, 429, None, None, "I am experiencing high traffic, please try again shortly."),
    Case(UpstreamOverloaded, 500, None, None, "Encountered unexpectedly high load when processing the request"),
    Case(Throttled, 429, None, None, "Due to suspicious activity, we are imposing temporary limits on …"),
    Case(
        AccountSuspended,
        403,
        None,
        None,
        "Your User ID (d-1) temporarily is suspended. We've locked your account as a security precaution.",
    ),
    Case(UpstreamUnauthorized, 403, None, None, "The bearer token included in the request is invalid."),
    Case(UpstreamUnauthorized, 401, None, None, "Invalid token"),
    Case(UpstreamUnauthorized, 403, None, None, "User is not authorized to make this call."),
    Case(UpstreamUnauthorized, 403, None, None, "Your subscription does not support this application"),
    Case(UpstreamTimeout, 524),
    Case(UpstreamTimeout, 500, None, None, "Gateway Timeout"),
    # statuses
    Case(UpstreamRejected, 404),
    Case(UpstreamRejected, 413),
    Case(UpstreamRejected, 422),
    Case(UpstreamTimeout, 408),
    Case(UpstreamTimeout, 504),
    Case(UpstreamUnavailable, 500),
    Case(UpstreamUnavailable, 502),
    Case(UpstreamOverloaded, 503),
    Case(UpstreamUnavailable, 302),
    # codes, with status 200 (§1.5) and otherwise
    Case(UpstreamOverloaded, 500, None, "ServiceUnavailableException"),
    Case(Throttled, 400, None, "com.amazon.aws.codewhisperer#ThrottlingException"),
    Case(Throttled, 200, None, "com.amazon.kiro.runtimeservice#ThrottlingException:http://internal/"),
    Case(Throttled, 200, None, "BackOffException"),
    Case(UpstreamRejected, 200, None, "ValidationError"),
    Case(UpstreamUnauthorized, 200, None, "AccessDeniedException"),
    Case(UpstreamUnauthorized, 200, None, "NotAuthorizedException"),
    Case(UpstreamUnauthorized, 200, None, "DelegationException"),
    Case(UpstreamUnauthorized, 400, None, "UnrecognizedClientException"),
    Case(UpstreamUnauthorized, 403, None, "ExpiredTokenException"),
    Case(UpstreamUnauthorized, 200, None, "MissingAuthSchemeParameterException"),
    Case(UpstreamUnauthorized, 200, None, "InvalidSignatureException"),
    Case(QuotaExhausted, 200, None, "UpdateUsageLimitQuotaExceededException"),
    Case(UpstreamUnavailable, 200, None, "InternalServerException"),
    Case(UpstreamUnavailable, 200, None, "InternalFailure"),
    Case(UpstreamUnavailable, 200, None, "ModelErrorException"),
    Case(UpstreamUnavailable, 200, None, "ServiceLinkedRoleLockServiceException"),
    Case(UpstreamUnavailable, 200, None, "RequestAbortedException"),
    Case(UpstreamTimeout, 200, None, "TimeoutException"),
    Case(UpstreamTimeout, 200, None, "RequestTimeoutException"),
    Case(UpstreamOverloaded, 200, None, "ServiceUnavailableException"),
    *(Case(UpstreamRejected, 200, None, name + "Exception") for name in REJECTING_CODES),
    Case(UpstreamUnavailable, 200, None, "NobodyKnowsException"),
    Case(UpstreamUnavailable, 200),
]


def body_of(case: Case) -> bytes:
    members = {"__type": case.code, "message": case.message, "reason": case.reason}
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status}-{case.reason or case.code or case.message}")
def test_classify(case: Case) -> None:
    error = classify(case.status, {"x-amzn-requestid": "up-1"}, body_of(case))
    assert type(error) is case.kind
    assert (error.status, error.reason, error.request_id) == (case.status, case.reason, "up-1")
    assert str(error)


@pytest.mark.parametrize("case", [case for case in CASES if case.code], ids=lambda case: case.code)
def test_the_code_may_stand_in_the_header(case: Case) -> None:
    body = json.dumps({"Message": case.message, "reason": case.reason}).encode()
    assert type(classify(case.status, {"x-amzn-errortype": case.code or ""}, body)) is case.kind


@pytest.mark.parametrize("case", [case for case in CASES if case.code], ids=lambda case: case.code)
@pytest.mark.parametrize("ending", ["Exception", "Error"])
def test_all_spellings_of_a_code_are_equal(case: Case, ending: str) -> None:
    """upstream-protocol §2.4: ``throttlingException``, ``validationError``, …"""
    code = (case.code or "").removesuffix("Exception")
    spelled = code[:1].lower() + code[1:] + ending
    body = json.dumps({"__type": f"com.amazon#{spelled}", "message": case.message, "reason": case.reason}).encode()
    assert type(classify(case.status, {}, body)) is case.kind
    told = Fault(f"{code}Exception", case.message or "", case.reason)
    assert type(classify_fault(told._replace(code=spelled))) is type(classify_fault(told))


def test_other_shapes_of_the_body() -> None:
    assert type(classify(400, {}, b'{"error":{"reason":"MONTHLY_REQUEST_COUNT"}}')) is QuotaExhausted
    assert type(classify(400, {}, b'{"code":"ThrottlingException","errorMessage":"x"}')) is Throttled
    assert type(classify(400, {}, b'{"message":null,"reason":null}')) is UpstreamRejected
    assert type(classify(400, {}, b'["Input is too long."]')) is ContextWindowFull
    assert type(classify(502, {}, b"<html>\xff Bad Gateway</html>")) is UpstreamUnavailable
    assert type(classify(504, {}, b"")) is UpstreamTimeout
    assert type(classify(200, {}, b"<html>")) is UpstreamUnavailable
    assert type(classify(400, {}, b"[" * 100_000)) is UpstreamRejected


@pytest.mark.parametrize(
    "status, message, invalid",
    [
        (401, "", True),
        (403, "The bearer token included in the request is invalid.", True),
        (403, "The security token has expired", True),
        (403, "", False),
        (403, "User is not authorized to make this call.", False),
        (400, "profileArn is required for this request.", False),
    ],
)
def test_which_refusals_a_refresh_may_cure(status: int, message: str, invalid: bool) -> None:
    error = classify(status, {}, json.dumps({"message": message}).encode())
    assert isinstance(error, UpstreamUnauthorized)
    assert error.bearer_invalid is invalid


def test_suspicious_activity() -> None:
    message = "Due to suspicious activity, we are imposing temporary limits on how frequently your account can send"
    suspicious = classify(429, {}, json.dumps({"message": message}).encode())
    plain = classify(429, {}, b"{}")
    assert isinstance(suspicious, Throttled)
    assert isinstance(plain, Throttled)
    assert (suspicious.suspicious, plain.suspicious) == (True, False)


@pytest.mark.parametrize(
    "headers, body, seconds",
    [
        ({}, b"{}", None),
        ({"retry-after": "7"}, b"{}", 7.0),
        ({"retry-after": " 1.5 "}, b"{}", 1.5),
        ({"retry-after": "soon"}, b"{}", None),
        ({"retry-after": "-3"}, b"{}", None),
        ({}, b'{"retryAfterMilliseconds":300000}', 300.0),
        ({}, b'{"retryAfterMilliseconds":-1}', None),
        ({}, b'{"retryAfterMilliseconds":1e999}', None),
        ({}, b'{"retryAfterMilliseconds":"5"}', None),
        ({"retry-after": "7"}, b'{"retryAfterMilliseconds":2000}', 7.0),
        (
            {"retry-after": "Fri, 31 Jul 2026 12:00:30 GMT", "date": "Fri, 31 Jul 2026 12:00:00 GMT"},
            b"{}",
            30.0,
        ),
        ({"retry-after": "Fri, 31 Jul 2026 12:00:30 -0000"}, b"{}", 20.0),
        ({"retry-after": "Fri, 31 Jul 2026 11:00:00 GMT"}, b"{}", 0.0),
        ({"retry-after": "Fri, 99 Jul 2026 11:00:00 GMT"}, b"{}", None),
        ({"retry-after": "Fri, 31 Jul 99999999999999999999 11:00:00 GMT"}, b"{}", None),
        ({}, b'{"retryAfterMilliseconds":1' + b"0" * 400 + b"}", None),
    ],
)
def test_retry_after(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    error = classify(429, headers, body, now=datetime(2026, 7, 31, 12, 0, 10, tzinfo=UTC))
    assert error.retry_after == seconds


def test_a_date_without_a_clock_is_no_hint() -> None:
    assert classify(429, {"retry-after": "Fri, 31 Jul 2026 12:00:30 GMT"}, b"{}").retry_after is None


@pytest.mark.parametrize(
    "reason, text",
    [
        ("CONTENT_LENGTH_EXCEEDS_THRESHOLD", "Model context limit reached. Conversation size exceeds model capacity."),
        (
            "MONTHLY_REQUEST_LIMIT_REACHED",
            "Monthly request limit exceeded. Account has reached its monthly quota.",
        ),
        ("MONTHLY_REQUEST_COUNT", "Monthly request limit exceeded. Account has reached its monthly quota."),
        ("RATE_LIMIT_EXCEEDED", "Rate limit exceeded. Please wait a moment before retrying."),
        ("SERVICE_UNAVAILABLE", "Kiro service temporarily unavailable. Please try again later."),
        ("THROTTLING_EXCEPTION", "Too many requests. Please slow down and try again."),
        ("VALIDATION_EXCEPTION", "Invalid request: The image is odd."),
    ],
)
def test_texts_of_the_reference(reason: str, text: str) -> None:
    body = json.dumps({"message": "The image\n is odd.", "reason": reason}).encode()
    assert str(classify(400, {}, body)).startswith(text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status}-{case.reason or case.code or case.message}")
def test_no_word_of_the_upstream_is_shown(case: Case) -> None:
    said = f"{case.message} The marmalade of https://q.us-east-1.amazonaws.com/x is not for clients."
    body = body_of(case._replace(message=said))
    shown = str(classify(case.status, {}, body))
    if case.reason != "VALIDATION_EXCEPTION":
        assert "marmalade" not in shown
    assert "amazonaws" not in shown
    # One sentence that says what, one about what to do; and nothing a client would take for something else.
    assert shown.endswith((".", ")"))
    assert not re.search(r"prompt is too long|context window|\brole\b|output_config|anthropic-beta", shown)


@pytest.mark.parametrize("reason", ["made up", "x" * 99, "<B>", ""])
def test_a_reason_that_is_none_is_not_repeated(reason: str) -> None:
    error = classify(400, {}, json.dumps({"message": "x", "reason": reason}).encode())
    assert error.reason is None
    assert "reason" not in str(error)


@pytest.mark.parametrize(
    "private",
    [
        "https://q.us-east-1.amazonaws.com/x",
        "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABC",
        "someone@example.com",
        "aorAAAAAGabcdefgh",
        "ksk_abcdefghijkl",
        "d-1234567890.aaaa-bbbb",
    ],
)
def test_nothing_private_is_shown_or_logged(private: str) -> None:
    body = json.dumps({"message": f"Bad thing {private} here", "reason": "VALIDATION_EXCEPTION"}).encode()
    assert str(classify(400, {}, body)) == "Invalid request: Bad thing … here"
    assert private not in redacted(body)


def test_long_texts_are_cut() -> None:
    body = json.dumps({"message": "x" * 5000, "reason": "VALIDATION_EXCEPTION"}).encode()
    assert len(str(classify(400, {}, body))) < 400
    assert len(redacted(b"x" * 5000)) == 2048


@pytest.mark.parametrize("case", [case for case in CASES if case.status == 200 and case.code], ids=str)
def test_a_fault_in_the_stream_means_the_same(case: Case) -> None:
    name = (case.code or "").partition(":")[0].rpartition("#")[2]
    error = classify_fault(Fault(name, case.message, case.reason), request_id="up-1")
    expected = UpstreamFault if name == "NobodyKnowsException" else case.kind
    assert type(error) is expected
    assert (error.status, error.request_id) == (None, "up-1")


def test_faults_of_the_stream_alone() -> None:
    assert type(classify_fault(Fault("ContentLengthExceededException", ""))) is ContextWindowFull
    assert type(classify_fault(Fault("ThrottlingException", "", "MONTHLY_REQUEST_COUNT"))) is QuotaExhausted
    error = classify_fault(Fault("InvalidStateEvent", "The plan.", "INVALID_TASK_ASSIST_PLAN"))
    assert isinstance(error, UpstreamFault)
    assert (error.code, error.reason) == ("InvalidStateEvent", "INVALID_TASK_ASSIST_PLAN")


@pytest.mark.parametrize(
    "status, body, wrong",
    [
        (404, b"", True),
        (405, b"", True),
        (400, b'{"__type":"com.amazon.coral.service#UnknownOperationException"}', True),
        (403, b'{"message":"Invalid signature"}', True),
        (403, b'{"message":"The bearer token included in the request is invalid."}', False),
        (400, b'{"message":"Improperly formed request."}', False),
        (500, b"unknown operation", False),
    ],
)
def test_wrong_endpoint(status: int, body: bytes, wrong: bool) -> None:
    assert wrong_endpoint(status, body) is wrong


@pytest.mark.parametrize(
    "error, kind, text",
    [
        (httpx.ConnectError("https://secret.example"), UpstreamUnavailable, "proxyUrl"),
        (httpx.ConnectTimeout(""), UpstreamUnavailable, "in time"),
        (httpx.ProxyError("The proxy said 407."), UpstreamUnavailable, "407"),
        (httpx.ReadTimeout(""), UpstreamTimeout, "in time"),
        (httpx.WriteTimeout(""), UpstreamTimeout, "in time"),
        (httpx.ReadError(""), UpstreamUnavailable, "broke"),
        (httpx.RemoteProtocolError(""), UpstreamUnavailable, "broke"),
    ],
)
def test_transport_errors(error: httpx.RequestError, kind: type[UpstreamError], text: str) -> None:
    translated = translate_transport_error(error)
    assert type(translated) is kind
    assert text in str(translated)
    assert "secret" not in str(translated)


def test_untrusted_certificate_names_the_remedy() -> None:
    error = httpx.ConnectError("")
    error.__cause__ = ssl.SSLCertVerificationError()
    assert "caFile" in str(translate_transport_error(error))
