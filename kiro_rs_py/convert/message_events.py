"""The events of a streamed message, and their bytes (docs.anthropic.com, "Streaming Messages").

An event is plain data; :func:`encode_events` turns a batch of them into Server-Sent Events. Keys stand in the order of
the real API, ``type`` first. Blocks are carried as the JSON of their ``content_block``, because that is all anybody
needs of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Final, NamedTuple, TypeAlias, assert_never

from kiro_rs_py.convert.anthropic import JsonObject, json_text
from kiro_rs_py.convert.surrogates import well_formed


class Usage(NamedTuple):
    """Tokens. ``input_tokens`` never includes the cache fields (response-conversion D-16).

    ``web_searches`` are those that worked; None where nobody searched, and at the start of a message.
    """

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    web_searches: int | None = None


# Named tuples for the reason given in convert/events.py.
class MessageStart(NamedTuple):
    id: str
    model: str
    usage: Usage


class BlockStart(NamedTuple):
    """``block`` is the ``content_block``: what is known of the block before its deltas."""

    block_index: int
    block: JsonObject


class TextDelta(NamedTuple):
    block_index: int
    text: str


class ReasoningDelta(NamedTuple):
    """Thinking beside the text, for clients that read ``reasoning_content`` (PRODUCT §3.2, ``thinkingFormat``)."""

    block_index: int
    reasoning: str


class ThinkingDelta(NamedTuple):
    block_index: int
    thinking: str


class SignatureDelta(NamedTuple):
    block_index: int
    signature: str


class InputJsonDelta(NamedTuple):
    block_index: int
    partial_json: str


class BlockStop(NamedTuple):
    block_index: int


class MessageDelta(NamedTuple):
    stop_reason: str
    stop_sequence: str | None
    usage: Usage


class MessageStop(NamedTuple):
    pass


class Ping(NamedTuple):
    pass


class ErrorEvent(NamedTuple):
    """``type`` is Anthropic's error type (``overloaded_error``, …). Nothing comes after it."""

    type: str
    message: str
    request_id: str


MessageStreamEvent: TypeAlias = (
    MessageStart
    | BlockStart
    | TextDelta
    | ReasoningDelta
    | ThinkingDelta
    | SignatureDelta
    | InputJsonDelta
    | BlockStop
    | MessageDelta
    | MessageStop
    | Ping
    | ErrorEvent
)


def _delta_head(index: int, type_: str, field: str) -> str:
    data = f'{{"type":"content_block_delta","index":{index},"delta":{{"type":"{type_}","{field}":'
    return f"event: content_block_delta\ndata: {data}"


_READY_HEADS: Final = 32  # more blocks than an answer has, as a rule; further ones are encoded the long way
_DELTA_HEADS: Final[Mapping[type, Sequence[str]]] = {
    event: tuple(_delta_head(index, type_, field) for index in range(_READY_HEADS))
    for event, type_, field in (
        (TextDelta, "text_delta", "text"),
        (ThinkingDelta, "thinking_delta", "thinking"),
        (InputJsonDelta, "input_json_delta", "partial_json"),
    )
}
_DELTA_TAIL: Final = "}}\n\n"
# JSON may carry these raw, but httpx and others take them for line ends and tear the data line apart.
_LINE_BREAKS: Final = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


def encode_events(events: Iterable[MessageStreamEvent]) -> bytes:
    """The Server-Sent Events of ``events``, joined: one write for everything one upstream read brought.

    Lone surrogates, which UTF-8 cannot carry, come out as U+FFFD.
    """
    parts = []
    for event in events:
        heads = _DELTA_HEADS.get(type(event))
        if heads is not None:
            # A ready template and the C string encoder take a fifth of the time of dumping the event (stack §B2).
            delta: tuple[int, str] = event  # type: ignore[assignment]  # so are the keys of _DELTA_HEADS
            index, text = delta
            if index < _READY_HEADS:
                parts.append(f"{heads[index]}{encode_basestring(text)}{_DELTA_TAIL}")
                continue
        parts.append(_encode(event))
    text = "".join(parts)
    if not text.isascii():
        for character, escape in _LINE_BREAKS:
            if character in text:
                text = text.replace(character, escape)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return well_formed(text).encode()


def _encode(event: MessageStreamEvent) -> str:
    data = event_json(event)
    return f"event: {data['type']}\ndata: {json_text(data)}\n\n"


def event_json(event: MessageStreamEvent) -> JsonObject:
    """The ``data`` of one event; its ``type`` is also the event's name."""
    match event:
        case TextDelta(index, text):
            return _delta(index, {"type": "text_delta", "text": text})
        case ReasoningDelta(index, reasoning):
            return _delta(index, {"type": "text_delta", "text": "", "reasoning_content": reasoning})
        case ThinkingDelta(index, thinking):
            return _delta(index, {"type": "thinking_delta", "thinking": thinking})
        case SignatureDelta(index, signature):
            return _delta(index, {"type": "signature_delta", "signature": signature})
        case InputJsonDelta(index, partial_json):
            return _delta(index, {"type": "input_json_delta", "partial_json": partial_json})
        case BlockStart(index, block):
            return {"type": "content_block_start", "index": index, "content_block": block}
        case BlockStop(index):
            return {"type": "content_block_stop", "index": index}
        case MessageStart():
            return {"type": "message_start", "message": start_json(event)}
        case MessageDelta(stop_reason, stop_sequence, usage):
            return {
                "type": "message_delta",
                "delta": {"stop_reason": stop_reason, "stop_sequence": stop_sequence},
                "usage": usage_json(usage),
            }
        case MessageStop():
            return {"type": "message_stop"}
        case Ping():
            return {"type": "ping"}
        case ErrorEvent(type_, message, request_id):
            return error_body(type_, message, request_id)
        case _:  # pragma: no cover
            assert_never(event)


def _delta(index: int, delta: JsonObject) -> JsonObject:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def start_json(start: MessageStart) -> JsonObject:
    """The message as it is before its first block: the ``message`` of ``message_start``."""
    return {
        "id": start.id,
        "type": "message",
        "role": "assistant",
        "model": start.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_json(start.usage),
    }


def usage_json(usage: Usage) -> JsonObject:
    """``usage`` with the cache fields always present (response-conversion D-16)."""
    fields: JsonObject = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.web_searches is not None:
        # The SDK's type wants both (N11).
        fields["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
    return fields


def error_body(type_: str, message: str, request_id: str, error_code: str | None = None) -> JsonObject:
    """Anthropic's error envelope, for JSON answers and for the ``error`` event alike.

    ``error_code`` goes to ``error.details``; the SDKs negotiate features by it (clients §2).
    """
    error: JsonObject = {"type": type_, "message": message}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error, "request_id": request_id}


def with_input_tokens(start: MessageStart, usage: Usage) -> MessageStart:
    """``start`` with what is now known of the input; its ``output_tokens`` stays what it was.

    The ``/cc`` routes hold the events of an answer until its usage is known (response-conversion §6).
    """
    return start._replace(usage=usage._replace(output_tokens=start.usage.output_tokens, web_searches=None))
