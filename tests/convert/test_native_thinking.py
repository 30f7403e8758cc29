"""What schemas allow, and signatures that come back."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import PLACEHOLDER_SIGNATURE, Json, JsonObject
from kiro_rs_py.convert.native_thinking import NativeThinking, parse_schema, seal, unseal

FIVE = ("low", "medium", "high", "xhigh", "max")


def effort_schema(field: str, *efforts: str, default: Json = "high", **more: Json) -> JsonObject:
    effort: JsonObject = {"type": "string", "enum": list[Json](efforts), "default": default}
    return {"type": "object", "properties": {field: {"properties": {"effort": effort}}, **more}}


def thinking_schema(*kinds: str) -> JsonObject:
    kind: JsonObject = {"enum": list[Json](kinds)}
    return {"properties": {"type": kind, "display": {"enum": ["summarized", "omitted"]}}}


CLAUDE = effort_schema("output_config", *FIVE, thinking=thinking_schema("adaptive", "disabled"))


def test_schemas_of_both_families() -> None:
    assert parse_schema(CLAUDE) == NativeThinking("output_config", FIVE, "high", ("summarized", "omitted"))
    assert parse_schema(effort_schema("reasoning", "none", *FIVE)) == NativeThinking(
        "reasoning", ("none", *FIVE), "high"
    )


def test_a_display_needs_adaptive_thinking() -> None:
    native = parse_schema(effort_schema("output_config", *FIVE, thinking=thinking_schema("enabled")))
    assert native is not None
    assert not native.displays


@pytest.mark.parametrize("default", [None, 5, "huge"])
def test_a_default_that_is_none(default: Json) -> None:
    assert parse_schema(effort_schema("reasoning", "low", "high", "max", default=default)) == NativeThinking(
        "reasoning", ("low", "high", "max"), "high"
    )
    assert parse_schema(effort_schema("reasoning", "low", "max", default=default)) == NativeThinking(
        "reasoning", ("low", "max"), "max"
    )


@pytest.mark.parametrize(
    "schema",
    [
        None,
        "text",
        [],
        {},
        {"properties": []},
        {"properties": {"output_config": None}},
        {"properties": {"output_config": {"properties": {"effort": {"type": "string"}}}}},
        {"properties": {"output_config": {"properties": {"effort": {"enum": [None, 5, ""]}}}}},
        {"properties": {"max_tokens": {"minimum": 1024}}},
    ],
)
def test_schemas_without_efforts(schema: Json) -> None:
    assert parse_schema(schema) is None


@pytest.mark.parametrize(
    ("efforts", "wanted", "sent"),
    [
        (FIVE, "xhigh", "xhigh"),
        (("low", "medium", "high", "max"), "xhigh", "high"),
        (FIVE, "minimal", "low"),
        (FIVE, None, "high"),
        (FIVE, "ludicrous", "high"),
        (("none", "low", "high"), "none", "none"),
        (("none", "low", "high"), "minimal", "low"),
        (FIVE, "none", "high"),
        (("fast", "slow"), "low", "slow"),
    ],
)
def test_efforts_stay_within_the_schema(efforts: tuple[str, ...], wanted: str | None, sent: str) -> None:
    native = parse_schema(effort_schema("output_config", *efforts))
    assert native is not None
    assert native.request_fields(wanted) == {"output_config": {"effort": sent}}


def test_a_display_is_passed_on_if_it_is_known() -> None:
    native = parse_schema(CLAUDE)
    assert native is not None
    shown = {"type": "adaptive", "display": "omitted"}
    assert native.request_fields("low", "omitted") == {"output_config": {"effort": "low"}, "thinking": shown}
    assert native.request_fields("low", "backwards") == {"output_config": {"effort": "low"}}


def test_what_two_accounts_share() -> None:
    large, small = (
        NativeThinking("output_config", FIVE, "max", ("omitted",)),
        NativeThinking("output_config", FIVE[:3], "low"),
    )
    assert large.shared_with(large) == large
    assert large.shared_with(small) == NativeThinking("output_config", FIVE[:3], "high")
    assert large.shared_with(None) is None
    assert large.shared_with(NativeThinking("reasoning", FIVE, "high")) is None
    assert large.shared_with(NativeThinking("output_config", ("huge",), "huge")) is None


@pytest.mark.parametrize(
    "native", [NativeThinking("output_config", FIVE, "max", ("omitted",)), NativeThinking("reasoning", FIVE, "low")]
)
def test_what_is_kept_is_read_again(native: NativeThinking) -> None:
    assert parse_schema(native.to_schema()) == native


@pytest.mark.parametrize("signature", ["EqQBCkgIARAB+/=", "", "zwei\nZeilen", "ü"])
def test_signatures_come_back_as_they_were(signature: str) -> None:
    sealed = seal("claude-opus-4.8", signature)
    assert sealed.isascii()
    assert unseal(sealed, "claude-opus-4.8") == signature
    assert unseal(sealed, "claude-opus-4.7") is None


@pytest.mark.parametrize(
    "signature",
    [
        "",
        PLACEHOLDER_SIGNATURE,
        "EqQBCkgIARABGAIqQL8=",
        "not base64!",
        "ä",
        "/w==",
        seal("claude-opus-4.8", "signature")[:-2],
        "Y2xhdWRlLW9wdXMtNC44CnNpZ25hdHVyZQ==",
    ],
)
def test_other_signatures_are_not_ours(signature: str) -> None:
    assert unseal(signature, "claude-opus-4.8") is None
