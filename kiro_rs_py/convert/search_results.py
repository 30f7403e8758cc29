"""What a web search found: Kiro's answer → the blocks of the Messages API and texts for models and people, and the
blocks that clients send back → the same texts again (request-conversion §7.4, §7.5, N11, R9; upstream-protocol §7.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from kiro_rs_py.convert.anthropic import Json, JsonObject, json_object, list_in, object_in, string_in
from kiro_rs_py.convert.surrogates import well_formed_json
from kiro_rs_py.convert.websearch import DomainFilter

SearchErrorCode: TypeAlias = Literal[
    "invalid_tool_input", "unavailable", "max_uses_exceeded", "too_many_requests", "query_too_long"
]
"""Why there are no results, in Anthropic's words."""

_INVALID_PARAMS: Final = -32602
_NOTHING_FOUND: Final = "no results"
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SNIPPET_CHARACTERS: Final = 200

_SEALED: Final = re.compile(r"[A-Za-z0-9+/=_-]{64,}")

_DISCLAIMER: Final = "Please note that these are web search results and may not be fully accurate or up-to-date."
_REASONS: Final[dict[SearchErrorCode, str]] = {
    "invalid_tool_input": "the query is not valid",
    "unavailable": "the search is not available at the moment",
    "max_uses_exceeded": "the limit of searches for this request is reached",
    "too_many_requests": "there were too many searches in a short time",
    "query_too_long": "the query is too long",
}


@dataclass(frozen=True, slots=True)
class SearchHit:
    """``page_age`` is a date such as ``January 1, 2026``."""

    title: str
    url: str
    snippet: str = ""
    page_age: str | None = None


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What came of one search: ``hits``, perhaps none, or the ``error`` in their place."""

    hits: tuple[SearchHit, ...] = ()
    error: SearchErrorCode | None = None


# --- Kiro's answer ------------------------------------------------------------------------------------------------


def parse_search_answer(answer: JsonObject) -> SearchOutcome:
    """The outcome in a JSON-RPC answer of ``tools/call``. Never raises: what cannot be read is ``unavailable``.

    Kiro says "nothing found" with a JSON-RPC error (R9). A result without title or URL is left out, the others stay.
    """
    if answer.get("error") is not None:
        return _refused(object_in(answer, "error"))
    result = answer.get("result")
    if not isinstance(result, dict):
        return SearchOutcome(error="unavailable")
    said = _text_of(result)
    found = _found(said)
    if found is None:
        nothing = _NOTHING_FOUND in said.lower()
        return SearchOutcome() if nothing else SearchOutcome(error="unavailable")
    return SearchOutcome(
        tuple(
            SearchHit(title, url, string_in(item, "snippet"), _page_age(item.get("publishedDate")))
            for title, url, item in _linked(found)
        )
    )


def _refused(error: JsonObject) -> SearchOutcome:
    said = string_in(error, "message").lower()
    if _NOTHING_FOUND in said:
        return SearchOutcome()
    if "too many" in said or "throttl" in said or "rate limit" in said or "rate exceeded" in said:
        return SearchOutcome(error="too_many_requests")
    invalid = error.get("code") == _INVALID_PARAMS
    if "too long" in said or (invalid and "length" in said):
        return SearchOutcome(error="query_too_long")
    return SearchOutcome(error="invalid_tool_input" if invalid else "unavailable")


def _text_of(result: JsonObject) -> str:
    texts = (part.get("text") for part in list_in(result, "content") if isinstance(part, dict))
    return next((text for text in texts if isinstance(text, str)), "")


def _found(text: str) -> list[Json] | None:
    """The list of results, which comes as JSON inside a string; None if there is none, or an error instead."""
    value = json_object(text)
    if value is None:
        return None
    results = well_formed_json(value).get("results")
    if not isinstance(results, list) or (value.get("error") and not results):
        return None
    return results


def _linked(items: list[Json]) -> Iterator[tuple[str, str, JsonObject]]:
    """Title, URL, and all of it, of each item that has both."""
    for item in items:
        if isinstance(item, dict):
            title, url = item.get("title"), item.get("url")
            if isinstance(title, str) and isinstance(url, str):
                yield title, url, item


def _page_age(published: Json) -> str | None:
    """``January 1, 2026`` of milliseconds since 1970, in UTC (N11)."""
    if isinstance(published, bool) or not isinstance(published, int | float):
        return None
    try:
        day = _EPOCH + timedelta(milliseconds=published)
    except (OverflowError, ValueError):
        return None
    return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"


def filtered(outcome: SearchOutcome, domains: DomainFilter) -> SearchOutcome:
    """``outcome`` with the hits that ``domains`` admits."""
    return SearchOutcome(tuple(hit for hit in outcome.hits if domains.admits(hit.url)), outcome.error)


# --- the block of the Messages API ----------------------------------------------------------------------------------


def result_block(tool_use_id: str, outcome: SearchOutcome) -> JsonObject:
    """The ``web_search_tool_result`` block.

    ``encrypted_content`` is the plain snippet: there is nothing to seal, and clients send it back, which is how a
    later turn still knows it.
    """
    content: Json
    if outcome.error is not None:
        content = {"type": "web_search_tool_result_error", "error_code": outcome.error}
    else:
        content = [
            {
                "type": "web_search_result",
                "title": hit.title,
                "url": hit.url,
                "encrypted_content": hit.snippet,
                "page_age": hit.page_age,
            }
            for hit in outcome.hits
        ]
    return {"type": "web_search_tool_result", "tool_use_id": tool_use_id, "content": content}


def parse_result_content(content: Json) -> SearchOutcome:
    """The other way round: ``content`` of a block that a client sends back, ours or Anthropic's."""
    if isinstance(content, dict):
        code = content.get("error_code")
        return SearchOutcome(error=next((known for known in _REASONS if known == code), "unavailable"))
    return SearchOutcome(
        tuple(
            SearchHit(title, url, _readable(string_in(item, "encrypted_content")), string_in(item, "page_age") or None)
            for title, url, item in _linked(content if isinstance(content, list) else [])
        )
    )


def _readable(snippet: str) -> str:
    """Anthropic's own results carry a sealed text there, which no other model can read. Prose has spaces."""
    return "" if _SEALED.fullmatch(snippet) else snippet


# --- texts ----------------------------------------------------------------------------------------------------------


def failure_text(code: SearchErrorCode) -> str:
    return f"The web search failed ({code}): {_REASONS[code]}."


def text_for_model(outcome: SearchOutcome) -> str:
    """The result of the model's own call."""
    if outcome.error is not None:
        return failure_text(outcome.error)
    if not outcome.hits:
        return "No results found."
    return "\n\n".join(_entry(number, hit) for number, hit in enumerate(outcome.hits, 1))


def _entry(number: int, hit: SearchHit) -> str:
    lines = [f"{number}. {hit.title}", f"URL: {hit.url}"]
    if hit.page_age:
        lines.append(f"Published: {hit.page_age}")
    if hit.snippet:
        lines.append(hit.snippet)
    return "\n".join(lines)


def summary_text(query: str, outcome: SearchOutcome) -> str:
    """The visible text of a lone search (§7.5); Claude Code shows it to its model."""
    if outcome.error is not None:
        return failure_text(outcome.error)
    parts = [f'Here are the search results for "{query}":\n\n']
    for number, hit in enumerate(outcome.hits, 1):
        parts.append(f"{number}. **{hit.title}**\n")
        if hit.snippet:
            parts.append(f"   {_shortened(hit.snippet)}\n")
        parts.append(f"   Source: {hit.url}\n\n")
    if not outcome.hits:
        parts.append("No results found.\n")
    return "".join([*parts, "\n", _DISCLAIMER])


def _shortened(snippet: str) -> str:
    return snippet if len(snippet) <= _SNIPPET_CHARACTERS else f"{snippet[:_SNIPPET_CHARACTERS]}..."
