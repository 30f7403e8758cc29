from __future__ import annotations

import json
from typing import Any

import pytest

from kiro_rs_py.errors import CodecError, TruncatedStream
from kiro_rs_py.simulator import frames
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.asgi import Answer
from kiro_rs_py.simulator.faults import (
    EARLY,
    KINDS,
    LATE,
    SILENT,
    Fault,
    Onces,
    disturb,
    early_answer,
    failure_event,
    message_of,
    parse_fault,
)
from kiro_rs_py.simulator.frames import Cut, Hang, Pause, Send, Step
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
        ("high-load", 500, None),
        ("unavailable", 503, None),
        ("internal", 500, None),
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


# --- answers that have begun ------------------------------------------------------------------------------------

TEXT = "one two three four five six seven eight nine ten"
CLOSING = frames.closing(stop_reason="END_TURN", percentage=1.0, credits_used=0.1, usage=None)
PLAIN = [frames.initial(), *frames.text(TEXT), *CLOSING]
CALLING = [
    frames.initial(),
    *frames.tool_use("A", '{"a":1}', "t1"),
    *frames.tool_use("Write", '{"content":"' + "x" * 200 + '"}', "t2"),
    *CLOSING,
]


def steps_of(fault: str, events: list[frames.Event] = PLAIN) -> list[Step]:
    return disturb(events, parse_fault(fault))


def bytes_of(steps: list[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Send))


def events_of(steps: list[Step]) -> list[tuple[str, Any]]:
    return decode(bytes_of(steps))


def text_of(events: list[tuple[str, Any]]) -> str:
    return "".join(payload["content"] for kind, payload in events if kind == frames.TEXT)


def test_cut_tool_ends_inside_the_last_call() -> None:
    events = events_of(steps_of("cut-tool", CALLING))
    last = [payload for kind, payload in events if kind == frames.TOOL_USE and payload["toolUseId"] == "t2"]
    assert len(last) > 1
    assert not any("stop" in payload for payload in last)
    assert events[-1][1]["toolUseId"] == "t2"


def test_cut_tool_without_a_call_cuts_the_text() -> None:
    events = events_of(steps_of("cut-tool"))
    assert events[-1][0] == frames.TEXT
    assert 0 < len(text_of(events)) < len(TEXT)


def test_end_early_is_clean_but_unfinished() -> None:
    steps = steps_of("end-early")
    assert events_of(steps)[-1][0] == frames.TEXT
    assert isinstance(steps[-1], Send)


@pytest.mark.parametrize("fault, last", [("cut-stream", Cut()), ("reset-stream", Cut(reset=True))])
def test_cuts_inside_a_frame(fault: str, last: Step) -> None:
    steps = steps_of(fault)
    assert steps[-1] == last
    with pytest.raises(TruncatedStream):
        events_of(steps)


def test_cut_frame_leaves_the_connection() -> None:
    steps = steps_of("cut-frame")
    assert isinstance(steps[-1], Send)
    with pytest.raises(TruncatedStream):
        events_of(steps)


@pytest.mark.parametrize("fault", ["bad-crc", "bad-prelude"])
def test_damage(fault: str) -> None:
    steps = steps_of(fault)
    assert len(bytes_of(steps)) == sum(len(event.data) for event in PLAIN)
    with pytest.raises(CodecError):
        events_of(steps)


def test_bad_json_has_good_checksums() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        events_of(steps_of("bad-json"))


def test_slowness() -> None:
    assert steps_of("slow 0.5").count(Pause(0.5)) == len(PLAIN)
    assert steps_of("slow-start 2")[0] == Pause(2.0)
    assert steps_of("slow").count(Pause(1.0)) == len(PLAIN)


def test_stall_falls_silent() -> None:
    steps = steps_of("stall")
    assert steps[-1] == Hang()
    assert 0 < len(text_of(events_of(steps))) < len(TEXT)


def test_torn_pieces() -> None:
    steps = steps_of("torn 7")
    assert {len(step.data) for step in steps[:-2] if isinstance(step, Send)} == {7}
    assert text_of(events_of(steps)) == TEXT


def test_noise_is_only_added() -> None:
    events = events_of(steps_of("noise"))
    assert text_of(events) == TEXT
    assert len(events) == 4 * len(PLAIN)


def test_empty_has_no_content() -> None:
    assert [kind for kind, _ in events_of(steps_of("empty"))] == [
        "initial-response",
        "metadataEvent",
        "contextUsageEvent",
        "meteringEvent",
    ]


@pytest.mark.parametrize(
    "fault, last", [("late-exception X", "!X"), ("error Y", "!!Y"), ("invalid-state", "invalidStateEvent")]
)
def test_failures_after_some_content(fault: str, last: str) -> None:
    events = events_of(steps_of(fault))
    assert events[-1][0] == last
    assert 0 < len(text_of(events)) < len(TEXT)


def test_an_exception_is_the_first_frame() -> None:
    assert [kind for kind, _ in events_of(steps_of("exception X"))] == ["!X"]


def test_one_piece_of_text_still_comes_before_a_late_failure() -> None:
    short = [frames.initial(), *frames.text("hi"), *CLOSING]
    assert text_of(events_of(steps_of("late-exception X", short))) == "hi"


@pytest.mark.parametrize("kind", sorted(LATE))
def test_all_of_them_manage_without_content(kind: str) -> None:
    assert isinstance(steps_of(kind, [frames.initial(), *CLOSING]), list)


def test_others_change_nothing() -> None:
    assert events_of(steps_of("stop MAX_TOKENS")) == decode(b"".join(event.data for event in PLAIN))
