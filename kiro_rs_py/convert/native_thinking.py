"""Native thinking: what a model's schema allows, and how its signatures travel through a client and back (§1.10).

A model that publishes an ``additionalModelRequestFieldsSchema`` is asked to think by a field instead of by markers in
the prompt, and answers with reasoning events. Their signatures are only good for the model that wrote them, and a
client sends them back without saying which that was: so the model's id travels inside the signature that the client
is given (:func:`seal`), and only what :func:`unseal` finds there goes upstream again, byte for byte.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from kiro_rs_py.convert.anthropic import Json, JsonObject, list_in, object_in

EffortField: TypeAlias = Literal["output_config", "reasoning"]
"""Where the effort stands: Claude's models and GPT's."""

_LEVELS: Final = ("minimal", "low", "medium", "high", "xhigh", "max")
"""Rising. ``none``, which switches thinking off, is only ever sent to who asked for it."""
_USUAL: Final = "high"


@dataclass(frozen=True, slots=True)
class NativeThinking:
    """What one model takes. ``efforts`` is never empty; ``displays`` are the ways its thinking can be shown."""

    field: EffortField
    efforts: tuple[str, ...]
    default: str
    displays: tuple[str, ...] = ()

    def request_fields(self, effort: str | None, display: str | None = None) -> JsonObject:
        """``additionalModelRequestFields`` for an effort; without one, the model's own default is named, as the
        official client does."""
        fields: JsonObject = {self.field: {"effort": self._nearest(effort)}}
        if display in self.displays:
            fields["thinking"] = {"type": "adaptive", "display": display}
        return fields

    def _nearest(self, effort: str | None) -> str:
        """``effort``, or the next lower one there is, or else the lowest; the default for a word nobody knows."""
        if effort in self.efforts:
            return effort
        if effort not in _LEVELS:
            return self.default
        offered = [level for level in _LEVELS if level in self.efforts]
        lower = [level for level in offered if _LEVELS.index(level) < _LEVELS.index(effort)]
        return lower[-1] if lower else offered[0] if offered else self.default

    def shared_with(self, other: NativeThinking | None) -> NativeThinking | None:
        """What both accept; None if that is nothing. For one model as two accounts were told of it."""
        if other is None or other.field != self.field:
            return None
        return _native(
            self.field,
            tuple(effort for effort in self.efforts if effort in other.efforts),
            self.default,
            tuple(display for display in self.displays if display in other.displays),
        )

    def to_schema(self) -> JsonObject:
        """A schema that :func:`parse_schema` reads as this."""
        effort: JsonObject = {"enum": list[Json](self.efforts), "default": self.default}
        properties: JsonObject = {self.field: {"properties": {"effort": effort}}}
        if self.displays:
            kind: JsonObject = {"enum": ["adaptive"]}
            display: JsonObject = {"enum": list[Json](self.displays)}
            properties["thinking"] = {"properties": {"type": kind, "display": display}}
        return {"properties": properties}


def parse_schema(schema: Json) -> NativeThinking | None:
    """What ``additionalModelRequestFieldsSchema`` allows (§8.1); None for a model without effort levels."""
    if not isinstance(schema, dict):
        return None
    for field in get_args(EffortField):
        effort = _property(_property(schema, field), "effort")
        if efforts := _words(effort):
            thinking = _property(schema, "thinking")
            displays = _words(_property(thinking, "display"))
            adaptive = "adaptive" in _words(_property(thinking, "type"))
            return _native(field, efforts, effort.get("default"), displays if adaptive else ())
    return None


def _native(
    field: EffortField, efforts: tuple[str, ...], default: Json, displays: tuple[str, ...]
) -> NativeThinking | None:
    if not efforts:
        return None
    if not isinstance(default, str) or default not in efforts:
        default = _USUAL if _USUAL in efforts else efforts[-1]
    return NativeThinking(field, efforts, default, displays)


def _property(schema: JsonObject, name: str) -> JsonObject:
    return object_in(object_in(schema, "properties"), name)


def _words(schema: JsonObject) -> tuple[str, ...]:
    return tuple(word for word in list_in(schema, "enum") if isinstance(word, str) and word)


# --- signatures ---------------------------------------------------------------------------------------------------

_MARK: Final = b"kiro-rs-py:"


def seal(model_id: str, signature: str) -> str:
    """A signature, or a redacted blob, for the client: base64 like Anthropic's, with the upstream model in it."""
    return base64.b64encode(_MARK + f"{model_id}\n{signature}".encode()).decode()


def unseal(sealed: str, model_id: str) -> str | None:
    """What was given to :func:`seal` with this very model; None for any other signature.

    Those are the placeholder, another model's, one from Anthropic's own service, and what a client has damaged. Kiro
    would refuse the whole request because of it.
    """
    try:
        model, found, signature = base64.b64decode(sealed, validate=True).decode().partition("\n")
    except (binascii.Error, ValueError):
        return None
    if not found or model != _MARK.decode() + model_id:
        return None
    return signature
