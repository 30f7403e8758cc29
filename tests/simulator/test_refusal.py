from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from kiro_rs_py.simulator import refusal
from kiro_rs_py.simulator.refusal import OAuthRefusal, Refusal


def test_the_body_has_message_and_reason_and_the_header_the_code() -> None:
    answer = refusal.quota().answer()
    assert answer.status == 402
    assert json.loads(answer.body) == {"message": "You have reached the limit.", "reason": "MONTHLY_REQUEST_COUNT"}
    assert dict(answer.headers)["x-amzn-errortype"].startswith("ServiceQuotaExceededException:http")


def test_the_aws_json_form_names_the_type_in_the_body() -> None:
    body = json.loads(refusal.improperly_formed().answer(typed=True).body)
    assert body["__type"] == "com.amazon.aws.codewhisperer#ValidationException"
    assert body["reason"] is None


def test_throttling_may_say_how_long() -> None:
    assert dict(refusal.throttled(2.0).headers) == {"retry-after": "2"}
    assert refusal.throttled().headers == ()
    assert json.loads(refusal.credit_rate(300_000).answer().body)["retryAfterMilliseconds"] == 300_000


@pytest.mark.parametrize(
    "make, status, text",
    [
        (refusal.too_long, 400, "Input is too long."),
        (refusal.invalid_model, 400, "Invalid model."),
        (refusal.arn_required, 400, "profileArn is required for this request."),
        (refusal.bearer_invalid, 403, "The bearer token included in the request is invalid."),
        (refusal.not_authorized, 403, "User is not authorized"),
        (refusal.token_type_wrong, 403, "Invalid token"),
        (lambda: refusal.suspended("u"), 403, "We've locked your account"),
        (lambda: refusal.suspicious("u"), 429, "Due to suspicious activity"),
        (lambda: refusal.invalid_signature("messages.1"), 400, "messages.1: Invalid `signature`"),
        (lambda: refusal.unknown_operation(404), 404, "UnknownOperation"),
    ],
)
def test_wordings(make: Callable[[], Refusal], status: int, text: str) -> None:
    refused = make()
    assert refused.status == status
    assert text in refused.message


@pytest.mark.parametrize("error, status", [("invalid_grant", 400), ("invalid_client", 401), ("slow_down", 400)])
def test_the_token_service_answers_in_oauth(error: str, status: int) -> None:
    answer = OAuthRefusal(error, "why").answer()
    assert answer.status == status
    assert json.loads(answer.body) == {"error": error, "error_description": "why"}
    assert dict(answer.headers)["x-amzn-errortype"].endswith("Exception")
