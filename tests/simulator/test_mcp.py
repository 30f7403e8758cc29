from __future__ import annotations

import json
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.mcp import answer_rpc, query_of
from tests.simulator.talk import verdict


def call(method: str = "tools/call", params: Json = None) -> JsonObject:
    body: JsonObject = {"jsonrpc": "2.0", "id": "web_search_tooluse_x", "method": method}
    return body if params is None else {**body, "params": params}


def search(query: str) -> JsonObject:
    return call(params={"name": "web_search", "arguments": {"query": query}})


def answer(body: JsonObject, results: list[JsonObject] | None = None) -> Any:
    return answer_rpc(body, results)


def test_a_search_finds_json_in_text() -> None:
    found = answer(search("trio"))
    assert (found["id"], found["error"]) == ("web_search_tooluse_x", None)
    text = json.loads(found["result"]["content"][0]["text"])
    assert text["query"] == "trio"
    assert [entry["title"] for entry in text["results"]] == [f"Result {number} for trio" for number in (1, 2, 3)]
    assert text["results"][0]["publishedDate"] == 1_768_435_200_000
    assert "snippet" not in text["results"][2]


def test_other_results_can_be_ordered() -> None:
    found = answer(search("trio"), [{"title": "t", "url": "u"}])
    assert json.loads(found["result"]["content"][0]["text"])["results"] == [{"title": "t", "url": "u"}]


@pytest.mark.parametrize(
    "body, results", [(search("give me No Results"), None), (search("trio"), [])], ids=["by query", "by order"]
)
def test_nothing_found_is_an_error(body: JsonObject, results: list[JsonObject] | None) -> None:
    error = answer(body, results)["error"]
    assert error == {"code": -32602, "message": "Tool returned no results"}


@pytest.mark.parametrize(
    "body, code",
    [
        (call(params={"name": "web_fetch"}), -32602),
        (call(params={"name": "web_search", "arguments": {}}), -32602),
        (call(), -32602),
        (call("resources/list"), -32601),
    ],
)
def test_other_errors(body: JsonObject, code: int) -> None:
    assert answer(body)["error"]["code"] == code


def test_the_rest_of_the_protocol() -> None:
    assert "tools" in answer(call("initialize"))["result"]["capabilities"]
    assert answer(call("notifications/initialized"))["result"] == {}
    assert [tool["name"] for tool in answer(call("tools/list"))["result"]["tools"]] == ["web_search"]


@pytest.mark.parametrize("body", [None, [], {}, {"jsonrpc": "1.0", "method": "x"}, {"jsonrpc": "2.0"}])
def test_what_is_no_call(body: Json) -> None:
    assert verdict(lambda: answer_rpc(body, None)) == "Improperly formed request."


def test_the_query_is_read_leniently() -> None:
    assert query_of(search("a")) == "a"
    assert query_of(None) == query_of({"params": {"arguments": {"query": 5}}}) == ""
