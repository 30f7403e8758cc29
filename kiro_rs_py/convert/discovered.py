"""What ListAvailableModels says of a model, as far as we use it (upstream-protocol §8.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kiro_rs_py.convert.anthropic import Json, JsonObject, object_in, string_in
from kiro_rs_py.convert.native_thinking import NativeThinking, parse_schema

MAX_NAME_CHARS = 200
LARGEST_NUMBER = 100_000_000


@dataclass(frozen=True, slots=True)
class DiscoveredModel:
    """One model as one account, or all of them, was told of it. None and empty: nothing was said.

    ``window`` and ``max_output`` in tokens, ``rate`` multiplies the credits of a request, ``native`` is how the model
    is asked to think other than by the prompt.
    """

    upstream_id: str
    display_name: str = ""
    window: int | None = None
    max_output: int | None = None
    rate: float | None = None
    native: NativeThinking | None = None

    def to_json(self) -> JsonObject:
        """An entry that :func:`parse_model` reads as this."""
        limits = _said({"maxInputTokens": self.window, "maxOutputTokens": self.max_output})
        return _said(
            {
                "modelId": self.upstream_id,
                "modelName": self.display_name or None,
                "tokenLimits": limits or None,
                "rateMultiplier": self.rate,
                "additionalModelRequestFieldsSchema": self.native.to_schema() if self.native else None,
            }
        )


@dataclass(frozen=True, slots=True)
class Discovery:
    """What is known of all accounts together. ``complete``: every account that can be used has told."""

    models: tuple[DiscoveredModel, ...] = ()
    complete: bool = False


def _said(members: JsonObject) -> JsonObject:
    return {name: value for name, value in members.items() if value is not None}


def parse_model(entry: Json) -> DiscoveredModel | None:
    """An element of ``models``; None if it has no usable id. Only that is guaranteed, the rest is taken as it comes."""
    if not isinstance(entry, dict):
        return None
    upstream_id = _text(entry, "modelId")
    if not upstream_id:
        return None
    limits = object_in(entry, "tokenLimits")
    return DiscoveredModel(
        upstream_id=upstream_id,
        display_name=_text(entry, "modelName") or _text(entry, "displayName"),
        window=_tokens(limits.get("maxInputTokens")),
        max_output=_tokens(limits.get("maxOutputTokens")),
        rate=_number(entry.get("rateMultiplier")),
        native=parse_schema(entry.get("additionalModelRequestFieldsSchema")),
    )


def parse_models(entries: Json) -> tuple[DiscoveredModel, ...]:
    """The usable elements of ``models``, each id once."""
    found: dict[str, DiscoveredModel] = {}
    for entry in entries if isinstance(entries, list) else ():
        model = parse_model(entry)
        if model is not None:
            found.setdefault(model.upstream_id.lower(), model)
    return tuple(found.values())


def merged(lists: Iterable[Iterable[DiscoveredModel]]) -> tuple[DiscoveredModel, ...]:
    """All that any account lists, in the order of the first mention.

    Where accounts differ, what holds for each of them counts, since any may be asked: the smaller window, and of
    native thinking what all take (limits grow account by account, §1.11).
    """
    found: dict[str, DiscoveredModel] = {}
    for models in lists:
        for model in models:
            key = model.upstream_id.lower()
            found[key] = _common(found[key], model) if key in found else model
    return tuple(found.values())


def _common(one: DiscoveredModel, other: DiscoveredModel) -> DiscoveredModel:
    return replace(
        one,
        display_name=one.display_name or other.display_name,
        window=_smaller(one.window, other.window),
        max_output=_smaller(one.max_output, other.max_output),
        rate=one.rate if one.rate is not None else other.rate,
        native=one.native.shared_with(other.native) if one.native else None,
    )


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((number for number in (one, other) if number is not None), default=None)


def _text(entry: JsonObject, key: str) -> str:
    """A name fit for lists, logs and headers, else nothing."""
    text = string_in(entry, key).strip()
    return text if len(text) <= MAX_NAME_CHARS and text.isprintable() else ""


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 < value <= LARGEST_NUMBER else None


def _tokens(value: Json) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 1 else None
