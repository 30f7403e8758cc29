from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.extra_fields import check_extra_fields, conforms
from kiro_rs_py.simulator.models import Catalogue
from kiro_rs_py.simulator.refusal import Refusal
from tests.simulator.talk import refusal_of

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
