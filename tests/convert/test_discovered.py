"""What accounts were told of models, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.discovered import DiscoveredModel, merged, parse_model, parse_models
from kiro_rs_py.convert.native_thinking import NativeThinking

NATIVE = NativeThinking("output_config", ("low", "high"), "high")
OPUS = DiscoveredModel("claude-opus-4.8", "Claude Opus 4.8", 1_000_000, 64_000, 2.2, NATIVE)
ENTRY: JsonObject = {
    "modelId": "claude-opus-4.8",
    "modelName": "Claude Opus 4.8",
    "description": "x",
    "rateMultiplier": 2.2,
    "rateUnit": "Credit",
    "supportedInputTypes": ["TEXT", "IMAGE"],
    "tokenLimits": {"maxInputTokens": 1_000_000, "maxOutputTokens": 64_000},
    "additionalModelRequestFieldsSchema": {
        "properties": {"output_config": {"properties": {"effort": {"enum": ["low", "high"], "default": "high"}}}}
    },
}


def test_an_entry() -> None:
    assert parse_model(ENTRY) == OPUS
    assert parse_model({"modelId": " auto "}) == DiscoveredModel("auto")
    assert parse_model({"modelId": "glm-5", "displayName": "GLM 5"}) == DiscoveredModel("glm-5", "GLM 5")


@pytest.mark.parametrize(
    "model", [OPUS, DiscoveredModel("auto"), DiscoveredModel("a", window=5), DiscoveredModel("a", max_output=5)]
)
def test_what_is_kept_is_read_again(model: DiscoveredModel) -> None:
    assert parse_model(model.to_json()) == model


@pytest.mark.parametrize(
    "entry", [None, "auto", [], {}, {"modelId": None}, {"modelId": ""}, {"modelId": "a\nb"}, {"modelId": "a" * 201}]
)
def test_entries_without_an_id(entry: Json) -> None:
    assert parse_model(entry) is None


@pytest.mark.parametrize("number", [None, "5", True, 0, -1, float("nan"), float("inf"), 1e300, 10**400])
def test_odd_numbers_say_nothing(number: Json) -> None:
    limits: JsonObject = {"maxInputTokens": number, "maxOutputTokens": number}
    assert parse_model({"modelId": "a", "tokenLimits": limits, "rateMultiplier": number}) == DiscoveredModel("a")
    assert parse_model({"modelId": "a", "tokenLimits": []}) == DiscoveredModel("a")


def test_a_list() -> None:
    assert parse_models([ENTRY, None, {"modelId": "auto"}, {"modelId": "AUTO", "modelName": "again"}]) == (
        OPUS,
        DiscoveredModel("auto"),
    )
    assert parse_models(None) == ()


def test_what_holds_for_all_accounts() -> None:
    poorer = DiscoveredModel(
        "Claude-Opus-4.8", "", 200_000, None, 1.0, NativeThinking("output_config", ("high", "max"), "max")
    )
    auto = DiscoveredModel("auto")
    both = replace(OPUS, window=200_000, native=NativeThinking("output_config", ("high",), "high"))
    assert merged([[OPUS], [auto, poorer]]) == (both, auto)
    assert merged([]) == ()


def test_one_account_without_native_thinking_is_enough_for_none() -> None:
    plain = replace(OPUS, native=None)
    assert merged([[OPUS], [plain]]) == merged([[plain], [OPUS]]) == (plain,)


def test_what_one_account_says_and_the_other_does_not() -> None:
    assert merged([[DiscoveredModel("claude-opus-4.8")], [OPUS]]) == (replace(OPUS, native=None),)
