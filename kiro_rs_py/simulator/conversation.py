"""A checked request body as the model reads it: turns, tools, tool results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.asgi import compact

# A rule of our own and deliberately not the proxy's: the service counts for itself.
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 1000


@dataclass(frozen=True, slots=True)
class Turn:
    """``results`` are the texts of a user turn's tool results, ``weight`` the characters that count as prompt."""

    role: Literal["user", "assistant"]
    text: str
    weight: int
    results: tuple[str, ...] = ()
    images: int = 0


@dataclass(frozen=True, slots=True)
class Conversation:
    """``id`` is what the client calls it. ``turns`` ends with the current user message; ``tools`` are the schemas on
    offer by name, ``extra`` the ``additionalModelRequestFields``, ``input_tokens`` an estimate of everything sent."""

    id: str
    model_id: str
    turns: tuple[Turn, ...]
    tools: Mapping[str, JsonObject]
    extra: JsonObject
    input_tokens: int

    @property
    def current(self) -> Turn:
        return self.turns[-1]

    @property
    def last_result(self) -> str | None:
        """The text of the latest tool result anywhere."""
        return next((turn.results[-1] for turn in reversed(self.turns) if turn.results), None)


def read_conversation(body: Json) -> Conversation:
    """Reads what is there and never complains: :mod:`~kiro_rs_py.simulator.rules` has already done that."""
    state = _object(_object(body).get("conversationState"))
    current = _object(_object(state.get("currentMessage")).get("userInputMessage"))
    turns = [*(_turn(_object(entry)) for entry in _list(state.get("history"))), _user_turn(current)]
    context = _object(current.get("userInputMessageContext"))
    tools = [_object(_object(tool).get("toolSpecification")) for tool in _list(context.get("tools"))]
    characters = sum(turn.weight for turn in turns) + len(compact(context.get("tools", [])))
    images = sum(turn.images for turn in turns)
    return Conversation(
        id=_text(state.get("conversationId")),
        model_id=_text(current.get("modelId")),
        turns=tuple(turns),
        tools={_text(tool.get("name")): _schema(tool) for tool in tools if tool},
        extra=_object(_object(body).get("additionalModelRequestFields")),
        input_tokens=characters // CHARACTERS_PER_TOKEN + images * TOKENS_PER_IMAGE,
    )


def _turn(entry: JsonObject) -> Turn:
    if "assistantResponseMessage" not in entry:
        return _user_turn(_object(entry.get("userInputMessage")))
    message = _object(entry["assistantResponseMessage"])
    text = _text(message.get("content"))
    beside = sum(len(compact(message[key])) for key in ("toolUses", "reasoningContent") if key in message)
    return Turn("assistant", text, len(text) + beside)


def _user_turn(message: JsonObject) -> Turn:
    context = _object(message.get("userInputMessageContext"))
    results = tuple(_result_text(_object(result)) for result in _list(context.get("toolResults")))
    text = _text(message.get("content"))
    return Turn("user", text, len(text) + sum(map(len, results)), results, len(_list(message.get("images"))))


def _schema(specification: JsonObject) -> JsonObject:
    return _object(_object(specification.get("inputSchema")).get("json"))


def _result_text(result: JsonObject) -> str:
    parts = []
    for part in _list(result.get("content")):
        item = _object(part)
        if "text" in item:
            parts.append(_text(item["text"]))
        elif "json" in item:
            parts.append(compact(item["json"]))
    return "\n".join(parts)


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
