from __future__ import annotations

import json

import pytest

from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.asgi import Answer
from kiro_rs_py.simulator.faults import (
    EARLY,
    KINDS,
    LATE,
    SILENT,
    Fault,
    Onces,
    early_answer,
    failure_event,
    message_of,
    parse_fault,
)
from kiro_rs_py.simulator.refusal import Refusal
from tests.simulator.talk import decode

ACCOUNT = Account(name="x")


def early(text: str) -> Answer | Refusal | None:
    return early_answer(parse_fault(text), ACCOUNT)


def test_the_directive_is_read() -> None:
    assert parse_fault("throttle 3") == Fault("throttle", "3")
    assert parse_fault("throttle once 3") == Fault("throttle", "3", once=True)
    assert parse_fault("expired") == Fault("expired", once=True)
    assert parse_fault("expired always") == Fault("expired")
    assert parse_fault("exception ThrottlingException").argument == "ThrottlingException"


def test_typos_do_not_pass_for_health() -> None:
    with pytest.raises(ValueError, match="no such fault: throtle"):
        parse_fault("throtle")


def test_numbers_have_defaults() -> None:
    assert Fault("slow", "0.5").number(1) == 0.5
    assert Fault("slow").number(1) == 1


def test_once_is_once_for_each_prompt() -> None:
    onces = Onces()
    fault = parse_fault("throttle once")
    assert [onces.is_due(fault, "a"), onces.is_due(fault, "a"), onces.is_due(fault, "b")] == [True, False, True]
    assert all(onces.is_due(parse_fault("throttle"), "a") for _ in range(3))


@pytest.mark.parametrize("kind", sorted(EARLY))
def test_early_faults_answer(kind: str) -> None:
    assert early(kind) is not None
    assert failure_event(Fault(kind)) is None


@pytest.mark.parametrize("kind", sorted(LATE | SILENT))
def test_late_faults_do_not(kind: str) -> None:
    assert early(kind) is None


def test_an_account_may_recover_soon() -> None:
    soon = Account(name="x", recovery=5)
    quota, rate = (early_answer(parse_fault(kind), soon) for kind in ("quota", "credit-rate"))
    assert isinstance(quota, Refusal)
    assert isinstance(rate, Refusal)
    assert (quota.headers, rate.fields) == ((("retry-after", "5"),), {"retryAfterMilliseconds": 5000})
    never = early("quota")
    assert isinstance(never, Refusal)
    assert never.headers == ()


def test_kinds_are_told_apart() -> None:
    assert len(KINDS) == len(EARLY) + len(LATE) + len(SILENT)


@pytest.mark.parametrize(
    "text, status, reason",
    [
        ("throttle", 429, None),
        ("credit-rate 5", 429, "CREDIT_CONSUMPTION_RATE_EXCEEDED"),
        ("quota", 402, "MONTHLY_REQUEST_COUNT"),
        ("suspend", 403, None),
        ("suspicious", 429, None),
        ("overload", 429, "INSUFFICIENT_MODEL_CAPACITY"),
        ("too-long", 400, "CONTENT_LENGTH_EXCEEDS_THRESHOLD"),
        ("no-model", 400, "INVALID_MODEL_ID"),
        ("signature", 400, "THINKING_SIGNATURE_INVALID"),
        ("model-down", 500, "MODEL_TEMPORARILY_UNAVAILABLE"),
        ("status 418", 418, None),
    ],
)
def test_refusals(text: str, status: int, reason: str | None) -> None:
    refused = early(text)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.reason) == (status, reason)


def test_answers_that_are_no_refusals() -> None:
    gateway, page, error = early("gateway"), early("html"), early("json-error InternalFailure")
    assert isinstance(gateway, Answer)
    assert isinstance(page, Answer)
    assert isinstance(error, Answer)
    assert (gateway.status, page.status, error.status) == (502, 200, 200)
    assert gateway.content_type == page.content_type == "text/html"
    assert json.loads(error.body)["__type"].endswith("#InternalFailure")


def test_frames_of_failure() -> None:
    for text, expected in [
        ("exception", ("!ThrottlingException", {"message": message_of("ThrottlingException")})),
        ("late-exception Odd", ("!Odd", {"message": "A simulated Odd."})),
        ("error", ("!!InternalServerException", "A simulated InternalServerException.")),
        (
            "invalid-state",
            ("invalidStateEvent", {"reason": "INVALID_TASK_ASSIST_PLAN", "message": "The plan is not valid."}),
        ),
    ]:
        event = failure_event(parse_fault(text))
        assert event is not None
        assert decode(event.data) == [expected]
