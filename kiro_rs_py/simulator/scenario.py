"""Scripted answers: what tests and benchmarks want to hear instead of the model (PRODUCT §5).

A scenario file holds one answer as a list of steps, or ``{"paced": {…}}``, or ``{"replies": [answer, …]}``:

====================================  ==================================================================
``{"text": "…"}``                     the text, in small pieces
``{"thinking": "…"}``                 native reasoning with a signature
``{"tool": {"name", "input"}}``       a whole call (``"id"`` optional)
``{"pause": seconds}``
``{"frame": {"event", "payload"}}``   one event of any type
``{"exception": {"name", "message"}}``  an exception frame
``{"raw": "hex"}``                    bytes as they are
``{"paced": {"events", "every", …}}``  frames at a pace, see :class:`~kiro_rs_py.simulator.frames.Paced`
``{"fault": "late-exception X"}``     the model's own answer, with that fault
``{"status", "body", "headers"}``     this HTTP answer instead of a stream
``{"cut": true}``                     the connection breaks (``"reset"`` for RST)
``{"hang": true}``                    silence until the client goes
``{"end": true}``                     the body ends here, without the closing events
====================================  ==================================================================

An answer begins with ``initial-response`` unless its first step is ``raw`` or ``exception``, and ends with the closing
events unless its last step is ``cut``, ``hang``, ``end``, ``raw`` or ``exception``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator import frames
from kiro_rs_py.simulator.asgi import Answer, answer_with, compact
from kiro_rs_py.simulator.faults import Fault, parse_fault
from kiro_rs_py.simulator.frames import Cut, Hang, Paced, Pause, Send, Step, sends, sign


@dataclass(frozen=True, slots=True)
class Reply:
    """A scripted stream. ``closing`` says whether the closing events follow, ``opening`` whether one precedes."""

    steps: tuple[Step, ...]
    opening: bool = True
    closing: bool = True


ScriptedAnswer: TypeAlias = Reply | Answer | Fault
"""A stream, an HTTP answer, or the model's own answer with a fault."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One answer per chat request, in order. After the last one the model answers by itself, unless ``repeat`` is set.

    ``check`` False skips the service's rules and does not even parse the body: for load tests, where the service
    shall cost nothing.
    """

    replies: tuple[ScriptedAnswer, ...]
    repeat: bool = False
    check: bool = True

    @staticmethod
    def steps(*steps: JsonObject) -> Scenario:
        """The same answer, in the file's notation, to every request."""
        return Scenario((parse_reply(list[Json](steps)),), repeat=True)

    @staticmethod
    def then_script(*replies: Sequence[JsonObject]) -> Scenario:
        """These answers one after the other, then the model's own."""
        return Scenario(tuple(parse_reply(list[Json](reply)) for reply in replies))

    @staticmethod
    def paced(paced: Paced) -> Scenario:
        """Frames at a pace for everybody."""
        return Scenario((Reply((paced,)),), repeat=True, check=False)


def parse_scenario(value: Json) -> Scenario:
    """A scenario file's JSON. Raises ValueError with the place of the mistake."""
    if isinstance(value, list):
        return Scenario((parse_reply(value),), repeat=True)
    if not isinstance(value, dict):
        raise ValueError("a scenario is a list of steps or an object")
    if "paced" in value:
        return Scenario((parse_reply([{"paced": value["paced"]}]),), repeat=True, check=False)
    replies = value.get("replies")
    if not isinstance(replies, list):
        raise ValueError("an object scenario has replies or paced")
    return Scenario(tuple(parse_reply(reply) for reply in replies))


def parse_reply(value: Json) -> ScriptedAnswer:
    """One answer: a list of steps. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("an answer is a list of steps")
    entries = [_only_object(entry) for entry in value]
    if len(entries) == 1 and "status" in entries[0]:
        return _http_answer(entries[0])
    if len(entries) == 1 and "fault" in entries[0]:
        return parse_fault(str(entries[0]["fault"]))
    steps = [step for entry in entries for step in _parse_step(entry)]
    bare_start = bool(entries) and bool({"raw", "exception"} & entries[0].keys())
    bare_end = bool(entries) and bool({"cut", "hang", "end", "raw", "exception"} & entries[-1].keys())
    return Reply(tuple(steps), opening=not bare_start, closing=not bare_end)


def _parse_step(entry: JsonObject) -> list[Step]:
    key, argument = next(iter(entry.items()), ("", None))
    match key, argument:
        case "text", str():
            return sends(frames.text(argument))
        case "thinking", str():
            return sends(frames.reasoning(argument, sign(argument, "")))
        case "tool", dict():
            use_id = argument.get("id")
            name, arguments = str(argument["name"]), compact(argument.get("input", {}))
            return sends(frames.tool_use(name, arguments, use_id if isinstance(use_id, str) else None))
        case "pause", int() | float():
            return [Pause(float(argument))]
        case "frame", dict():
            payload = argument.get("payload", {})
            return sends([frames.event(str(argument["event"]), cast("JsonObject", payload))])
        case "exception", dict():
            name = str(argument["name"])
            reason = argument.get("reason")
            message = str(argument.get("message", f"A simulated {name}."))
            return sends([frames.exception(name, message, reason if isinstance(reason, str) else None)])
        case "raw", str():
            return [Send(bytes.fromhex(argument))]
        case "paced", dict():
            return [_paced(argument)]
        case "cut", _:
            return [Cut(reset=argument == "reset")]
        case "hang", _:
            return [Hang()]
        case "end", _:
            return []
        case _:
            raise ValueError(f"no such step: {compact(entry)}")


def _paced(value: JsonObject) -> Paced:
    if unknown := set(value) - set(Paced._fields):
        raise ValueError(f"unknown fields of paced: {', '.join(sorted(unknown))}")
    return Paced(**value)  # type: ignore[arg-type]


def _http_answer(entry: JsonObject) -> Answer:
    if unknown := set(entry) - {"status", "body", "headers"}:
        raise ValueError(f"unknown fields of an answer: {', '.join(sorted(unknown))}")
    body, headers, status = entry.get("body", {}), entry.get("headers", {}), entry["status"]
    if not isinstance(status, int) or not isinstance(headers, dict):
        raise ValueError("status is a number and headers is an object")
    return answer_with(status, body, {name: str(value) for name, value in headers.items()})


def _only_object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise ValueError("a step is an object")
    return value
