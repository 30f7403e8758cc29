"""Kiro's events as bytes, in the shapes of upstream-protocol §2.5."""

from __future__ import annotations

import secrets
from typing import NamedTuple

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


def closing(*, stop_reason: str, percentage: float, credits_used: float, usage: JsonObject | None) -> list[Event]:
    """The three events that end every clean answer; ``usage`` is ``tokenUsage``, which few streams carry."""
    metadata: JsonObject = {"stopReason": stop_reason}
    if usage is not None:
        metadata["tokenUsage"] = usage
    return [
        event("metadataEvent", metadata),
        event("contextUsageEvent", {"contextUsagePercentage": percentage}),
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
