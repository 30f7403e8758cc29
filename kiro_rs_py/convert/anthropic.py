"""The Messages API as clients write it: request types (recorded clients in tests/clients).

Unknown fields are ignored, unknown content blocks are kept as :class:`OtherBlock` so that their loss can be noted.
Values that are forwarded (``input_schema``, tool ``input``) are carried opaque.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

json_text: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Compact JSON, keys in their order, non-ASCII as it is. ``json.dumps`` would make an encoder each time."""


def json_object(text: str | bytes) -> JsonObject | None:
    """The JSON object in ``text``; None when it holds anything else. For what others send and write."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text_in(record: Mapping[str, object], *names: str) -> str | None:
    """The first of the members that is a text and not blank, without blanks around it."""
    texts = (value.strip() for name in names if isinstance(value := record.get(name), str))
    return next((text for text in texts if text), None)


def string_in(record: Mapping[str, object], name: str) -> str:
    """The member if it is a string, else an empty one; so for the two below."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def list_in(record: Mapping[str, Json], name: str) -> list[Json]:
    value = record.get(name)
    return value if isinstance(value, list) else []


def object_in(record: Mapping[str, Json], name: str) -> JsonObject:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Plain text, of whichever side."""

    text: str


@dataclass(frozen=True, slots=True)
class ImageBlock:
    """``data`` is base64 as the client sent it (a ``data:`` prefix is still on); None for URL and file sources."""

    media_type: str | None
    data: str | None
    source: str = "base64"


@dataclass(frozen=True, slots=True)
class DocumentBlock:
    """``data`` is text for ``source == "text"``, base64 for ``"base64"``, None for URL and file sources.
    ``extracted`` is the text of a PDF that somebody has read already."""

    media_type: str | None
    data: str | None
    source: str
    title: str | None = None
    context: str | None = None
    extracted: str | None = None


@dataclass(frozen=True, slots=True)
class ThinkingBlock:
    """What a model thought in an earlier turn."""

    thinking: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class RedactedThinkingBlock:
    """Thinking that Anthropic has encrypted."""

    data: str


@dataclass(frozen=True, slots=True)
class ToolUseBlock:
    """The model's call of a tool; ``input`` is carried opaque."""

    id: str
    name: str
    input: Json


@dataclass(frozen=True, slots=True)
class ToolResultBlock:
    """What the client says a tool returned."""

    tool_use_id: str
    content: tuple[ContentBlock, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ToolReferenceBlock:
    """Claude Code's answer of its ToolSearch: a deferred tool is now loaded (clients.md §1.1)."""

    tool_name: str


@dataclass(frozen=True, slots=True)
class OtherBlock:
    """A block this program has no use for; ``type`` names it in the notes, ``text`` is what a reader would miss."""

    type: str
    text: str = ""


ContentBlock: TypeAlias = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock
    | ToolReferenceBlock
    | OtherBlock
)


@dataclass(frozen=True, slots=True)
class Message:
    """``role`` as written (``user``, ``assistant``, ``system``, ``developer``); a string content is one TextBlock.

    ``effort`` is the message's own ``output_config.effort``, which Claude Code sends on its system message.
    """

    role: str
    content: tuple[ContentBlock, ...]
    effort: str | None = None


def every_block(messages: Iterable[Message]) -> Iterator[ContentBlock]:
    """All blocks, those inside tool results too, in no special order."""
    waiting: list[Iterable[ContentBlock]] = [message.content for message in messages]
    while waiting:
        for block in waiting.pop():
            yield block
            if isinstance(block, ToolResultBlock):
                waiting.append(block.content)


@dataclass(frozen=True, slots=True)
class Tool:
    """``type`` is None or ``custom`` for client tools, a dated name (``web_search_20250305``) for server tools.

    ``max_uses`` and the two lists of domains belong to the web search.
    """

    name: str
    description: str = ""
    input_schema: JsonObject = field(default_factory=dict)
    type: str | None = None
    defer_loading: bool = False
    max_uses: int | None = None
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tools the model may or must call."""

    type: Literal["auto", "any", "tool", "none"] = "auto"
    name: str | None = None
    disable_parallel_tool_use: bool = False


@dataclass(frozen=True, slots=True)
class Thinking:
    """``type`` ``enabled`` and ``adaptive`` are on; ``disabled`` and anything unknown is off."""

    type: str
    budget_tokens: int = 20_000
    display: str | None = None

    @property
    def on(self) -> bool:
        return self.type in ("enabled", "adaptive")


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """``POST /v1/messages`` (and count_tokens, where ``max_tokens`` is None), checked and typed.

    ``system`` holds the texts of the system blocks in order; empty texts are already left out.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    system: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    thinking: Thinking | None = None
    effort: str | None = None
    output_schema: JsonObject | None = None
    user_id: str | None = None
    stream: bool = False
    stop_sequences: tuple[str, ...] = ()


ToolNames: TypeAlias = Mapping[str, str]
"""Alias sent upstream → name the client knows."""

PLACEHOLDER_SIGNATURE = "a2lyby1ycy1weTogbm8gdXBzdHJlYW0gc2lnbmF0dXJl"
"""The signature of thinking blocks whose text came without one (response-conversion D-8). Clients send it back; it must
never reach Kiro, which checks real signatures (upstream-protocol §1.10), so the request side drops it."""
