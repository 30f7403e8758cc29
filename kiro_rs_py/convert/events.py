"""What one frame of Kiro's answer means (upstream-protocol §2.4, §2.5).

:func:`parse_event` believes nothing beyond the framing: fields may be missing, null or of another type than documented.
What cannot be used is left out; only a payload that is no JSON object at all is an error.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]  # not in typeshed; there since Python 2.7
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from kiro_rs_py.codec.frame import Frame, event_block
from kiro_rs_py.codec.headers import HeaderValue, parse_headers
from kiro_rs_py.convert.anthropic import Json, JsonObject, json_object, json_text, string_in
from kiro_rs_py.convert.surrogates import well_formed, well_formed_json
from kiro_rs_py.errors import CodecError


# Named tuples, not dataclasses: one of these is made for every event of every stream, and a frozen dataclass costs
# twice as much to make.
class AssistantText(NamedTuple):
    content: str


class ToolUseFragment(NamedTuple):
    """``tool_use_id`` and ``name`` are empty on continuations that leave them out; ``input`` is JSON text."""

    tool_use_id: str
    name: str
    input: str
    stop: bool


class Reasoning(NamedTuple):
    """Native thinking: a piece of text, or the signature, or a redacted blob (base64)."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


class ContextUsage(NamedTuple):
    """Percent (0–100) of the model's window in use, the answer included."""

    percentage: float


class Metering(NamedTuple):
    """Credits charged; several may come and add up."""

    credits: float


class TokenUsage(NamedTuple):
    uncached_input: int
    output: int
    cache_read: int
    cache_write: int


class Metadata(NamedTuple):
    """``stop_reason`` is Kiro's word (``END_TURN``, …), upper case; ``percentage`` as in :class:`ContextUsage`.

    Each may be absent, but the event itself is the mark of an answer that came to its end, unless ``is_end`` denies it.
    """

    stop_reason: str | None = None
    usage: TokenUsage | None = None
    percentage: float | None = None
    is_end: bool = True


class Fault(NamedTuple):
    """An error or exception frame, or an invalidStateEvent: the answer is over.

    ``code`` is the exception type without namespace, ``reason`` the machine-readable reason (§11.2).
    """

    code: str
    message: str
    reason: str | None = None


KiroEvent: TypeAlias = AssistantText | ToolUseFragment | Reasoning | ContextUsage | Metering | Metadata | Fault

# A percentage beyond this is damage, not usage. Up to about 110 has been reported for overfull windows.
_MAX_PERCENTAGE = 1000.0
# A payload that is no JSON is a message or a page of something; either way this much of it will do.
_MAX_BARE_MESSAGE = 300
_ENDING_OF_CODE = re.compile(r"(Error)?(Exception|Error)$")
_new_tuple = tuple.__new__
_decode = json.JSONDecoder().raw_decode


def parse_event(frame: Frame) -> KiroEvent | None:
    """The event in ``frame``; None for one that says nothing we use, known or unknown.

    Raises CodecError if a known event's payload is no JSON object in UTF-8.
    """
    headers, payload = frame
    # Nine events in ten are {"content":"…"} and nothing else. Reading the one string directly takes a quarter of the
    # time of json.loads (stack §B2); any other shape takes the long way.
    try:
        # Where the decoder knows the usual headers, the same object says it all.
        if headers is _TEXT_HEADERS or (
            headers[":event-type"] == "assistantResponseEvent" and headers[":message-type"] == "event"
        ):
            text = payload.decode()
            if text[:12] == '{"content":"':
                content, end = scanstring(text, 12)
                # An escape may spell a lone surrogate; UTF-8 itself has none.
                if text[end:] == "}" and content and (content.isascii() or "\\u" not in text):
                    return _new_tuple(AssistantText, (content,))
    except KeyError:
        pass
    except ValueError as exc:
        raise CodecError("an event's payload is not JSON") from exc
    message_type = headers.get(":message-type", "event")
    if message_type == "event":
        kind = headers.get(":event-type")
        if kind == "reasoningContentEvent" and (thought := _sole_text(payload)):
            return _new_tuple(Reasoning, (thought, "", ""))
        parse = _EVENTS.get(kind) if isinstance(kind, str) else None
        return parse(_json_object(payload)) if parse else None
    if message_type == "error":
        return _fault(headers.get(":error-code"), headers.get(":error-message"), payload, "UnknownError")
    if message_type == "exception":
        return _fault(headers.get(":exception-type"), None, payload, "UnknownException")
    return None


def _sole_text(payload: bytes) -> str:
    """The text of ``{"text":"…"}``, the second most frequent payload, read like the first; empty if not that."""
    try:
        text = payload.decode()
        content, end = scanstring(text, 9) if text[:9] == '{"text":"' else ("", 0)
    except ValueError:
        return ""
    return well_formed(content) if text[end:] == "}" else ""


def _json_object(payload: bytes) -> JsonObject:
    if not payload:
        return {}
    try:
        text = payload.decode()
        # Compact JSON, as Kiro writes it, is read in two thirds of the time without json.loads, which skips blanks.
        value, end = _decode(text) if text[0] == "{" else (None, 0)
        if end != len(text):
            value = json.loads(text)
        if not isinstance(value, dict):
            raise CodecError("an event's payload is not a JSON object")
        # Only an escape can spell a lone surrogate, which could be passed on to nobody.
        return well_formed_json(value) if "\\u" in text else value
    except (ValueError, RecursionError) as exc:
        raise CodecError("an event's payload is not JSON") from exc


def _content(event: JsonObject) -> AssistantText | None:
    content = string_in(event, "content")
    return AssistantText(content) if content else None


def _tool_use(event: JsonObject) -> ToolUseFragment | None:
    tool_use_id, name, text = string_in(event, "toolUseId"), string_in(event, "name"), _tool_input(event.get("input"))
    stop = event.get("stop") is True  # the string "false" must not count as true (§2.5)
    if tool_use_id or name or text or stop:
        return _new_tuple(ToolUseFragment, (tool_use_id, name, text, stop))
    return None


def _tool_input(value: Json) -> str:
    """JSON text of a fragment. Some sources saw the whole object, or an empty one as a placeholder (§2.5)."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value:
        return json_text(value)
    return ""


def _reasoning(event: JsonObject) -> Reasoning | None:
    reasoning = Reasoning(string_in(event, "text"), string_in(event, "signature"), string_in(event, "redactedContent"))
    return reasoning if any(reasoning) else None


def _context_usage(event: JsonObject) -> ContextUsage | None:
    percentage = _percentage(event)
    return None if percentage is None else ContextUsage(percentage)


def _percentage(event: JsonObject) -> float | None:
    """Missing, null, zero and negative are no measurement (response-conversion B15)."""
    number = _number(event.get("contextUsagePercentage"))
    return number if number is not None and 0 < number <= _MAX_PERCENTAGE else None


def _metering(event: JsonObject) -> Metering | None:
    credits_used = _number(event.get("usage"))
    return Metering(credits_used) if credits_used is not None and credits_used > 0 else None


def _metadata(event: JsonObject) -> Metadata:
    usage = event.get("tokenUsage")
    return Metadata(
        string_in(event, "stopReason").upper() or None,
        _token_usage(usage) if isinstance(usage, dict) else None,
        _percentage(event) or (_percentage(usage) if isinstance(usage, dict) else None),
    )


def _message_metadata(event: JsonObject) -> Metadata | None:
    """Normally only ids for the log; one source reads token numbers from it (response-conversion K1).

    Nobody says when it comes, so that the answer behind it may still be cut (upstream-protocol §2.5).
    """
    metadata = _metadata(event)._replace(is_end=False)
    return metadata if any(metadata) else None


def _token_usage(usage: JsonObject) -> TokenUsage | None:
    uncached, output = _count(usage, "uncachedInputTokens"), _count(usage, "outputTokens")
    cache_read, cache_write = _count(usage, "cacheReadInputTokens") or 0, _count(usage, "cacheWriteInputTokens") or 0
    if uncached is None or output is None or not (uncached or cache_read or cache_write):
        return None
    return TokenUsage(uncached, output, cache_read, cache_write)


def _invalid_state(event: JsonObject) -> Fault:
    return Fault("InvalidStateEvent", string_in(event, "message"), string_in(event, "reason") or None)


def _fault(code: object, message: object, payload: bytes, default_code: str) -> Fault:
    """Code and message come from the headers, from a JSON payload, or the payload is the bare message (§2.4)."""
    text = well_formed(str(payload, "utf-8", "replace"))
    value = json_object(text)
    fields: JsonObject = well_formed_json(value or {})
    # The stream's one modelled exception is called "error" and says nothing; the payload may name the real one.
    named = code if isinstance(code, str) and code != "error" else ""
    name = named or string_in(fields, "__type") or string_in(fields, "code") or (code if isinstance(code, str) else "")
    texts = (string_in(fields, key) for key in ("message", "Message", "errorMessage"))
    said = next(filter(None, texts), "") or (message if isinstance(message, str) else "")
    if not said and value is None:
        said = text[:_MAX_BARE_MESSAGE]
    return Fault(_bare_name(name) or default_code, said, string_in(fields, "reason") or None)


def _bare_name(code: str) -> str:
    """``com.amazon.coral.service#ThrottlingException:http://…`` → ``ThrottlingException`` (§11.1)."""
    return code.partition(":")[0].rpartition("#")[2].strip()


def bare_code(code: str) -> str:
    """The same → ``Throttling``: all spellings are equal, ``throttlingError`` too (§2.4, §3.1)."""
    name = _ENDING_OF_CODE.sub("", _bare_name(code))
    return name[:1].upper() + name[1:]


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _count(usage: JsonObject, key: str) -> int | None:
    number = _number(usage.get(key))
    return int(number) if number is not None and number >= 0 else None


_EVENTS: Mapping[str, Callable[[JsonObject], KiroEvent | None]] = {
    "assistantResponseEvent": _content,
    "codeEvent": _content,
    "toolUseEvent": _tool_use,
    "reasoningContentEvent": _reasoning,
    "contextUsageEvent": _context_usage,
    "meteringEvent": _metering,
    "metadataEvent": _metadata,
    "messageMetadataEvent": _message_metadata,
    "invalidStateEvent": _invalid_state,
}

HEADER_BLOCKS: Mapping[bytes, Mapping[str, HeaderValue]] = {
    event_block(kind): MappingProxyType(parse_headers(event_block(kind))) for kind in _EVENTS
}
"""What the decoder of Kiro's answers should know: each stream would parse these few again."""

_TEXT_HEADERS = HEADER_BLOCKS[event_block("assistantResponseEvent")]
