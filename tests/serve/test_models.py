from __future__ import annotations

from typing import Any

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.errors import InvalidRequest
from kiro_rs_py.serve.app import App
from kiro_rs_py.serve.models import Models, page
from tests.serve.in_memory import KEY, ask

CONFIG = Config(api_key=KEY)


def app() -> App:
    return App(Models(CONFIG, ModelCatalog(aliases={"fast": "claude-haiku-4-5"}), Calibrations()).routes(), CONFIG)


def ids(document: Any) -> list[str]:
    return [entry["id"] for entry in document["data"]]


@pytest.mark.parametrize("base", ["/v1/models", "/cc/v1/models"])
async def test_the_list_has_the_members_of_both_worlds(base: str) -> None:
    document = (await ask(app(), "GET", base + "?beta=true")).json
    assert document["object"] == "list"
    assert document["has_more"] is False
    assert (document["first_id"], document["last_id"]) == (ids(document)[0], ids(document)[-1])
    assert {"claude-sonnet-4-5-20250929", "claude-opus-4-6", "fast"} <= set(ids(document))
    [entry] = [entry for entry in document["data"] if entry["id"] == "claude-opus-4-6"]
    assert entry["type"] == "model"
    assert entry["display_name"] == "Claude Opus 4.6"
    assert entry["created_at"].endswith("Z")
    assert entry["lifecycle"] == "active"
    assert entry["context_length"] == entry["max_input_tokens"] == 1_000_000
    assert entry["owned_by"] == "anthropic"


async def test_one_model_by_any_name_that_means_one() -> None:
    for name in ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "claude-sonnet-4-5-thinking"):
        entry = (await ask(app(), "GET", f"/v1/models/{name}")).json
        assert (entry["id"], entry["type"]) == (name, "model")


async def test_an_unknown_model_is_a_404() -> None:
    answer = await ask(app(), "GET", "/v1/models/llama-3")
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")


async def test_the_list_needs_the_key() -> None:
    assert (await ask(app(), "GET", "/v1/models", key=None)).status == 401


async def test_the_table_can_change_while_running() -> None:
    models = Models(CONFIG, ModelCatalog(), Calibrations())
    models.configure(CONFIG, ModelCatalog(extra=["glm-7"]))
    assert "glm-7" in ids((await ask(App(models.routes(), CONFIG), "GET", "/v1/models")).json)


async def test_what_was_learnt_of_counting_tokens() -> None:
    calibrations = Calibrations()
    models = Models(CONFIG, ModelCatalog(), calibrations)
    path = "/v1/models/claude-opus-5-thinking"
    assert "token_estimate" not in (await ask(App(models.routes(), CONFIG), "GET", path)).json
    for _ in range(3):
        calibrations.learn("claude-opus-5", 10_000, 20_000)
    entry = (await ask(App(models.routes(), CONFIG), "GET", path)).json
    learnt = calibrations.of("claude-opus-5")
    assert entry["token_estimate"] == {"ratio": round(learnt.ratio, 4), "overhead": learnt.overhead, "samples": 3}


async def test_what_the_service_told_of_a_model() -> None:
    catalog = ModelCatalog().with_discovered([DiscoveredModel("glm-7", "GLM 7", 300_000, rate=0.5)])
    models = Models(CONFIG, catalog, Calibrations())
    entry = (await ask(App(models.routes(), CONFIG), "GET", "/v1/models/glm-7")).json
    assert (entry["upstream_id"], entry["rate_multiplier"], entry["max_input_tokens"]) == ("glm-7", 0.5, 300_000)


ENTRIES: list[JsonObject] = [{"id": letter} for letter in "abcdefg"]


@pytest.mark.parametrize(
    ("query", "expected", "has_more"),
    [
        ({}, "abcdefg", False),
        ({"limit": "1000"}, "abcdefg", False),
        ({"limit": "3"}, "abc", True),
        ({"limit": "3", "after_id": "c"}, "def", True),
        ({"limit": "3", "after_id": "f"}, "g", False),
        ({"limit": "3", "before_id": "e"}, "bcd", True),
        ({"limit": "3", "before_id": "c"}, "ab", False),
        ({"after_id": "g"}, "", False),
        ({"before_id": "a"}, "", False),
    ],
)
def test_pages(query: dict[str, str], expected: str, has_more: bool) -> None:
    document = page(ENTRIES, query)
    assert ids(document) == list(expected)
    assert document["has_more"] is has_more
    edges: tuple[Json, Json] = (expected[0], expected[-1]) if expected else (None, None)
    assert (document["first_id"], document["last_id"]) == edges


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"limit": "00000005" + "0" * 5000}, "limit"),
        ({"after_id": "z"}, "after_id"),
        ({"before_id": "z"}, "before_id"),
    ],
)
def test_bad_pages_name_the_parameter(query: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: "):
        page(ENTRIES, query)
