"""Kiro's answers to a search, the blocks made of them, and the way back."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from anthropic.types import WebSearchToolResultBlock
from anthropic.types.web_search_tool_result_error_code import WebSearchToolResultErrorCode

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.search_results import (
    SearchErrorCode,
    SearchHit,
    SearchOutcome,
    failure_text,
    filtered,
    parse_result_content,
    parse_search_answer,
    result_block,
    summary_text,
    text_for_model,
)
from kiro_rs_py.convert.websearch import DomainFilter

NEW_YEAR = 1_767_225_600_000  # 2026-01-01T00:00:00Z
TRIO = SearchHit("Trio", "https://trio.example/", "Async for humans.", "January 1, 2026")
BARE = SearchHit("Bare", "https://bare.example/")
BOTH = SearchOutcome((TRIO, BARE))
CODES: tuple[SearchErrorCode, ...] = get_args(SearchErrorCode)


def found(*results: Json, **fields: Json) -> JsonObject:
    text: JsonObject = {"results": list(results), "totalResults": len(results), "query": "q", "error": None, **fields}
    return said(json.dumps(text))


def said(text: str) -> JsonObject:
    return {"id": "1", "jsonrpc": "2.0", "result": {"content": [{"type": "text", "text": text}], "isError": False}}


def refused(code: Json, message: Json) -> JsonObject:
    return {"id": "1", "jsonrpc": "2.0", "result": None, "error": {"code": code, "message": message}}


def result(**fields: Json) -> JsonObject:
    return {"title": "T", "url": "https://x.example", **fields}


# --- Kiro's answer ------------------------------------------------------------------------------------------------


def test_results() -> None:
    full: JsonObject = {
        "title": "Trio",
        "url": "https://trio.example/",
        "snippet": "Async for humans.",
        "publishedDate": NEW_YEAR,
        "id": "1",
        "domain": "trio.example",
        "maxVerbatimWordLimit": 30,
    }
    bare: JsonObject = {"title": "Bare", "url": "https://bare.example/", "snippet": None, "publishedDate": None}
    assert parse_search_answer(found(full, bare)) == BOTH
    assert parse_search_answer(found()) == SearchOutcome()


@pytest.mark.parametrize(
    "published, age",
    [
        (NEW_YEAR, "January 1, 2026"),
        (NEW_YEAR - 1, "December 31, 2025"),
        (1_768_435_200_000, "January 15, 2026"),
        (0, "January 1, 1970"),
        (-86_400_000, "December 31, 1969"),
        (1_709_208_000_000.5, "February 29, 2024"),
        (10**30, None),
        (float("nan"), None),
        (True, None),
        ("2026-01-01", None),
        (None, None),
    ],
)
def test_dates(published: Json, age: str | None) -> None:
    (hit,) = parse_search_answer(found(result(publishedDate=published))).hits
    assert hit.page_age == age


def test_one_bad_result_does_not_void_the_others() -> None:
    answer = found("x", {"title": "no URL"}, {"url": "https://no.title"}, result(title=5), result(snippet=5), None)
    assert parse_search_answer(answer).hits == (SearchHit("T", "https://x.example"),)


def test_half_characters_are_replaced() -> None:
    (hit,) = parse_search_answer(found(result(title="a\ud83d"))).hits
    assert hit.title == "a\ufffd"


@pytest.mark.parametrize(
    "answer, code",
    [
        # Nothing found comes as an error (R9).
        (refused(-32602, "Tool returned no results"), None),
        (refused(-1, "NO RESULTS"), None),
        (said("No results were found."), None),
        (refused(-32602, "query is required"), "invalid_tool_input"),
        (refused(-32602, "query length must be at most 200"), "query_too_long"),
        (refused(-32603, "The query is too long"), "query_too_long"),
        (refused(-32000, "Too many requests"), "too_many_requests"),
        (refused(-32000, "Throttled"), "too_many_requests"),
        (refused(-32000, "Rate exceeded"), "too_many_requests"),
        (refused(-32000, "Rate limit reached"), "too_many_requests"),
        (refused(-32603, "Internal error"), "unavailable"),
        (refused(-32603, "length"), "unavailable"),
        (refused(None, None), "unavailable"),
        ({"error": "broken"}, "unavailable"),
        ({"error": {}}, "unavailable"),
        ({}, "unavailable"),
        ({"result": None}, "unavailable"),
        ({"result": {}}, "unavailable"),
        ({"result": {"content": "x"}}, "unavailable"),
        ({"result": {"content": []}}, "unavailable"),
        ({"result": {"content": [5, {"type": "image"}]}}, "unavailable"),
        (said("not JSON"), "unavailable"),
        (said("[" * 100_000), "unavailable"),
        (said("[]"), "unavailable"),
        (said("{}"), "unavailable"),
        (said('{"results": {}}'), "unavailable"),
        (found(error="backend"), "unavailable"),
    ],
)
def test_answers_without_results(answer: JsonObject, code: SearchErrorCode | None) -> None:
    assert parse_search_answer(answer) == SearchOutcome(error=code)


def test_results_count_more_than_an_error_beside_them() -> None:
    assert parse_search_answer(found(result(), error="partial")).hits


def test_domains() -> None:
    assert filtered(BOTH, DomainFilter(allowed=("trio.example",))) == SearchOutcome((TRIO,))
    assert filtered(BOTH, DomainFilter(blocked=("trio.example",))) == SearchOutcome((BARE,))
    assert filtered(SearchOutcome(error="unavailable"), DomainFilter(("a",))) == SearchOutcome(error="unavailable")


# --- blocks -------------------------------------------------------------------------------------------------------


def test_the_codes_are_anthropics() -> None:
    assert set(CODES) <= set(get_args(WebSearchToolResultErrorCode))


@pytest.mark.parametrize("outcome", [BOTH, SearchOutcome(), *(SearchOutcome(error=code) for code in CODES)])
def test_the_block_is_one_of_the_sdks_and_says_the_same_when_it_comes_back(outcome: SearchOutcome) -> None:
    block = result_block("srvtoolu_1", outcome)
    assert WebSearchToolResultBlock.model_validate(block).model_dump(exclude_unset=True) == block
    assert parse_result_content(block["content"]) == outcome


def test_results_of_anthropics_own_search() -> None:
    sealed = "EqgfCioIARgBIiQ3YTAwMjY1Mi1mZjM5LTQ1NGUtODgxNC1kNjNjNTk1ZWI3Y" * 3 + "=="
    item: JsonObject = {"type": "web_search_result", "title": "T", "url": "u", "encrypted_content": sealed}
    assert parse_result_content([item]).hits == (SearchHit("T", "u"),)


@pytest.mark.parametrize(
    "content, outcome",
    [
        (None, SearchOutcome()),
        ("x", SearchOutcome()),
        ([5, {}, {"title": "T"}, {"url": "u"}], SearchOutcome()),
        ([{"title": "T", "url": "u", "encrypted_content": 1, "page_age": 2}], SearchOutcome((SearchHit("T", "u"),))),
        ({}, SearchOutcome(error="unavailable")),
        ({"error_code": ["x"]}, SearchOutcome(error="unavailable")),
        ({"error_code": "of the future"}, SearchOutcome(error="unavailable")),
    ],
)
def test_whatever_a_client_sends_back_can_be_read(content: Json, outcome: SearchOutcome) -> None:
    assert parse_result_content(content) == outcome


# --- texts --------------------------------------------------------------------------------------------------------


def test_what_the_model_reads() -> None:
    assert text_for_model(BOTH) == (
        "1. Trio\nURL: https://trio.example/\nPublished: January 1, 2026\nAsync for humans.\n\n"
        "2. Bare\nURL: https://bare.example/"
    )
    assert text_for_model(SearchOutcome()) == "No results found."
    assert text_for_model(SearchOutcome(error="query_too_long")) == (
        "The web search failed (query_too_long): the query is too long."
    )


def test_the_summary() -> None:
    assert summary_text('a "q"', BOTH) == (
        'Here are the search results for "a "q"":\n\n'
        "1. **Trio**\n   Async for humans.\n   Source: https://trio.example/\n\n"
        "2. **Bare**\n   Source: https://bare.example/\n\n"
        "\nPlease note that these are web search results and may not be fully accurate or up-to-date."
    )


def test_the_summary_shortens() -> None:
    long, fits = SearchHit("L", "u", "ä" * 201), SearchHit("F", "u", "ä" * 200)
    text = summary_text("q", SearchOutcome((long, fits)))
    assert f"   {'ä' * 200}...\n" in text
    assert f"   {'ä' * 200}\n" in text


def test_the_summary_of_nothing() -> None:
    assert "No results found.\n" in summary_text("q", SearchOutcome())


@pytest.mark.parametrize("code", CODES)
def test_failures_are_told(code: SearchErrorCode) -> None:
    assert code in failure_text(code)
    assert summary_text("q", SearchOutcome(error=code)) == text_for_model(SearchOutcome(error=code))
