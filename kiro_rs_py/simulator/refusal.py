"""How the service says no: statuses, codes, texts and body shapes (upstream-protocol §3.1, §11)."""

from __future__ import annotations

from collections.abc import Mapping

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.asgi import Answer, Headers, json_answer

NAMESPACE = "com.amazon.aws.codewhisperer#"

BEARER_INVALID = "The bearer token included in the request is invalid."
TOO_MANY_REQUESTS = "Too many requests, please wait before trying again."
IMPROPERLY_FORMED = "Improperly formed request."
TOO_LONG = "Input is too long."


class Refusal(Exception):
    """An AWS error answer. ``reason`` None is sent as ``null``, as the service does for its plain validation errors."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        reason: str | None = None,
        headers: Headers = (),
        fields: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.reason = reason
        self.headers = headers
        self.fields = dict(fields or {})

    def answer(self, *, typed: bool = False) -> Answer:
        """``typed`` adds ``__type``, which the awsJson form (``POST /`` with a target) carries."""
        body: JsonObject = {"__type": NAMESPACE + self.code} if typed else {}
        body |= {"message": self.message, "reason": self.reason, **self.fields}
        # The url behind the name is real too: readers have to cut at the colon (upstream-protocol §3.1).
        error_type = ("x-amzn-errortype", f"{self.code}:http://internal.amazon.com/coral/com.amazon.codewhisperer/")
        return json_answer(body, self.status, (error_type, *self.headers))


class OAuthRefusal(Exception):
    """A token service error (upstream-protocol §11.4): ``{"error", "error_description"}``."""

    AWS_NAMES: Mapping[str, str] = {
        "authorization_pending": "AuthorizationPendingException",
        "slow_down": "SlowDownException",
        "expired_token": "ExpiredTokenException",
        "access_denied": "AccessDeniedException",
        "invalid_grant": "InvalidGrantException",
        "invalid_client": "InvalidClientException",
        "invalid_client_metadata": "InvalidClientMetadataException",
        "invalid_request": "InvalidRequestException",
        "unauthorized_client": "UnauthorizedClientException",
        "unsupported_grant_type": "UnsupportedGrantTypeException",
    }

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description

    def answer(self) -> Answer:
        status = 401 if self.error == "invalid_client" else 400
        body: JsonObject = {"error": self.error, "error_description": self.description}
        return json_answer(body, status, (("x-amzn-errortype", self.AWS_NAMES[self.error]),))


# --- validation -------------------------------------------------------------------------------------------------


def improperly_formed() -> Refusal:
    """The service's answer to nearly every malformed request; it never says which part (field-notes 2a)."""
    return Refusal(400, "ValidationException", IMPROPERLY_FORMED)


def invalid(reason: str | None, message: str) -> Refusal:
    return Refusal(400, "ValidationException", message, reason=reason)


def too_long() -> Refusal:
    return invalid("CONTENT_LENGTH_EXCEEDS_THRESHOLD", TOO_LONG)


def invalid_model() -> Refusal:
    return invalid("INVALID_MODEL_ID", "Invalid model. Please select a different model to continue.")


def invalid_signature(place: str) -> Refusal:
    return invalid("THINKING_SIGNATURE_INVALID", f"{place}: Invalid `signature` in `thinking` block")


def arn_required() -> Refusal:
    """Also what an API key without its token type is told, misleading as it is (upstream-protocol §1.5)."""
    return invalid(None, "profileArn is required for this request.")


def unknown_operation(status: int = 404) -> Refusal:
    return Refusal(status, "UnknownOperationException", "The requested operation is not known: UnknownOperation.")


# --- the account ------------------------------------------------------------------------------------------------


def bearer_invalid() -> Refusal:
    return Refusal(403, "AccessDeniedException", BEARER_INVALID)


def not_authorized() -> Refusal:
    return Refusal(403, "AccessDeniedException", "User is not authorized to make this call.")


def token_type_wrong() -> Refusal:
    """``tokentype: EXTERNAL_IDP`` on a token that is none (upstream-protocol §1.9)."""
    return Refusal(403, "InternalFailure", "Invalid token")


def suspended(user_id: str) -> Refusal:
    return Refusal(
        403,
        "AccessDeniedException",
        f"Your User ID ({user_id}) temporarily is suspended. We've locked your account as a security precaution. "
        "To restore access, contact support.",
    )


def quota(retry_after: float | None = None) -> Refusal:
    return Refusal(
        402,
        "ServiceQuotaExceededException",
        "You have reached the limit.",
        reason="MONTHLY_REQUEST_COUNT",
        headers=_retry_after(retry_after),
    )


def throttled(retry_after: float | None = None) -> Refusal:
    """``retry_after`` seconds go into the header, rounded up to what HTTP allows."""
    return Refusal(429, "ThrottlingException", TOO_MANY_REQUESTS, headers=_retry_after(retry_after))


def _retry_after(seconds: float | None) -> Headers:
    return () if seconds is None else (("retry-after", f"{seconds:g}"),)


def credit_rate(milliseconds: int) -> Refusal:
    return Refusal(
        429,
        "ThrottlingException",
        TOO_MANY_REQUESTS,
        reason="CREDIT_CONSUMPTION_RATE_EXCEEDED",
        fields={"retryAfterMilliseconds": milliseconds},
    )


def suspicious(user_id: str) -> Refusal:
    return Refusal(
        429,
        "ThrottlingException",
        "Due to suspicious activity, we are imposing temporary limits on how frequently your account "
        f"({user_id}) can send a request to Kiro while we investigate.",
    )


# --- the service ------------------------------------------------------------------------------------------------


def no_capacity() -> Refusal:
    return Refusal(
        429,
        "ThrottlingException",
        "I am experiencing high traffic, please try again shortly.",
        reason="INSUFFICIENT_MODEL_CAPACITY",
    )


def high_load() -> Refusal:
    return Refusal(
        500,
        "InternalServerException",
        "Encountered unexpectedly high load when processing the request, please try again.",
    )


def model_unavailable() -> Refusal:
    return Refusal(
        500, "InternalServerException", "The model is not available.", reason="MODEL_TEMPORARILY_UNAVAILABLE"
    )


def unavailable() -> Refusal:
    return Refusal(503, "ServiceUnavailableException", "The service is temporarily unavailable.")


def internal() -> Refusal:
    return Refusal(500, "InternalServerException", "An internal error occurred.")
