"""MessageStream where the client has demanded a JSON answer, or one tool call at most."""

from __future__ import annotations

from typing import Any

import pytest

from kiro_rs_py.convert.events import ContextUsage, Fault, KiroEvent, Metadata
from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.message_events import ErrorEvent
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.errors import ContextWindowFull, EmptyAnswer, UpstreamFault
from tests.convert.answers import OFF, ON, Thinking, accumulated_by_sdk, answer, reasoning, text, tool, transcript

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FENCED = [text("```js"), text('on\n{"a"'), text(": 1}\n"), text("```\n")]
END = Metadata("END_TURN")


def demanding(thinking: Thinking = OFF, **demands: Any) -> MessageStream:
    return MessageStream(
        message_id="msg_1",
        model="claude-sonnet-4-5",
        thinking=thinking,
        tool_names={},
        input_estimate=7,
        window=200_000,
        **{"answer_schema": SCHEMA} | demands,
    )


def told(events: list[KiroEvent], stream: MessageStream) -> list[str]:
    given = answer(events, stream)
    assert accumulated_by_sdk(given) == fold_message(given)
    return [line for line in transcript(given)[1:-1] if line != "ping"]


# --- a JSON answer ------------------------------------------------------------------------------------------------


def test_the_answer_comes_whole_and_mended() -> None:
    stream = demanding()
    for event in FENCED:
        assert stream.receive(event) == []
    assert not stream.started
    assert told([END], stream) == ["0 text", "text '{\"a\": 1}'", "stop 0", "end_turn"]
    assert stream.notes == ["took what stood around the JSON answer away"]


def test_a_good_answer_needs_no_note() -> None:
    stream = demanding()
    assert told([text('{"a":'), text("1}"), ContextUsage(1), END], stream)[1] == "text '{\"a\":1}'"
    assert stream.notes == []


def test_what_cannot_be_mended_is_shown_as_it_is() -> None:
    stream = demanding()
    assert told([text("Sorry, "), text("no."), END], stream) == ["0 text", "text 'Sorry, no.'", "stop 0", "end_turn"]
    assert stream.notes == ["the answer is no JSON, or was cut off"]


@pytest.mark.parametrize("thought", [text("<thinking>hm</thinking>\n\n"), reasoning("hm")])
def test_thinking_is_shown_at_once(thought: KiroEvent) -> None:
    stream = demanding(ON)
    before = stream.receive(thought)
    assert "thinking 'hm'" in transcript(before)
    given = [*before, *answer([*FENCED, END], stream)]
    assert transcript(given)[-5:-1] == ["1 text", "text '{\"a\": 1}'", "stop 1", "end_turn"]
    assert accumulated_by_sdk(given) == fold_message(given)


def test_words_before_a_call_are_no_answer_and_would_not_parse() -> None:
    stream = demanding()
    events: list[KiroEvent] = [text("Let me look at [1]."), tool("t", "Read", "{}", True), *FENCED, END]
    assert told(events, stream) == [
        *("0 tool_use Read", "json {}", "stop 0"),
        *("1 text", "text '{\"a\": 1}'", "stop 1", "tool_use"),
    ]
    assert stream.notes == ["left out words before the JSON answer", "took what stood around the JSON answer away"]


def test_nor_are_words_before_more_thinking() -> None:
    events: list[KiroEvent] = [reasoning("hm"), text("See [1]. "), reasoning("oh"), *FENCED, END]
    assert [line for line in told(events, demanding(ON)) if line.startswith("text")] == ["text '{\"a\": 1}'"]


def test_stop_sequences_come_first() -> None:
    stream = demanding(stop_sequences=["STOP"])
    assert told([text('So {"a": 1} ST'), text("OP and more")], stream)[1:3] == ["text '{\"a\": 1}'", "stop 0"]
    assert stream.stop_reason == "stop_sequence"
    stream = demanding(stop_sequences=["STOP"])
    assert told([text('{"a": 1} ST'), END], stream)[1] == "text '{\"a\": 1}'"


def test_an_answer_that_broke_was_never_begun() -> None:
    stream = demanding()
    stream.receive(FENCED[0])
    with pytest.raises(UpstreamFault):
        stream.receive(Fault("ThrottlingException", "slow"))
    assert not stream.started
    assert stream.fail("api_error", "It broke.", "req_1") == [ErrorEvent("api_error", "It broke.", "req_1")]


def test_too_long_an_answer_is_not_too_long_a_prompt() -> None:
    stream = demanding()
    events: list[KiroEvent] = [text('{"a": '), Fault("ContentLengthExceededException", "")]
    assert told(events, stream) == ["0 text", "text '{\"a\": '", "stop 0", "max_tokens"]
    with pytest.raises(ContextWindowFull):
        demanding().receive(Fault("ContentLengthExceededException", ""))


def test_no_answer_is_no_answer() -> None:
    with pytest.raises(EmptyAnswer):
        answer([END], demanding())


# --- one call -----------------------------------------------------------------------------------------------------


def test_a_second_call_is_left_out() -> None:
    events: list[KiroEvent] = [
        text("Two things."),
        *(tool("t1", "Read", '{"n":1}'), tool("t2", "Read", '{"n":2}'), tool("t1", "Read", stop=True)),
        *(tool("t2", "Read", stop=True), text("Done."), Metadata("TOOL_USE")),
    ]
    stream = demanding(answer_schema=None, one_call=True)
    assert told(events, stream) == [
        *("0 text", "text 'Two things.'", "stop 0"),
        *("1 tool_use Read", 'json {"n":1}', "stop 1"),
        *("2 text", "text 'Done.'", "stop 2", "tool_use"),
    ]
    assert stream.notes == ["left out a tool call: the client takes one at a time"]


def test_one_call_is_what_was_asked_for() -> None:
    stream = demanding(answer_schema=None, one_call=True)
    assert told([tool("t1", "Read", "{}", True), END], stream)[-1] == "tool_use"
    assert stream.notes == []


def test_a_cut_second_call_does_not_make_the_first_one_cut() -> None:
    stream = demanding(answer_schema=None, one_call=True)
    events: list[KiroEvent] = [tool("t1", "Read", "{}", True), tool("t2", "Write", '{"content": "abc')]
    assert told(events, stream) == ["0 tool_use Read", "json {}", "stop 0", "tool_use"]


def test_searches_are_ours_to_make_and_do_not_count() -> None:
    stream = demanding(answer_schema=None, one_call=True, search_tool="web_search")
    for event in (tool("t1", "Read", "{}", True), tool("t2", "web_search", '{"query":"q"}', True)):
        stream.receive(event)
    assert [search.query for search in stream.end_round()] == ["q"]
