"""The model catalogue (upstream-protocol §1.11 and §8.1, field-notes §2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.refusal import improperly_formed, invalid

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """``window`` and ``output`` are tokens, ``rate`` the credit multiplier. ``efforts`` are those of its schema, none
    when the model takes no extra fields at all. ``paid`` models are missing from free plans."""

    id: str
    name: str
    window: int = 200_000
    output: int = 64_000
    rate: float = 1.0
    efforts: tuple[str, ...] = ()
    paid: bool = False
    images: bool = True
    aliases: tuple[str, ...] = ()
    can_disable_thinking: bool = True
    shows_reasoning: bool = True

    @property
    def family(self) -> str:
        return self.id.split("-")[0]

    def fields_schema(self) -> JsonObject | None:
        """``additionalModelRequestFieldsSchema``: the legal extra fields, or None when every field is refused."""
        if not self.efforts:
            return None
        effort: JsonObject = {"type": "string", "enum": list[Json](self.efforts), "default": "high"}
        efforts: JsonObject = {"type": "object", "properties": {"effort": effort}, "additionalProperties": False}
        if self.family == "gpt":
            return {"type": "object", "properties": {"reasoning": efforts}, "additionalProperties": False}
        kinds: list[Json] = ["adaptive", "disabled"] if self.can_disable_thinking else ["adaptive"]
        thinking: JsonObject = {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": kinds},
                "display": {"type": "string", "enum": ["summarized", "omitted"]},
            },
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {
                "thinking": thinking,
                "output_config": efforts,
                "max_tokens": {"type": "integer", "minimum": 1024, "maximum": self.output},
            },
            "additionalProperties": False,
        }

    def to_json(self) -> JsonObject:
        """Its entry in ListAvailableModels."""
        inputs: list[Json] = ["TEXT", "IMAGE"] if self.images else ["TEXT"]
        entry: JsonObject = {
            "modelId": self.id,
            "modelName": self.name,
            "description": f"{self.name}, simulated",
            "rateMultiplier": self.rate,
            "rateUnit": "Credit",
            "supportedInputTypes": inputs,
            "tokenLimits": {"maxInputTokens": self.window, "maxOutputTokens": self.output},
            "promptCaching": {
                "supportsPromptCaching": self.family == "claude",
                "maximumCacheCheckpointsPerRequest": 4,
                "minimumTokensPerCacheCheckpoint": 1024,
            },
        }
        schema = self.fields_schema()
        if schema is not None:
            entry["additionalModelRequestFieldsSchema"] = schema
        return entry


_ALL = ("low", "medium", "high", "xhigh", "max")
_FOUR = ("low", "medium", "high", "max")


def _claude(
    name: str,
    rate: float,
    efforts: tuple[str, ...],
    *,
    paid: bool = False,
    can_disable_thinking: bool = True,
    shows_reasoning: bool = True,
) -> SimulatedModel:
    """One of the models with a million tokens of window."""
    return SimulatedModel(
        id=f"claude-{name.lower().replace(' ', '-')}",
        name=f"Claude {name}",
        window=MILLION,
        output=128_000 if "xhigh" in efforts else 64_000,
        rate=rate,
        efforts=efforts,
        paid=paid,
        can_disable_thinking=can_disable_thinking,
        shows_reasoning=shows_reasoning,
    )


DEFAULT_MODELS: tuple[SimulatedModel, ...] = (
    SimulatedModel("auto", "Auto", window=MILLION),
    _claude("Opus 5.5", 2.2, _ALL, paid=True, can_disable_thinking=False),
    _claude("Opus 5", 2.2, _ALL, paid=True),
    _claude("Opus 4.8", 2.2, _ALL, paid=True),
    _claude("Opus 4.7", 2.2, _ALL, paid=True),
    _claude("Opus 4.6", 2.2, _FOUR, paid=True, shows_reasoning=False),
    SimulatedModel("claude-opus-4.5", "Claude Opus 4.5", rate=2.2, paid=True),
    _claude("Sonnet 5.5", 1.3, _ALL, can_disable_thinking=False),
    _claude("Sonnet 5", 1.3, _ALL),
    _claude("Sonnet 4.8", 1.3, _FOUR),
    _claude("Sonnet 4.6", 1.3, _FOUR),
    SimulatedModel("claude-sonnet-4.5", "Claude Sonnet 4.5", rate=1.3, aliases=("CLAUDE_SONNET_4_5_20250929_V1_0",)),
    SimulatedModel(
        "claude-sonnet-4",
        "Claude Sonnet 4",
        rate=1.3,
        aliases=("claude-sonnet-4.0", "CLAUDE_SONNET_4_20250514_V1_0"),
    ),
    SimulatedModel("claude-3.7-sonnet", "Claude 3.7 Sonnet", rate=1.3, aliases=("CLAUDE_3_7_SONNET_20250219_V1_0",)),
    SimulatedModel("claude-haiku-4.5", "Claude Haiku 4.5", rate=0.4, aliases=("simple-task",)),
    _claude("Fable 5", 3.0, _ALL),
    SimulatedModel("gpt-5.6-sol", "GPT 5.6 Sol", window=272_000, output=128_000, efforts=("none", *_ALL)),
    SimulatedModel("gpt-5.6-terra", "GPT 5.6 Terra", window=272_000, output=128_000, efforts=("none", *_ALL)),
    SimulatedModel("gpt-5.6-luna", "GPT 5.6 Luna", window=272_000, output=128_000, efforts=("none", *_ALL)),
    SimulatedModel("deepseek-3.2", "DeepSeek 3.2", window=128_000, rate=0.25, images=False),
    SimulatedModel("minimax-m2.5", "MiniMax M2.5", rate=0.25, images=False),
    SimulatedModel("minimax-m2.1", "MiniMax M2.1", rate=0.15, images=False),
    SimulatedModel("glm-5", "GLM 5", rate=0.5, images=False),
    SimulatedModel("qwen3-coder-next", "Qwen3 Coder Next", window=256_000, rate=0.05, images=False),
)


class Catalogue:
    """The models there are; free plans see fewer."""

    def __init__(self, models: Iterable[SimulatedModel] = DEFAULT_MODELS) -> None:
        self.models: Sequence[SimulatedModel] = tuple(models)
        self.page_size = 100

    def find(self, model_id: str, *, paid_plan: bool) -> SimulatedModel | None:
        """By id or by one of the old ids; None when unknown or not part of the plan."""
        for model in self.models:
            if model_id == model.id or model_id in model.aliases:
                return model if paid_plan or not model.paid else None
        return None

    def page(self, *, paid_plan: bool, limit: int | None, token: str | None) -> JsonObject:
        """One page of ListAvailableModels; ``token`` is the one of the page before."""
        visible = [model for model in self.models if paid_plan or not model.paid]
        size = min(limit or self.page_size, self.page_size)
        if token is not None and not token.isdigit():
            raise improperly_formed()
        start = int(token or 0)
        end = start + size
        return {
            "defaultModel": {"modelId": self.models[0].id, "modelName": self.models[0].name},
            "models": [model.to_json() for model in visible[start:end]],
            "nextToken": str(end) if end < len(visible) else None,
        }


# --- ``additionalModelRequestFields`` against the schema a model publishes (§1.10) ---------------------------------


def check_extra_fields(fields: Json, model: SimulatedModel) -> None:
    """Raises the service's refusal; absent fields are always fine."""
    if fields is None:
        return
    schema = model.fields_schema()
    if schema is None:
        raise invalid("REQUEST_BODY_INVALID", "additionalModelRequestFields is not supported for this model")
    if not conforms(fields, schema):
        raise invalid("REQUEST_BODY_INVALID", "Invalid additionalModelRequestFields")


def conforms(value: Json, schema: JsonObject) -> bool:
    """The few keywords those schemas use: type, properties (closed), enum, minimum, maximum."""
    enum = schema.get("enum")
    if isinstance(enum, list) and value not in enum:
        return False
    match schema["type"]:
        case "object":
            properties = schema["properties"]
            if not isinstance(value, dict) or not isinstance(properties, dict) or not value.keys() <= properties.keys():
                return False
            children = [(child, properties[key]) for key, child in value.items()]
            return all(isinstance(below, dict) and conforms(child, below) for child, below in children)
        case "integer":
            low, high = schema["minimum"], schema["maximum"]
            if not isinstance(low, int) or not isinstance(high, int):
                return False
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        case _:
            return isinstance(value, str)
