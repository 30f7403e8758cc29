"""How the service says no: statuses, codes, texts and body shapes (upstream-protocol §3.1, §11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.asgi import Answer, Headers, json_answer

NAMESPACE = "com.amazon.aws.codewhisperer#"

BEARER_INVALID = "The bearer token included in the request is invalid."
TOO_MANY_REQUESTS = "Too many requests, please wait before trying again."
IMPROPERLY_FORMED = "Improperly formed request."
TOO_LONG = "Input is too long."


@dataclass(eq=False)
class Refusal(Exception):
    """An AWS error answer. ``reason`` None is sent as ``null``, as the service does for its plain validation errors."""

    status: int
    code: str
    message: str
    _: KW_ONLY
    reason: str | None = None
    headers: Headers = ()
    fields: Mapping[str, Json] = field(default_factory=dict)

    def answer(self, *, typed: bool = False) -> Answer:
        """``typed`` adds ``__type``, which the awsJson form (``POST /`` with a target) carries."""
        body: JsonObject = {"__type": NAMESPACE + self.code} if typed else {}
        body |= {"message": self.message, "reason": self.reason, **self.fields}
        # The url behind the name is real too: readers have to cut at the colon (upstream-protocol §3.1).
        error_type = ("x-amzn-errortype", f"{self.code}:http://internal.amazon.com/coral/com.amazon.codewhisperer/")
        return json_answer(body, self.status, (error_type, *self.headers))


@dataclass(eq=False)
class OAuthRefusal(Exception):
    """A token service error (upstream-protocol §11.4): ``{"error", "error_description"}``."""

    error: str
    description: str

    def answer(self) -> Answer:
        status = 401 if self.error == "invalid_client" else 400
        body: JsonObject = {"error": self.error, "error_description": self.description}
        # ``invalid_grant`` is InvalidGrantException, and so are all the others.
        name = self.error.title().replace("_", "") + "Exception"
        return json_answer(body, status, (("x-amzn-errortype", name),))


def required_text(body: JsonObject, key: str) -> str:
    """A text member of a token service's request. Raises :class:`OAuthRefusal` when it is missing."""
    value = body.get(key)
    if not isinstance(value, str):
        raise OAuthRefusal("invalid_request", f"{key} is required")
    return value


# --- validation -------------------------------------------------------------------------------------------------


def improperly_formed() -> Refusal:
    """The service's answer to nearly every malformed request; it never says which part (field-notes 2a)."""
    return Refusal(400, "ValidationException", IMPROPERLY_FORMED)


def invalid(reason: str | None, message: str) -> Refusal:
    return Refusal(400, "ValidationException", message, reason=reason)


def an_object(value: Json) -> JsonObject:
    """Raises :func:`improperly_formed` for anything else."""
    if not isinstance(value, dict):
        raise improperly_formed()
    return value


def a_list(value: Json) -> list[Json]:
    """Raises :func:`improperly_formed` for anything else."""
    if not isinstance(value, list):
        raise improperly_formed()
    return value


def too_long() -> Refusal:
    return invalid("CONTENT_LENGTH_EXCEEDS_THRESHOLD", TOO_LONG)


def invalid_model() -> Refusal:
    return invalid("INVALID_MODEL_ID", "Invalid model. Please select a different model to continue.")


def invalid_signature(place: str) -> Refusal:
    return invalid("THINKING_SIGNATURE_INVALID", f"{place}: Invalid `signature` in `thinking` block")


def arn_required() -> Refusal:
    """Also what an API key without its token type is told, misleading as it is (upstream-protocol §1.5)."""
    return invalid(None, "profileArn is required for this request.")


def unknown_operation(status: int) -> Refusal:
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
