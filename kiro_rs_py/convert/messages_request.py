"""``POST /v1/messages`` bodies: bytes → :class:`MessagesRequest`, or :class:`InvalidRequest` naming the field.

What the Messages API has and Kiro cannot be told (sampling, containers, context management, …) is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar, cast

from kiro_rs_py.convert.anthropic import (
    Json,
    JsonObject,
    Message,
    MessagesRequest,
    Thinking,
    Tool,
    ToolChoice,
)
from kiro_rs_py.convert.client_json import (
    FieldError,
    each,
    filled_string,
    integer,
    load_json,
    name_of,
    of_kind,
    optional,
    required,
    string,
    under,
)
from kiro_rs_py.convert.content_blocks import parse_content
from kiro_rs_py.errors import InvalidRequest

ROLES = ("user", "assistant", "system", "developer")

T = TypeVar("T")


def parse_messages_request(body: bytes, *, count_only: bool = False) -> MessagesRequest:
    """The checked and typed request of ``body``.

    With ``count_only`` (count_tokens) ``max_tokens`` may be absent and ``messages`` empty (§8.1). Raises
    :class:`InvalidRequest`, its message beginning with the field's path (``messages.3.content.0.text: …``), whatever
    the body is made of. Requests that continue a conversation held by the server are refused with the error code that
    makes SDKs send the whole conversation instead (clients §2).
    """
    value = load_json(body)
    if not isinstance(value, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {name_of(value)}.")
    if value.get("thread") is not None:
        raise InvalidRequest(
            "thread: this server keeps no conversations. Send the whole conversation in messages, without thread.",
            error_code="thread_unsupported_request",
        )
    try:
        return _request(value, count_only=count_only)
    except FieldError as error:
        raise InvalidRequest(str(error)) from None


def _request(body: JsonObject, *, count_only: bool) -> MessagesRequest:
    model = filled_string(body, "model")
    max_tokens = integer(body, "max_tokens")
    if max_tokens is None and not count_only:
        raise FieldError("field required", "max_tokens")
    messages = under("messages", _objects, required(body, "messages"), _message)
    if not messages and not count_only:
        raise FieldError("at least one message is required", "messages")
    effort, schema = _output_config(body)
    return MessagesRequest(
        model=model,
        messages=messages,
        max_tokens=max_tokens,
        system=_system(body.get("system")),
        tools=under("tools", _objects, optional(body, "tools", list) or [], _tool),
        tool_choice=under("tool_choice", _tool_choice, body.get("tool_choice")),
        thinking=under("thinking", _thinking, body.get("thinking")),
        effort=effort,
        output_schema=schema,
        user_id=under("metadata", _user_id, body.get("metadata")),
        stream=optional(body, "stream", bool) or False,
        stop_sequences=tuple(text for text in _strings(body, "stop_sequences") if text),
    )


def _message(node: JsonObject) -> Message:
    role = string(node, "role")
    if role not in ROLES:
        # Skipping it, as REF does, would lose the text without a word.
        raise FieldError(f"must be one of {', '.join(ROLES)}", "role")
    content = under("content", parse_content, required(node, "content"))
    config = optional(node, "output_config", dict)
    return Message(role, content, under("output_config", _effort, config) if config else None)


def _system(value: Json) -> tuple[str, ...]:
    """The texts of the system prompt; empty ones are left out, so that ``""`` is the same as absent (R2)."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    texts = under("system", _objects, value, lambda node: string(node, "text"))
    return tuple(text for text in texts if text)


def _tool(node: JsonObject) -> Tool:
    kind = optional(node, "type", str)
    client_tool = kind in (None, "custom")
    allowed, blocked = ((), ()) if client_tool else _domains(node)
    return Tool(
        # Server tools may go without a name (``mcp_toolset``).
        name=filled_string(node, "name") if client_tool else optional(node, "name", str) or "",
        description=optional(node, "description", str) or "",
        input_schema=optional(node, "input_schema", dict) or {},
        type=kind,
        defer_loading=optional(node, "defer_loading", bool) or False,
        max_uses=integer(node, "max_uses"),
        allowed_domains=allowed,
        blocked_domains=blocked,
    )


def _domains(node: JsonObject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where a server tool may and may not look; like the API, not both at once."""
    allowed, blocked = _strings(node, "allowed_domains"), _strings(node, "blocked_domains")
    if allowed and blocked:
        raise FieldError("cannot be used together with blocked_domains", "allowed_domains")
    return allowed, blocked


def _tool_choice(value: Json) -> ToolChoice:
    if value is None:
        return ToolChoice()
    node = of_kind(value, dict)
    kind = string(node, "type")
    if kind not in ("auto", "any", "tool", "none"):
        raise FieldError("must be auto, any, tool or none", "type")
    return ToolChoice(
        cast('Literal["auto", "any", "tool", "none"]', kind),
        filled_string(node, "name") if kind == "tool" else None,
        optional(node, "disable_parallel_tool_use", bool) or False,
    )


def _thinking(value: Json) -> Thinking | None:
    if value is None:
        return None
    node = of_kind(value, dict)
    budget = integer(node, "budget_tokens")
    kind, display = string(node, "type"), optional(node, "display", str)
    return Thinking(kind, display=display) if budget is None else Thinking(kind, budget, display)


def _output_config(body: JsonObject) -> tuple[str | None, JsonObject | None]:
    """Effort and answer schema; ``output_format`` is where the beta API had the latter."""
    config = optional(body, "output_config", dict) or {}
    effort = under("output_config", _effort, config)
    schema = under("output_config", _schema, config, "format")
    return effort, schema if schema is not None else _schema(body, "output_format")


def _effort(config: JsonObject) -> str | None:
    return optional(config, "effort", str)


def _schema(node: JsonObject, key: str) -> JsonObject | None:
    answer_format = optional(node, key, dict)
    if answer_format is None or answer_format.get("type") != "json_schema":
        return None
    return under(key, lambda inner: optional(inner, "schema", dict), answer_format)


def _user_id(value: Json) -> str | None:
    return None if value is None else optional(of_kind(value, dict), "user_id", str)


def _strings(body: JsonObject, key: str) -> tuple[str, ...]:
    return under(key, each, optional(body, key, list) or [], lambda item: of_kind(item, str))


def _objects(value: Json, parse: Callable[[JsonObject], T]) -> tuple[T, ...]:
    """``parse`` on every object of a list."""
    return each(of_kind(value, list), lambda item: parse(of_kind(item, dict)))
