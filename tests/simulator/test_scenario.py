from __future__ import annotations

from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.asgi import Answer
from kiro_rs_py.simulator.faults import Fault
from kiro_rs_py.simulator.frames import Cut, Hang, Paced, Pause, Send, Step
from kiro_rs_py.simulator.scenario import Reply, Scenario, parse_reply, parse_scenario
from tests.simulator.talk import decode


def reply(*steps: Json) -> Reply:
    parsed = parse_reply(list(steps))
    assert isinstance(parsed, Reply)
    return parsed


def events_of(step: Step) -> list[tuple[str, Any]]:
    assert isinstance(step, Send)
    return decode(step.data)


def test_content_steps() -> None:
    text, thinking, call, frame, exception = reply(
        {"text": "hi"},
        {"thinking": "hm"},
        {"tool": {"name": "Read", "input": {"a": 1}, "id": "t1"}},
        {"frame": {"event": "odd", "payload": {"b": 2}}},
        {"exception": {"name": "X", "message": "m", "reason": "R"}},
    ).steps
    assert events_of(text) == [("assistantResponseEvent", {"content": "hi"})]
    assert events_of(thinking)[0] == ("reasoningContentEvent", {"text": "hm"})
    assert events_of(call)[1] == ("toolUseEvent", {"input": '{"a":1}', "name": "Read", "toolUseId": "t1"})
    assert events_of(frame) == [("odd", {"b": 2})]
    assert events_of(exception) == [("!X", {"message": "m", "reason": "R"})]


def test_other_steps() -> None:
    steps = reply({"pause": 1}, {"raw": "00ff"}, {"paced": {"events": 3, "every": 0.1}}, {"cut": True}).steps
    assert steps == (Pause(1.0), Send(b"\x00\xff"), Paced(3, 0.1), Cut())
    assert reply({"hang": True}).steps == (Hang(),)
    assert reply({"cut": "reset"}).steps == (Cut(reset=True),)


@pytest.mark.parametrize(
    "steps, opening, closing",
    [
        ([{"text": "a"}], True, True),
        ([], True, True),
        ([{"raw": "00"}, {"text": "a"}], False, True),
        ([{"exception": {"name": "X"}}], False, False),
        ([{"text": "a"}, {"cut": True}], True, False),
        ([{"text": "a"}, {"hang": True}], True, False),
        ([{"text": "a"}, {"end": True}], True, False),
    ],
)
def test_beginning_and_end(steps: list[Json], opening: bool, closing: bool) -> None:
    parsed = reply(*steps)
    assert (parsed.opening, parsed.closing) == (opening, closing)


def test_whole_answers() -> None:
    assert parse_reply([{"status": 429, "body": {"message": "m"}, "headers": {"Retry-After": 3}}]) == Answer(
        429, b'{"message":"m"}', "application/json", (("retry-after", "3"),)
    )
    assert parse_reply([{"status": 502, "body": "<html>"}]) == Answer(502, b"<html>", "text/plain")
    assert parse_reply([{"fault": "throttle 3"}]) == Fault("throttle", "3")


def test_files() -> None:
    repeated = parse_scenario([{"text": "a"}])
    assert (repeated.repeat, repeated.check, len(repeated.replies)) == (True, True, 1)
    listed = parse_scenario({"replies": [[{"text": "a"}], [{"status": 500}]]})
    assert (listed.repeat, listed.check, len(listed.replies)) == (False, True, 2)
    paced = parse_scenario({"paced": {"events": 40, "every": 0.05, "size": 140}})
    assert paced == Scenario.paced(Paced(40, 0.05))


def test_made_in_python() -> None:
    assert Scenario.steps({"text": "a"}) == parse_scenario([{"text": "a"}])
    assert Scenario.then_script([{"status": 500}], [{"text": "a"}]).replies[0] == Answer(500, b"{}")


@pytest.mark.parametrize(
    "value",
    [
        "text",
        {},
        ["text"],
        [{"song": "la"}],
        [{}],
        [{"text": 5}],
        {"replies": ["x"]},
        [{"paced": {"events": 1, "every": 1, "colour": 2}}],
        [{"status": "x"}],
        [{"status": 200, "colour": 1}],
        [{"fault": "nothing"}],
        [{"raw": "xy"}],
    ],
)
def test_mistakes_are_named(value: Json) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_scenario(value)
