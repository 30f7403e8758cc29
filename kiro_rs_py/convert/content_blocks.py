"""Content blocks of client messages: JSON → the block types of :mod:`kiro_rs_py.convert.anthropic`.

Strict where the client can act on it: a known block with a wrong or missing field is refused by its path. Lenient
elsewhere: unknown blocks become :class:`OtherBlock`, unknown fields (``cache_control``, ``citations``, …) are ignored,
null counts as absent for optional fields, and a tool result may hold whatever a tool returned (§3.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    Json,
    JsonObject,
    OtherBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    string_in,
)
from kiro_rs_py.convert.client_json import (
    FieldError,
    compact,
    each,
    filled_string,
    name_of,
    of_kind,
    optional,
    required,
    string,
    under,
)


def parse_content(value: Json) -> tuple[ContentBlock, ...]:
    """A message's ``content``: a string, a list of blocks, or null (as REF, §3.2). Raises :class:`FieldError`."""
    if isinstance(value, str):
        return (TextBlock(value),)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise FieldError(f"must be a string or a list of content blocks, not {name_of(value)}")
    return each(value, _block)


def _block(value: Json) -> ContentBlock:
    item = of_kind(value, dict)
    kind = string(item, "type")
    parse = _PARSERS.get(kind)
    return parse(item) if parse else OtherBlock(kind, _readable_text(item))


def _thinking(item: JsonObject) -> ThinkingBlock:
    # Unsigned and empty-signature blocks are replayed by clients and are fine (clients §4.4).
    return ThinkingBlock(optional(item, "thinking", str) or "", optional(item, "signature", str) or "")


def _tool_use(item: JsonObject) -> ToolUseBlock:
    given = item.get("input")
    return ToolUseBlock(filled_string(item, "id"), filled_string(item, "name"), {} if given is None else given)


def _tool_result(item: JsonObject) -> ToolResultBlock:
    tool_use_id = filled_string(item, "tool_use_id")
    content = under("content", _result_content, item.get("content"))
    return ToolResultBlock(tool_use_id, content, optional(item, "is_error", bool) or False)


def _result_content(value: Json) -> tuple[ContentBlock, ...]:
    """What a tool returned: text, blocks, or any JSON value, whose text stands for it (§3.3)."""
    if value is None:
        return ()
    if not isinstance(value, list):
        return (TextBlock(value if isinstance(value, str) else compact(value)),)
    return each(value, _result_part)


def _result_part(item: Json) -> ContentBlock:
    if isinstance(item, dict) and isinstance(item.get("type"), str):
        return _block(item)
    text = item.get("text") if isinstance(item, dict) else item
    return TextBlock(text if isinstance(text, str) else compact(item))


def _image_of(value: Json) -> ImageBlock:
    source = of_kind(value, dict)
    kind = string(source, "type")
    data = string(source, "data") if kind == "base64" else None
    return ImageBlock(optional(source, "media_type", str), data, kind)


def _document(item: JsonObject) -> DocumentBlock:
    document = under("source", _document_of, required(item, "source"))
    return replace(document, title=optional(item, "title", str), context=optional(item, "context", str))


def _document_of(value: Json) -> DocumentBlock:
    source = of_kind(value, dict)
    kind = string(source, "type")
    if kind == "content":
        # A document the client cut into text blocks itself is text to us.
        return DocumentBlock("text/plain", _joined_text(source.get("content")), "text")
    data = string(source, "data") if kind in ("base64", "text") else None
    return DocumentBlock(optional(source, "media_type", str), data, kind)


def _server_tool_use(item: JsonObject) -> ContentBlock:
    """A web search is a call like any other to Kiro; what else Anthropic's servers ran has no place there."""
    from kiro_rs_py.convert.websearch import TOOL_NAME as SEARCH_NAME  # see _web_search_tool_result

    tool_use_id, given = string_in(item, "id"), item.get("input")
    if item.get("name") != SEARCH_NAME or not tool_use_id:
        return OtherBlock("server_tool_use")
    return ToolUseBlock(tool_use_id, SEARCH_NAME, {} if given is None else given)


def _web_search_tool_result(item: JsonObject) -> ContentBlock:
    # Here, since the start of `count-tokens` waits for imports, and few conversations hold searches.
    from kiro_rs_py.convert.search_results import parse_result_content, text_for_model

    outcome = parse_result_content(item.get("content"))
    text, tool_use_id = text_for_model(outcome), string_in(item, "tool_use_id")
    if not tool_use_id:
        # Some proxies leave the id out (N11).
        return OtherBlock("web_search_tool_result", text)
    return ToolResultBlock(tool_use_id, (TextBlock(text),), is_error=outcome.error is not None)


def _search_result(item: JsonObject) -> OtherBlock:
    """A search result the client brings along is reading matter: title, source and text are kept together."""
    head = " — ".join(filter(None, (string_in(item, "title"), string_in(item, "source"))))
    return OtherBlock("search_result", "\n".join(filter(None, (head, _readable_text(item)))))


def _readable_text(item: JsonObject) -> str:
    text = item.get("text")
    return text if isinstance(text, str) else _joined_text(item.get("content"))


def _joined_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    return "\n".join(text for part in value if isinstance(part, dict) and isinstance(text := part.get("text"), str))


_PARSERS: MappingProxyType[str, Callable[[JsonObject], ContentBlock]] = MappingProxyType(
    {
        "text": lambda item: TextBlock(string(item, "text")),
        "image": lambda item: under("source", _image_of, required(item, "source")),
        "document": _document,
        "thinking": _thinking,
        "redacted_thinking": lambda item: RedactedThinkingBlock(optional(item, "data", str) or ""),
        "tool_use": _tool_use,
        "tool_result": _tool_result,
        "tool_reference": lambda item: ToolReferenceBlock(filled_string(item, "tool_name")),
        "search_result": _search_result,
        "server_tool_use": _server_tool_use,
        "web_search_tool_result": _web_search_tool_result,
    }
)
