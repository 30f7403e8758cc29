from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.models import DEFAULT_MODELS, Catalogue, SimulatedModel, check_extra_fields, conforms
from kiro_rs_py.simulator.refusal import Refusal
from tests.simulator.talk import as_object, refusal_of, verdict


def test_models_are_found_by_id_and_by_their_old_ids() -> None:
    catalogue = Catalogue()
    found = catalogue.find("CLAUDE_SONNET_4_5_20250929_V1_0", paid_plan=True)
    assert found is not None
    assert found is catalogue.find("claude-sonnet-4.5", paid_plan=False)
    assert catalogue.find("claude-nothing-9", paid_plan=True) is None


def test_free_plans_have_no_opus() -> None:
    catalogue = Catalogue()
    assert catalogue.find("claude-opus-4.6", paid_plan=True) is not None
    assert catalogue.find("claude-opus-4.6", paid_plan=False) is None
    listed = catalogue.page(paid_plan=False, limit=None, token=None)["models"]
    assert isinstance(listed, list)
    assert not [entry for entry in listed if "opus" in str(as_object(entry)["modelId"])]


def test_pages_follow_each_other() -> None:
    catalogue = Catalogue()
    catalogue.page_size = 10
    ids: list[str] = []
    token: str | None = None
    pages = 0
    while pages == 0 or token is not None:
        page = catalogue.page(paid_plan=True, limit=None, token=token)
        models = page["models"]
        assert isinstance(models, list)
        ids += [str(as_object(model)["modelId"]) for model in models]
        token = page["nextToken"] if isinstance(page["nextToken"], str) else None
        pages += 1
    assert pages > 1
    assert ids == [model.id for model in DEFAULT_MODELS]
    limited = catalogue.page(paid_plan=True, limit=2, token=None)["models"]
    assert isinstance(limited, list)
    assert len(limited) == 2


def test_a_made_up_page_token_is_refused() -> None:
    refused = verdict(lambda: Catalogue().page(paid_plan=True, limit=None, token="x"))
    assert refused == "Improperly formed request."


@pytest.mark.parametrize(
    "model_id, keys",
    [
        ("claude-opus-4.8", {"thinking", "output_config", "max_tokens"}),
        ("gpt-5.6-sol", {"reasoning"}),
    ],
)
def test_schemas_of_extra_fields(model_id: str, keys: set[str]) -> None:
    model = Catalogue().find(model_id, paid_plan=True)
    assert model is not None
    schema = as_object(model.to_json()["additionalModelRequestFieldsSchema"])
    assert set(as_object(schema["properties"])) == keys
    assert schema["additionalProperties"] is False


def test_the_old_generation_has_no_schema() -> None:
    entry = SimulatedModel("claude-haiku-4.5", "Claude Haiku 4.5").to_json()
    assert "additionalModelRequestFieldsSchema" not in entry
    assert entry["tokenLimits"] == {"maxInputTokens": 200_000, "maxOutputTokens": 64_000}
    assert SimulatedModel("glm-5", "GLM 5", images=False).to_json()["supportedInputTypes"] == ["TEXT"]


def test_the_newest_models_always_think() -> None:
    newest = next(model for model in DEFAULT_MODELS if model.id == "claude-opus-5.5")
    schema = newest.fields_schema()
    assert schema is not None
    thinking = as_object(as_object(schema["properties"])["thinking"])
    assert as_object(as_object(thinking["properties"])["type"])["enum"] == ["adaptive"]


OPUS, OPUS_5_5, GPT, HAIKU = "claude-opus-4.8", "claude-opus-5.5", "gpt-5.6-sol", "claude-haiku-4.5"


def refused(fields: Json, model_id: str) -> Refusal | None:
    model = Catalogue().find(model_id, paid_plan=True)
    assert model is not None
    return refusal_of(lambda: check_extra_fields(fields, model))


@pytest.mark.parametrize(
    "model_id, fields",
    [
        (OPUS, {"thinking": {"type": "adaptive", "display": "omitted"}, "max_tokens": 1024}),
        (OPUS, {"thinking": {"type": "disabled"}}),
        (OPUS, {"output_config": {"effort": "xhigh"}}),
        (OPUS, {}),
        (GPT, {"reasoning": {"effort": "none"}}),
        (HAIKU, None),
    ],
)
def test_legal_fields(model_id: str, fields: Json) -> None:
    assert refused(fields, model_id) is None


@pytest.mark.parametrize(
    "model_id, fields",
    [
        (OPUS, {"thinking": {"type": "enabled"}}),
        (OPUS, {"thinking": "adaptive"}),
        (OPUS, {"temperature": 1}),
        (OPUS, {"max_tokens": 1000}),
        (OPUS, {"max_tokens": True}),
        (OPUS, {"max_tokens": "2000"}),
        (OPUS, {"output_config": {"effort": "huge"}}),
        (OPUS, []),
        (OPUS_5_5, {"thinking": {"type": "disabled"}}),
        (GPT, {"output_config": {"effort": "high"}}),
    ],
)
def test_fields_outside_the_schema(model_id: str, fields: Json) -> None:
    found = refused(fields, model_id)
    assert found is not None
    assert (found.reason, found.message) == ("REQUEST_BODY_INVALID", "Invalid additionalModelRequestFields")


def test_models_without_a_schema_take_none() -> None:
    found = refused({"output_config": {"effort": "high"}}, HAIKU)
    assert found is not None
    assert found.message == "additionalModelRequestFields is not supported for this model"


def test_a_broken_schema_fits_nothing() -> None:
    assert not conforms(5, {"type": "integer", "minimum": None, "maximum": None})
    assert not conforms({}, {"type": "object", "properties": None})
