"""What one frame of Kiro's answer means (upstream-protocol §2.5)."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


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
    """``stop_reason`` is Kiro's word (``END_TURN``, …), upper case; both may be absent."""

    stop_reason: str | None = None
    usage: TokenUsage | None = None


class Fault(NamedTuple):
    """An error or exception frame, or an invalidStateEvent: the answer is over."""

    code: str
    message: str
    reason: str | None = None


KiroEvent: TypeAlias = AssistantText | ToolUseFragment | Reasoning | ContextUsage | Metering | Metadata | Fault
