"""Failures on request: ``<<FAULT …>>`` in the last user message, or an account's own ``fault``.

Before the answer begins
    ``throttle [N]`` 429, with ``Retry-After: N``; ``credit-rate [MS]`` 429 with ``retryAfterMilliseconds``;
    ``suspicious`` 429 of an account under investigation; ``quota`` 402; ``suspend`` 403; ``expired`` 403, the token is
    no longer good; ``overload`` 429 without capacity; ``high-load`` and ``model-down`` 500; ``unavailable`` 503;
    ``internal`` 500; ``gateway`` 502 with HTML; ``too-long``, ``malformed``, ``no-model``, ``signature`` 400;
    ``status N``; ``json-error`` 200 with an error in JSON; ``html`` 200 with HTML; ``connect-drop`` and
    ``connect-reset`` close without an answer; ``no-headers [N]`` keeps silent for N seconds, or for ever.

In the answer
    ``cut-tool`` ends in the middle of a call's arguments, HTTP ending cleanly, as the service's output limit does;
    ``cut-stream`` and ``reset-stream`` break the connection inside a frame; ``cut-frame`` ends the body cleanly inside
    a frame; ``end-early`` ends it between two frames, without the closing events; ``bad-crc``, ``bad-prelude``,
    ``bad-json`` damage one frame; ``slow [N]`` waits N seconds before each frame, ``slow-start [N]`` before the first;
    ``stall`` falls silent half-way; ``empty`` has no content; ``exception NAME`` fails in the first frame,
    ``late-exception NAME`` after some content, ``error NAME`` with the other kind of frame, ``invalid-state`` with an
    event; ``noise`` mixes in events nobody knows; ``torn N`` sends N bytes at a time; ``stop REASON`` and
    ``context N`` change what the closing events say.

A fault hits every attempt, so a client's retries meet it again. With the word ``once`` it hits the first attempt for
that prompt only: ``<<FAULT throttle 1 once>>``. ``expired`` is always ``once``, because a fresh token is what cures it
(``always`` makes it stay).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator import frames, refusal
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.asgi import Answer, json_answer
from kiro_rs_py.simulator.frames import CONTENT, Cut, Event, Hang, Pause, Send, Step, sends
from kiro_rs_py.simulator.grants import remember
from kiro_rs_py.simulator.refusal import NAMESPACE, Refusal

UNAVAILABLE = "The service is temporarily unavailable."
HIGH_LOAD = "Encountered unexpectedly high load when processing the request, please try again."
HIGH_TRAFFIC = "I am experiencing high traffic, please try again shortly."

MESSAGES: Mapping[str, str] = {
    "ThrottlingException": refusal.TOO_MANY_REQUESTS,
    "ContentLengthExceededException": refusal.TOO_LONG,
    "ValidationException": refusal.IMPROPERLY_FORMED,
    "ServiceUnavailableException": UNAVAILABLE,
    "AccessDeniedException": refusal.BEARER_INVALID,
}

DEFAULT_SLOWNESS = 1.0

_BAD_JSON = Event(frames.TEXT, event_frame(frames.TEXT, b'{"content":'))
_NOISE = (
    frames.event("eventOfTheFuture", {"content": "not for you", "list": [1, 2]}),
    frames.event("messageMetadataEvent", {"conversationId": "c", "utteranceId": "u"}),
    frames.event("followupPromptEvent", {"followupPrompt": {"content": "And now?", "userIntent": "EXPLAIN"}}),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """``argument`` is the rest of the directive: a number, a name, or empty."""

    kind: str
    argument: str = ""
    once: bool = False

    def number(self, default: float) -> float:
        """The argument as a number."""
        try:
            return float(self.argument)
        except ValueError:
            return default


def parse_fault(text: str) -> Fault:
    """Raises ValueError for a kind that does not exist, so that a typo in a test does not pass for a healthy answer."""
    kind, *rest = text.split()
    once = "once" in rest or (kind == "expired" and "always" not in rest)
    argument = " ".join(word for word in rest if word not in ("once", "always"))
    if kind not in KINDS:
        raise ValueError(f"no such fault: {kind} (known: {', '.join(sorted(KINDS))})")
    return Fault(kind, argument, once)


class Onces:
    """Which one-shot faults are used up; the prompt is what tells two of them apart."""

    def __init__(self) -> None:
        self._used: dict[int, None] = {}

    def is_due(self, fault: Fault, prompt: str) -> bool:
        """False when this fault is one-shot and has hit this prompt before. Marks it as used."""
        if not fault.once:
            return True
        key = hash((fault, prompt))
        due = key not in self._used
        remember(self._used, key, None)
        return due


def early_answer(fault: Fault, account: Account) -> Answer | Refusal | None:
    """The answer that replaces the stream, or None for faults that come later or are no answer at all."""
    match fault.kind:
        case "throttle":
            return refusal.throttled(fault.number(0.0) if fault.argument else None)
        case "quota":
            return refusal.quota(account.recovery)
        case "credit-rate":
            return refusal.credit_rate(int(fault.number((account.recovery or 300) * 1000)))
        case "suspicious":
            return refusal.suspicious(account.user_id)
        case "suspend":
            return refusal.suspended(account.user_id)
        case "signature":
            return refusal.invalid_signature("messages.1.content.0")
        case "status":
            return Refusal(int(fault.number(500)), "InternalFailure", "A simulated failure.")
        case "gateway":
            return Answer(502, b"<html><body>Bad Gateway</body></html>", "text/html")
        case "html":
            return Answer(200, b"<html><body>Please sign in</body></html>", "text/html")
        case "json-error":
            name = fault.argument or "ThrottlingException"
            return json_answer({"__type": NAMESPACE + name, "message": message_of(name)})
        case kind if kind in _PLAIN:
            return _PLAIN[kind]()
        case _:
            return None


def message_of(name: str) -> str:
    """What an exception of that name says."""
    return MESSAGES.get(name, f"A simulated {name}.")


def failure_event(fault: Fault) -> Event | None:
    """The frame with which the stream fails, for the faults that have one."""
    match fault.kind:
        case "exception" | "late-exception":
            name = fault.argument or "ThrottlingException"
            return frames.exception(name, message_of(name))
        case "error":
            name = fault.argument or "InternalServerException"
            return frames.error(name, message_of(name))
        case "invalid-state":
            payload: JsonObject = {"reason": "INVALID_TASK_ASSIST_PLAN", "message": "The plan is not valid."}
            return frames.event("invalidStateEvent", payload)
        case _:
            return None


_INTERNAL = "InternalServerException"
_PLAIN: Mapping[str, Callable[[], Refusal]] = {
    "expired": refusal.bearer_invalid,
    "overload": partial(Refusal, 429, "ThrottlingException", HIGH_TRAFFIC, reason="INSUFFICIENT_MODEL_CAPACITY"),
    "high-load": partial(Refusal, 500, _INTERNAL, HIGH_LOAD),
    "model-down": partial(
        Refusal, 500, _INTERNAL, "The model is not available.", reason="MODEL_TEMPORARILY_UNAVAILABLE"
    ),
    "unavailable": partial(Refusal, 503, "ServiceUnavailableException", UNAVAILABLE),
    "internal": partial(Refusal, 500, _INTERNAL, "An internal error occurred."),
    "too-long": refusal.too_long,
    "malformed": refusal.improperly_formed,
    "no-model": refusal.invalid_model,
}

EARLY = frozenset(
    {
        *("throttle", "quota", "credit-rate", "suspicious", "suspend", "signature", "status", "gateway", "html"),
        *("json-error", *_PLAIN),
    }
)
SILENT = frozenset({"connect-drop", "connect-reset", "no-headers"})
LATE = frozenset(
    {
        *("cut-tool", "cut-stream", "reset-stream", "cut-frame", "end-early", "bad-crc", "bad-prelude", "bad-json"),
        *("slow", "slow-start", "stall", "empty", "exception", "late-exception", "error", "invalid-state", "noise"),
        *("torn", "stop", "context"),
    }
)
KINDS = EARLY | SILENT | LATE


# --- what a fault does to an answer that has begun: events in, steps out --------------------------------------------


def disturb(events: list[Event], fault: Fault) -> list[Step]:
    """The steps of a faulty answer; ``events`` is the whole healthy one."""
    middle = _middle(events)
    first, rest = events[:middle], events[middle:]
    match fault.kind:
        case "cut-tool":
            return sends(_until_cut_tool(events))
        case "end-early":
            return sends(first)
        case "cut-stream" | "reset-stream":
            return [*sends(first), Send(_half(rest)), Cut(reset=fault.kind == "reset-stream")]
        case "cut-frame":
            return [*sends(first), Send(_half(rest))]
        case "stall":
            return [*sends(first), Hang()]
        case "bad-crc":
            return [*sends(first), Send(_flip(rest[0].data, -1)), *sends(rest[1:])]
        case "bad-prelude":
            return [*sends(first), Send(_flip(rest[0].data, 0)), *sends(rest[1:])]
        case "bad-json":
            return sends([*first, _BAD_JSON, *rest])
        case "slow":
            return sends(events, fault.number(DEFAULT_SLOWNESS))
        case "slow-start":
            return [Pause(fault.number(DEFAULT_SLOWNESS)), *sends(events)]
        case "torn":
            return _torn(events, max(1, int(fault.number(1))))
        case "noise":
            return sends([noisy for event in events for noisy in (*_NOISE, event)])
        case "empty":
            return sends([event for event in events if event.kind not in CONTENT])
        case _:
            # Faults that end in a frame of their own; all others leave the answer as it is.
            failure = failure_event(fault)
            if failure is None:
                return sends(events)
            return sends([failure] if fault.kind == "exception" else [*first, failure])


def _middle(events: list[Event]) -> int:
    """The place in the middle of the content: at least one content event lies before it."""
    content = [index for index, event in enumerate(events) if event.kind in CONTENT]
    return content[max(0, len(content) // 2 - 1)] + 1 if content else 0


def _until_cut_tool(events: list[Event]) -> list[Event]:
    """Everything up to half of the last call's fragments; without a call, up to the middle of the text."""
    last = max((index for index, event in enumerate(events) if event.kind == frames.TOOL_USE), default=None)
    if last is None:
        return events[: _middle(events)]
    start = last
    while start > 0 and events[start - 1].kind == frames.TOOL_USE:
        start -= 1
    return events[: start + max(1, (last - start) // 2)]


def _half(events: list[Event]) -> bytes:
    data = events[0].data
    return data[: len(data) // 2]


def _flip(data: bytes, index: int) -> bytes:
    damaged = bytearray(data)
    damaged[index] ^= 0xFF
    return bytes(damaged)


def _torn(events: list[Event], size: int) -> list[Step]:
    data = b"".join(event.data for event in events)
    steps: list[Step] = []
    for start in range(0, len(data), size):
        # The pause makes each piece a packet and a read of its own.
        steps += [Send(data[start : start + size]), Pause(0.0)]
    return steps
