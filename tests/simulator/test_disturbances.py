from __future__ import annotations

from typing import Any

import pytest

from kiro_rs_py.errors import CodecError, TruncatedStream
from kiro_rs_py.simulator import frames
from kiro_rs_py.simulator.disturbances import disturb
from kiro_rs_py.simulator.faults import LATE, parse_fault
from kiro_rs_py.simulator.frames import Cut, Hang, Pause, Send, Step
from tests.simulator.talk import decode

TEXT = "one two three four five six seven eight nine ten"
CLOSING = frames.closing(stop_reason="END_TURN", percentage=1.0, credits_used=0.1, usage=None)
PLAIN = [frames.initial(), *frames.text(TEXT), *CLOSING]
CALLING = [
    frames.initial(),
    *frames.tool_use("A", '{"a":1}', "t1"),
    *frames.tool_use("Write", '{"content":"' + "x" * 200 + '"}', "t2"),
    *CLOSING,
]


def steps_of(fault: str, events: list[frames.Event] = PLAIN, pause: float = 0.0) -> list[Step]:
    return disturb(events, parse_fault(fault), pause)


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
    assert isinstance(steps_of(kind, [frames.initial(), *CLOSING], 0.1), list)


def test_others_change_nothing() -> None:
    assert events_of(steps_of("stop MAX_TOKENS")) == decode(b"".join(event.data for event in PLAIN))
