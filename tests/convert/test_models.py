"""Model names, ids and windows."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.models import (
    MILLION,
    MODELS,
    Model,
    ModelCatalog,
    ResolvedModel,
    catalog_from_settings,
)
from kiro_rs_py.convert.native_thinking import NativeThinking
from kiro_rs_py.errors import ConfigError, NotFound

CATALOG = ModelCatalog()
SONNET_4_5 = "CLAUDE_SONNET_4_5_20250929_V1_0"
SONNET_4 = "CLAUDE_SONNET_4_20250514_V1_0"
SONNET_3_7 = "CLAUDE_3_7_SONNET_20250219_V1_0"


def resolve(name: str, catalog: ModelCatalog = CATALOG, suffix: str = "-thinking") -> ResolvedModel:
    resolved = catalog.resolve(name, thinking_suffix=suffix)
    assert resolved.name == name
    return resolved


@pytest.mark.parametrize(
    ("name", "upstream_id", "window"),
    [
        # What REF maps (request-conversion §2.3).
        ("claude-sonnet-4-5-20250929", SONNET_4_5, 200_000),
        ("claude-sonnet-4-5", SONNET_4_5, 200_000),
        ("claude-sonnet-4.5", SONNET_4_5, 200_000),
        ("claude-sonnet-4-20250514", SONNET_4, 200_000),
        ("claude-sonnet-4", SONNET_4, 200_000),
        ("claude-sonnet-4-0", SONNET_4, 200_000),
        ("claude_sonnet_4", SONNET_4, 200_000),
        ("claude-3-7-sonnet-20250219", SONNET_3_7, 200_000),
        ("claude-3.7-sonnet", SONNET_3_7, 200_000),
        ("claude-sonnet-3-7-latest", SONNET_3_7, 200_000),
        ("claude-3-5-sonnet-20241022", SONNET_4_5, 200_000),
        ("claude-3-8-sonnet", SONNET_4_5, 200_000),
        ("claude-4-sonnet", SONNET_4_5, 200_000),
        ("sonnet", SONNET_4_5, 200_000),
        ("some-sonnet-with-opus", SONNET_4_5, 200_000),
        ("claude-opus-4-5-20251101", "claude-opus-4.5", 200_000),
        ("claude-opus-4-6", "claude-opus-4.6", MILLION),
        ("claude-opus-4-1-20250805", "claude-opus-4.6", MILLION),
        ("claude-opus-4-20250514", "claude-opus-4.6", MILLION),
        ("claude-3-opus-20240229", "claude-opus-4.6", MILLION),
        ("OPUS", "claude-opus-4.6", MILLION),
        ("claude-haiku-4-5-20251001", "claude-haiku-4.5", 200_000),
        ("claude-3-5-haiku-20241022", "claude-haiku-4.5", 200_000),
        ("HAIKU", "claude-haiku-4.5", 200_000),
        # Newer ones go by Kiro's dotted id (PRODUCT §3.1).
        ("claude-sonnet-4-6", "claude-sonnet-4.6", MILLION),
        ("claude-4-6-sonnet", "claude-sonnet-4.6", MILLION),
        ("claude-sonnet-4-8", "claude-sonnet-4.8", MILLION),
        ("claude-sonnet-5", "claude-sonnet-5", MILLION),
        ("claude-sonnet-5.5", "claude-sonnet-5.5", MILLION),
        ("claude-opus-4-8", "claude-opus-4.8", MILLION),
        ("claude-opus-5-5", "claude-opus-5.5", MILLION),
        ("claude-opus-5-0", "claude-opus-5", MILLION),
        ("claude-opus-6-10", "claude-opus-6.10", MILLION),
        ("opus-5", "claude-opus-5", MILLION),
        ("claude-haiku-5-5", "claude-haiku-5.5", 200_000),
        ("claude-fable-5", "claude-fable-5", MILLION),
        ("claude-fable-5-1", "claude-fable-5.1", MILLION),
        ("claude-instant-1", "claude-instant-1", 200_000),
        # Kiro's own ids pass through.
        ("auto", "auto", MILLION),
        ("claude-auto", "auto", MILLION),
        ("gpt-5.6-sol", "gpt-5.6-sol", 272_000),
        ("claude-gpt-5.6-sol", "gpt-5.6-sol", 272_000),
        ("gpt-9", "gpt-9", 200_000),
        ("deepseek-3.2", "deepseek-3.2", 128_000),
        ("qwen3-coder-next", "qwen3-coder-next", 256_000),
        ("CLAUDE_SONNET_4_20250514_V1_0", SONNET_4, 200_000),
        ("claude_opus_4_5_20251101_v1_0", "CLAUDE_OPUS_4_5_20251101_V1_0", 200_000),
        # Prefixes other gateways put in front.
        ("kiro/claude-sonnet-4.6", "claude-sonnet-4.6", MILLION),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_4_5, 200_000),
        ("anthropic/claude-fable-5", "claude-fable-5", MILLION),
        ("claude-sonnet-4@20250514", SONNET_4, 200_000),
    ],
)
def test_names(name: str, upstream_id: str, window: int) -> None:
    resolved = resolve(name)
    assert (resolved.upstream_id, resolved.window) == (upstream_id, window)
    assert not resolved.thinking_suffix
    assert not resolved.agentic


@pytest.mark.parametrize(
    "name",
    [
        *("foo", "claude", "claude-2.1", "llama-3", "-thinking", "claude-fable", " ", "sonnet" + "-latest" * 100_000),
        *("gpt-5\nINFO nothing happened", "gpt-5 and words", "auto\x1b[31m"),
    ],
)
def test_names_that_cannot_be_meant(name: str) -> None:
    with pytest.raises(NotFound, match=r"GET /v1/models"):
        resolve(name)


@pytest.mark.parametrize(
    ("name", "thinking", "agentic", "window"),
    [
        ("claude-sonnet-4-5-20250929-thinking", True, False, 200_000),
        ("claude-sonnet-4-5-thinking-agentic", True, True, 200_000),
        ("claude-sonnet-4-5-agentic-thinking", True, True, 200_000),
        ("claude-sonnet-4-5-THINKING", True, False, 200_000),
        ("claude-sonnet-4-5[1m]", False, False, MILLION),
        ("claude-sonnet-4-5[1M]", False, False, MILLION),
        ("claude-sonnet-4-5-1m-thinking", True, False, MILLION),
        ("claude-sonnet-4-5-thinking[1m]", True, False, MILLION),
        ("claude-sonnet-4-5-20250929-agentic-1m-thinking-latest", True, True, MILLION),
        ("claude-sonnet-4-5-thinking-thinking", True, False, 200_000),
        ("claude-sonnet-4-5-thinking-20250929", True, False, 200_000),
        ("claude-thinking-sonnet-4-5", False, False, 200_000),
    ],
)
def test_endings_in_any_order(name: str, thinking: bool, agentic: bool, window: int) -> None:
    assert resolve(name) == ResolvedModel(name, SONNET_4_5, window, thinking, agentic)


def test_the_thinking_suffix_is_the_users() -> None:
    assert resolve("claude-sonnet-4-5:Think", suffix=":think").thinking_suffix
    assert not resolve("claude-sonnet-4-5-thinking", suffix=":think").thinking_suffix
    assert not resolve("claude-sonnet-4-5-thinking", suffix="").thinking_suffix


def test_who_takes_effort_levels() -> None:
    takers = ["claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-5-5", "claude-haiku-5-5", "claude-opus-7"]
    assert all(resolve(name).adaptive_capable for name in takers)
    others = ["claude-sonnet-4-5", "claude-opus-4-5", "haiku", "gpt-5.6-sol", "auto"]
    assert not any(resolve(name).adaptive_capable for name in others)


def test_aliases_win() -> None:
    catalog = ModelCatalog(
        aliases={
            "Fast": "claude-haiku-4-5-thinking",
            "claude-sonnet-4-5": "deepseek-3.2",
            "a": "b-agentic",
            "b": "claude-opus-5-5",
            "self": "self",
            "deep-thinking": "claude-opus-4-5",
        }
    )
    assert resolve("fast", catalog) == ResolvedModel("fast", "claude-haiku-4.5", 200_000, True)
    assert resolve("fast[1m]", catalog).window == MILLION
    assert resolve("claude-sonnet-4-5-20250929", catalog).upstream_id == "deepseek-3.2"
    assert resolve("a-thinking", catalog) == ResolvedModel("a-thinking", "claude-opus-5.5", MILLION, True, True, True)
    assert not resolve("deep-thinking", catalog).thinking_suffix
    with pytest.raises(NotFound):
        resolve("self", catalog)


def test_an_alias_may_point_at_the_name_it_shadows() -> None:
    catalog = ModelCatalog(aliases={"opus": "opus-agentic"})
    assert resolve("opus", catalog) == ResolvedModel("opus", "claude-opus-4.6", MILLION, False, True, True)


def test_windows_of_the_user() -> None:
    catalog = ModelCatalog(
        aliases={"fast": "haiku"}, windows={"claude-opus-4.5": 500_000, "fast": 100_000, "CLAUDE-SONNET-5": 7}
    )
    assert resolve("claude-opus-4-5[1m]", catalog).window == 500_000
    assert resolve("fast", catalog).window == 100_000
    assert resolve("claude-sonnet-5", catalog).window == 7
    assert resolve("haiku", catalog).window == 200_000


def test_extra_ids_pass_through_as_they_are() -> None:
    catalog = ModelCatalog(extra=["Claude-Sonnet-4.5-1m", "nightly"])
    assert resolve("claude-sonnet-4.5-1m", catalog) == ResolvedModel("claude-sonnet-4.5-1m", "Claude-Sonnet-4.5-1m")
    assert resolve("nightly-thinking", catalog).thinking_suffix
    assert catalog.find("nightly") == Model("nightly", "nightly", "nightly", catalog.find("nightly").created)


def test_the_list_holds_what_ref_lists_and_the_newer_ones() -> None:
    listed = {model.id: model for model in CATALOG.list()}
    assert len(listed) == len(CATALOG.list())
    ref = [
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-5-20251101",
        "claude-opus-4-6",
        "claude-opus-4-6-1m",
        "claude-haiku-4-5-20251001",
        "claude-sonnet-4-6",
        "claude-opus-5-5",
    ]
    for name in ref:
        assert {name, f"{name}-thinking", f"{name}-agentic"} <= listed.keys()
    assert (listed["claude-opus-4-6-1m-thinking"].display_name, listed["claude-opus-4-6-1m"].window) == (
        "Claude Opus 4.6 (1M Context, Thinking)",
        MILLION,
    )
    assert listed["claude-sonnet-4-5-20250929"].created_at == "2025-09-29T00:00:00Z"
    assert listed["claude-sonnet-4-6"].created == 1771286400
    assert listed["claude-opus-4-6"].max_output == 128_000


def test_every_listed_id_resolves_to_what_is_listed() -> None:
    for model in CATALOG.list():
        resolved = resolve(model.id)
        assert (resolved.upstream_id, resolved.window) == (model.upstream_id, model.window)
        assert resolved.thinking_suffix == ("Thinking" in model.display_name)
        assert resolved.agentic == ("Agentic" in model.display_name)
        assert model.id.startswith("claude-")
        assert CATALOG.find(model.id) == model


def test_million_models_are_listed_for_claude_code_too() -> None:
    marked = {model.id.removesuffix("[1m]") for model in CATALOG.list() if model.id.endswith("[1m]")}
    assert marked == {model.id for model in MODELS if model.window == MILLION}


def test_the_list_follows_the_suffix() -> None:
    ids = {model.id for model in CATALOG.list(thinking_suffix=":t")}
    assert "claude-opus-4-6-1m:t" in ids
    assert not any("-thinking" in model_id for model_id in ids)
    assert not any("thinking" in model.display_name.lower() for model in CATALOG.list(thinking_suffix=""))


def test_aliases_and_extra_ids_are_listed() -> None:
    catalog = ModelCatalog(aliases={"claude-fast": "haiku"}, windows={"claude-haiku-4.5": 5}, extra=["new"])
    listed = {model.id: model for model in catalog.list()}
    assert (listed["claude-fast"].upstream_id, listed["claude-fast"].window) == ("claude-haiku-4.5", 5)
    assert listed["new"].upstream_id == "new"
    assert listed["claude-haiku-4-5-20251001"].window == 5


def test_one_entry() -> None:
    assert CATALOG.find("claude-sonnet-4-5").display_name == "claude-sonnet-4-5"
    assert CATALOG.find("claude-sonnet-4-5").upstream_id == SONNET_4_5
    with pytest.raises(NotFound):
        CATALOG.find("model_id")


NATIVE = NativeThinking("output_config", ("low", "high"), "high")


def test_discovered_models_join_and_correct_the_table() -> None:
    catalog = CATALOG.with_discovered(
        [
            DiscoveredModel("claude-opus-4.5", "Claude Opus 4.5 (new)", 400_000, 32_000, 2.2, NATIVE),
            DiscoveredModel("glm-5", "GLM 5", 190_000),
            DiscoveredModel("claude-opus-6.1"),
            DiscoveredModel("claude-Sonnet-4.5-1m", "Sonnet, long", MILLION),
            DiscoveredModel("nightly"),
        ]
    )
    opus = catalog.find("claude-opus-4-5-20251101")
    assert (opus.display_name, opus.window, opus.created) == ("Claude Opus 4.5 (new)", 400_000, 1763942400)
    assert (opus.max_output, opus.rate, opus.native) == (32_000, 2.2, NATIVE)
    resolved = resolve("claude-opus-4-5-thinking", catalog)
    assert (resolved.window, resolved.native, resolved.adaptive_capable) == (400_000, NATIVE, True)
    listed = {model.id: model for model in catalog.list()}
    assert listed["claude-glm-5-thinking"].upstream_id == listed["claude-glm-5"].upstream_id == "glm-5"
    assert listed["claude-opus-6-1[1m]"].window == MILLION
    assert listed["claude-opus-6-1"].adaptive
    assert listed["claude-nightly"].window == 200_000
    for model in catalog.list():
        assert resolve(model.id, catalog).upstream_id == model.upstream_id
    for name, upstream_id in [
        ("glm-5", "glm-5"),
        ("nightly", "nightly"),
        ("claude-sonnet-4-5-1m", "claude-Sonnet-4.5-1m"),
        ("claude-sonnet-4-5", SONNET_4_5),
    ]:
        assert resolve(name, catalog).upstream_id == upstream_id
    assert "claude-glm-5" not in {model.id for model in CATALOG.list()}


def test_discovered_models_keep_the_ids_of_the_table() -> None:
    """The service lists new ids only; the mapping of REF's README stays what it is (PRODUCT §3.1)."""
    catalog = CATALOG.with_discovered(
        [DiscoveredModel("claude-sonnet-4.5", window=454_000), DiscoveredModel("claude-sonnet-4", "Sonnet 4")]
    )
    for name in ("claude-sonnet-4-5", "claude-sonnet-4.5", "claude-sonnet-4-5-20250929", "sonnet"):
        assert (resolve(name, catalog).upstream_id, resolve(name, catalog).window) == (SONNET_4_5, 454_000)
    entry = catalog.find("claude-sonnet-4")
    assert (entry.upstream_id, entry.display_name) == (SONNET_4, "Sonnet 4")
    assert next(model.id for model in catalog.list() if model.upstream_id == SONNET_4) == "claude-sonnet-4"


def test_aliases_of_discovered_models_think_natively() -> None:
    catalog = ModelCatalog(aliases={"deep": "claude-opus-4-8"}).with_discovered(
        [DiscoveredModel("claude-opus-4.8", native=NATIVE)]
    )
    assert resolve("deep", catalog).native == NATIVE


def test_a_model_that_thinks_unseen_is_asked_by_the_prompt() -> None:
    catalog = CATALOG.with_discovered([DiscoveredModel("claude-opus-4.6", native=NATIVE)])
    assert resolve("claude-opus-4-6", catalog).native is None
    assert resolve("claude-opus-4-6", catalog).adaptive_capable


def test_what_no_account_has_is_not_listed() -> None:
    found = [DiscoveredModel("claude-sonnet-4.5"), DiscoveredModel("auto")]
    settings = {"aliases": {"fast": "haiku"}, "extra": ["new-id"]}
    catalog = catalog_from_settings(settings).with_discovered(found, complete=True)
    ids = {model.id for model in catalog.list()}
    assert {"claude-sonnet-4-5-20250929", "claude-auto", "fast", "new-id"} <= ids
    assert "claude-opus-4-8" not in ids
    assert catalog.find("claude-opus-4-8").upstream_id == "claude-opus-4.8"
    assert "claude-opus-4-8" in {model.id for model in CATALOG.with_discovered(found).list()}


def test_settings() -> None:
    assert resolve("haiku", catalog_from_settings({})).upstream_id == "claude-haiku-4.5"
    catalog = catalog_from_settings({"aliases": {"x": "haiku"}, "windows": {"x": 9}, "extra": ["y"]})
    assert resolve("x", catalog).window == 9
    assert resolve("y", catalog).upstream_id == "y"


def test_settings_name_all_their_problems() -> None:
    settings = {"alias": {}, "aliases": {"x": 5}, "windows": {"x": True}, "extra": "y"}
    with pytest.raises(ConfigError) as caught:
        catalog_from_settings(settings)
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "models.alias",
        "models.aliases",
        "models.windows",
        "models.extra",
    ]
    with pytest.raises(ConfigError):
        catalog_from_settings({"aliases": ["x"], "windows": {"x": 0}})


@pytest.mark.parametrize("window", [0, -5, True, 1e6, "1000", 10**300])
def test_a_window_is_a_number_of_tokens(window: object) -> None:
    with pytest.raises(ConfigError, match="table of tokens"):
        catalog_from_settings({"windows": {"x": window}})


@pytest.mark.parametrize(
    ("name", "upstream_id", "public_id"),
    [
        ("claude-sonnet-4-5-thinking[1m]", SONNET_4_5, "claude-sonnet-4-5-20250929"),
        ("claude-opus-5.5", "claude-opus-5.5", "claude-opus-5-5"),
        ("claude-sonnet-4-20250514", SONNET_4, "claude-sonnet-4-20250514"),
        ("llama-3", "llama-3", "llama-3"),
    ],
)
def test_other_names_of_a_model(name: str, upstream_id: str, public_id: str) -> None:
    assert CATALOG.upstream_id_of(name) == upstream_id
    assert CATALOG.public_id(name) == public_id


def test_aliases_have_to_lead_somewhere() -> None:
    with pytest.raises(ConfigError) as caught:
        catalog_from_settings(
            {"aliases": {"x": "foo", "a": "b", "b": "a", "fine": "new", "y": "opus"}, "extra": ["new"]}
        )
    assert [problem.split()[1] for problem in caught.value.problems] == ["x", "a", "b"]
