"""The message that answers a lone search, with Anthropic's SDK as the judge of its shape."""

from __future__ import annotations

import json

import pytest

from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.lone_search import LoneAnswer
from kiro_rs_py.convert.message_events import BlockStop, MessageStart, Usage, with_input_tokens
from kiro_rs_py.convert.search_results import SearchHit, SearchOutcome
from tests.convert.answers import accumulated_by_sdk, transcript

FOUND = SearchOutcome((SearchHit("T", "https://x.example", "Text.", "January 1, 2026"),))


def answer() -> LoneAnswer:
    return LoneAnswer(message_id="msg_1", tool_use_id="srvtoolu_1", model="any", input_estimate=7)


def test_the_events() -> None:
    lines = transcript(answer().events('ü "q"', FOUND))
    assert lines == [
        "message_start",
        "0 server_tool_use web_search",
        "ping",
        'json {"query":"ü \\"q\\""}',
        "stop 0",
        "1 web_search_tool_result",
        "stop 1",
        "2 text",
        lines[8],
        "stop 2",
        "end_turn",
        "message_stop",
    ]
    assert lines[8].startswith("text")


@pytest.mark.parametrize("outcome", [FOUND, SearchOutcome(), SearchOutcome(error="unavailable")])
def test_the_plain_answer_is_what_the_sdk_makes_of_the_stream(outcome: SearchOutcome) -> None:
    lone = answer()
    events = lone.events("q", outcome)
    message = fold_message(events)
    assert accumulated_by_sdk(events) == message
    call, result, text = json.loads(json.dumps(message["content"]))
    assert call == {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
    assert result["tool_use_id"] == "srvtoolu_1"
    assert text["text"]
    assert len([event for event in events if isinstance(event, BlockStop)]) == 3


def test_the_usage() -> None:
    lone = answer()
    events = lone.events("q", FOUND)
    assert lone.usage.input_tokens == 7
    assert lone.usage.output_tokens > 20
    assert fold_message(events)["usage"] == {
        "input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": lone.usage.output_tokens,
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    }
    start = events[0]
    assert isinstance(start, MessageStart)
    # Only the end tells of searches.
    assert with_input_tokens(start, lone.usage).usage == Usage(7, 1)


def test_a_search_that_failed_is_not_counted() -> None:
    lone = answer()
    lone.events("q", SearchOutcome(error="too_many_requests"))
    assert lone.usage.web_searches == 0
