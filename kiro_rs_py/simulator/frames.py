"""Kiro's events as bytes, in the shapes of upstream-protocol §2.5."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from kiro_rs_py.codec.frame import encode_frame, event_frame, exception_frame
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.asgi import compact

TEXT = "assistantResponseEvent"
TOOL_USE = "toolUseEvent"
REASONING = "reasoningContentEvent"
INITIAL = "initial-response"
CONTENT = (TEXT, TOOL_USE, REASONING)

# Small and odd, so that tags, words and escapes are cut in the middle, as the real stream cuts them.
TEXT_PIECE = 17
INPUT_PIECE = 23


class Event(NamedTuple):
    """One encoded frame and its event type (for exceptions: ``exception``)."""

    kind: str
    data: bytes


def event(kind: str, payload: JsonObject) -> Event:
    return Event(kind, event_frame(kind, compact(payload).encode("utf-8", "replace")))


def initial(conversation_id: str = "") -> Event:
    return event(INITIAL, {"conversationId": conversation_id} if conversation_id else {})


def text(content: str, model_id: str | None = None) -> list[Event]:
    """The text in small pieces; ``model_id`` is what ``auto`` tells about its choice."""
    named: JsonObject = {} if model_id is None else {"modelId": model_id}
    return [event(TEXT, {"content": piece, **named}) for piece in pieces(content, TEXT_PIECE)]


def reasoning(thinking: str, signature: str, *, omitted: bool = False) -> list[Event]:
    """Native thinking: text pieces, then the signature alone (only that when the display is ``omitted``)."""
    shown = [] if omitted else [event(REASONING, {"text": piece}) for piece in pieces(thinking, TEXT_PIECE)]
    return [*shown, event(REASONING, {"signature": signature})]


def tool_use(name: str, arguments: str, use_id: str | None = None) -> list[Event]:
    """One call: its head without input, the JSON text in fragments, then the stop mark."""
    head: JsonObject = {"name": name, "toolUseId": use_id or new_tool_use_id()}
    fragments = [event(TOOL_USE, {"input": piece, **head}) for piece in pieces(arguments, INPUT_PIECE)]
    return [event(TOOL_USE, head), *fragments, event(TOOL_USE, {**head, "stop": True})]


def closing(
    *,
    stop_reason: str = "END_TURN",
    percentage: float = 0.0,
    credits_used: float = 0.0,
    usage: JsonObject | None = None,
) -> list[Event]:
    """The three events that end every clean answer; ``usage`` is ``tokenUsage``, which few streams carry."""
    metadata: JsonObject = {"stopReason": stop_reason}
    if usage is not None:
        metadata["tokenUsage"] = usage
    return [
        event("metadataEvent", metadata),
        event("contextUsageEvent", {"contextUsagePercentage": round(percentage, 6)}),
        event("meteringEvent", {"unit": "credit", "unitPlural": "credits", "usage": credits_used}),
    ]


def exception(name: str, message: str, reason: str | None = None) -> Event:
    payload: JsonObject = {"message": message}
    if reason is not None:
        payload["reason"] = reason
    return Event("exception", exception_frame(name, compact(payload).encode()))


def error(code: str, message: str) -> Event:
    """The other kind of failure frame (``:message-type: error``), whose payload is plain text."""
    headers = {":error-code": code, ":error-message": message, ":message-type": "error"}
    return Event("exception", encode_frame(headers, message.encode()))


def pieces(whole: str, size: int) -> list[str]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def new_tool_use_id() -> str:
    return f"tooluse_{secrets.token_urlsafe(16)}"


# --- what the wire does, step by step, once the headers of the answer are out --------------------------------------


class Send(NamedTuple):
    """These bytes in one go."""

    data: bytes


class Pause(NamedTuple):
    seconds: float


class Cut(NamedTuple):
    """The connection closes without the end of the body; ``reset`` with RST instead of FIN."""

    reset: bool = False


class Hang(NamedTuple):
    """Nothing more, until the client goes away."""


class Paced(NamedTuple):
    """``events`` text frames of ``size`` characters, ``burst`` of them every ``every`` seconds.

    With ``marks`` each frame carries its send time, ``@`` + 16 digits of microseconds of the monotonic clock + ``@``,
    so that a load generator can measure how long it took.
    """

    events: int
    every: float
    size: int = 140
    burst: int = 1
    marks: bool = False


Step: TypeAlias = Send | Pause | Cut | Hang | Paced
"""A list of steps that ends without Cut or Hang ends the body properly."""


def sends(events: Iterable[Event], pause: float = 0.0) -> list[Step]:
    """Each event by itself with ``pause`` seconds after it, or all of them at once when there is no pause."""
    if not pause:
        data = b"".join(event.data for event in events)
        return [Send(data)] if data else []
    steps: list[Step] = []
    for event in events:
        steps += [Send(event.data), Pause(pause)]
    return steps


# --- signatures of thinking: made here, and recognised when the thinking is replayed (§1.10) -----------------------

# Not a secret: it only has to be the same for all simulators, so that a session survives a restart.
_KEY = b"kiro-rs-py simulator"


def sign(text: str, model_id: str) -> str:
    """The model is part of it: thinking replayed to another model is refused, as upstream does. Without a model the
    signature is good for all of them."""
    digest = hmac.new(_KEY, f"{model_id}\0{text}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest * 4).decode()


def is_signed(text: str, signature: str, model_id: str) -> bool:
    return signature in (sign(text, model_id), sign(text, ""))
