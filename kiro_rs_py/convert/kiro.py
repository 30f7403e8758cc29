"""Kiro's request body: ``conversationState`` and its parts (upstream-protocol §1.7).

``encode_request`` writes the bytes that go upstream: compact JSON, non-ASCII as UTF-8, absent optionals left out
(a ``null`` is answered with "Improperly formed request.").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from kiro_rs_py.convert.anthropic import Json, JsonObject, json_text

ORIGIN = "AI_EDITOR"


@dataclass(frozen=True, slots=True)
class Image:
    """``format`` is ``png``, ``jpeg``, ``gif`` or ``webp``; ``data`` is base64 without a ``data:`` prefix."""

    format: str
    data: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    tool_use_id: str
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ToolUse:
    tool_use_id: str
    name: str
    input: Json


@dataclass(frozen=True, slots=True)
class ToolSpecification:
    name: str
    description: str
    schema: JsonObject


@dataclass(frozen=True, slots=True)
class ReasoningContent:
    """Native thinking to be replayed (upstream-protocol §1.10): text with its signature, or a redacted blob."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


@dataclass(frozen=True, slots=True)
class UserMessage:
    content: str
    images: tuple[Image, ...] = ()
    tool_results: tuple[ToolResult, ...] = ()


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    content: str
    tool_uses: tuple[ToolUse, ...] = ()
    reasoning: ReasoningContent | None = None


HistoryEntry: TypeAlias = UserMessage | AssistantMessage


@dataclass(frozen=True, slots=True)
class ConversationState:
    """One request's conversation. ``extra_fields`` becomes ``additionalModelRequestFields`` at the root (§1.10)."""

    conversation_id: str
    continuation_id: str
    model_id: str
    current: UserMessage
    history: tuple[HistoryEntry, ...] = ()
    tools: tuple[ToolSpecification, ...] = ()
    extra_fields: JsonObject | None = None

    def without_reasoning(self) -> ConversationState:
        """The same conversation without replayed reasoning: the remedy for a refused signature (§1.10)."""
        history = tuple(
            replace(entry, reasoning=None) if isinstance(entry, AssistantMessage) and entry.reasoning else entry
            for entry in self.history
        )
        return replace(self, history=history)


def state_to_json(state: ConversationState) -> JsonObject:
    """``conversationState`` in the order of upstream-protocol §1.7.1."""
    context: JsonObject = {}
    if state.current.tool_results:
        context["toolResults"] = [_tool_result(result) for result in state.current.tool_results]
    if state.tools:
        context["tools"] = [tool_to_json(tool) for tool in state.tools]
    current: JsonObject = {
        "userInputMessageContext": context,
        "content": state.current.content,
        "modelId": state.model_id,
    }
    if state.current.images:
        current["images"] = [_image(image) for image in state.current.images]
    current["origin"] = ORIGIN
    root: JsonObject = {
        "agentContinuationId": state.continuation_id,
        "agentTaskType": "vibe",
        "chatTriggerType": "MANUAL",
        "currentMessage": {"userInputMessage": current},
        "conversationId": state.conversation_id,
    }
    if state.history:
        root["history"] = [_history_entry(entry, state.model_id) for entry in state.history]
    return root


def encode_request(state: ConversationState, profile_arn: str | None = None) -> bytes:
    """The body of GenerateAssistantResponse; ``profile_arn`` is the serving credential's and left out when unknown."""
    body: JsonObject = {"conversationState": state_to_json(state)}
    if profile_arn:
        body["profileArn"] = profile_arn
    if state.extra_fields:
        body["additionalModelRequestFields"] = state.extra_fields
    return json_text(body).encode()


def _history_entry(entry: HistoryEntry, model_id: str) -> JsonObject:
    if isinstance(entry, UserMessage):
        user: JsonObject = {"content": entry.content, "modelId": model_id, "origin": ORIGIN}
        if entry.images:
            user["images"] = [_image(image) for image in entry.images]
        if entry.tool_results:
            results: list[Json] = [_tool_result(result) for result in entry.tool_results]
            user["userInputMessageContext"] = {"toolResults": results}
        return {"userInputMessage": user}
    assistant: JsonObject = {"content": entry.content}
    if entry.tool_uses:
        assistant["toolUses"] = [
            {"toolUseId": use.tool_use_id, "name": use.name, "input": use.input} for use in entry.tool_uses
        ]
    if entry.reasoning:
        assistant["reasoningContent"] = _reasoning(entry.reasoning)
    return {"assistantResponseMessage": assistant}


def _image(image: Image) -> JsonObject:
    return {"format": image.format, "source": {"bytes": image.data}}


def _tool_result(result: ToolResult) -> JsonObject:
    entry: JsonObject = {
        "toolUseId": result.tool_use_id,
        "content": [{"text": result.text}],
        "status": "error" if result.is_error else "success",
    }
    if result.is_error:
        entry["isError"] = True
    return entry


def tool_to_json(tool: ToolSpecification) -> JsonObject:
    """One element of ``tools``."""
    return {
        "toolSpecification": {
            "name": tool.name,
            "description": tool.description,
            "inputSchema": {"json": tool.schema},
        }
    }


def _reasoning(reasoning: ReasoningContent) -> JsonObject:
    if reasoning.redacted:
        return {"redactedContent": reasoning.redacted}
    return {"reasoningText": {"text": reasoning.text, "signature": reasoning.signature}}
