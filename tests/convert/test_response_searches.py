"""MessageStream where the model may search the web: rounds, in one message."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.convert.events import ContextUsage, Fault, KiroEvent, Metadata, Reasoning
from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.kiro import AssistantMessage, ToolResult, ToolUse
from kiro_rs_py.convert.message_events import BlockStart, ErrorEvent, MessageStreamEvent
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.convert.search_results import SearchHit, SearchOutcome
from kiro_rs_py.errors import UpstreamFault
from tests.convert.answers import OFF, ON, Thinking, accumulated_by_sdk, new_stream, text, tool, transcript
from tests.convert.test_response_invariants import check_blocks

FOUND = SearchOutcome((SearchHit("T", "https://x.example", "Text."),))
NOTHING = SearchOutcome()
FAILED = SearchOutcome(error="unavailable")

LOOK: list[KiroEvent] = [text("Look."), tool("tooluse_1", "web_search", '{"query":"q"}', True)]
SHOWN = ["0 text", "ping", "text 'Look.'", "stop 0", "1 server_tool_use web_search", 'json {"query":"q"}', "stop 1"]


def searching(thinking: Thinking = OFF, *, stop_sequences: Sequence[str] = ()) -> MessageStream:
    return new_stream(thinking, stop_sequences=stop_sequences, search_tool="web_search")


def say(stream: MessageStream, events: Sequence[KiroEvent]) -> list[MessageStreamEvent]:
    return [given for event in events for given in stream.receive(event)]


def whole(
    stream: MessageStream, *rounds: Sequence[KiroEvent], outcome: SearchOutcome = FOUND
) -> list[MessageStreamEvent]:
    """All events of the message; every search comes to ``outcome``."""
    given: list[MessageStreamEvent] = []
    for number, events in enumerate(rounds, 1):
        given += say(stream, events)
        searches = stream.end_round()
        if not searches:
            assert number == len(rounds)
            break
        outcomes = [outcome] * len(searches)
        given += stream.receive_results(outcomes)
        if not stream.goes_on:
            break
        stream.next_round(outcomes)
    given += stream.finish()
    assert accumulated_by_sdk(given) == fold_message(given)
    return given


def lines(events: Sequence[MessageStreamEvent]) -> list[str]:
    told = transcript(events)
    assert (told[0], told[-1]) == ("message_start", "message_stop")
    return told[1:-1]


def test_a_search_and_the_answer() -> None:
    stream = searching()
    events = whole(stream, LOOK, [text("Found "), text("it.")])
    assert lines(events) == [
        *SHOWN,
        *("2 web_search_tool_result", "stop 2"),
        *("3 text", "text 'Found '", "text 'it.'", "stop 3", "end_turn"),
    ]
    message = fold_message(events)
    content = message["content"]
    assert isinstance(content, list)
    assert content[1:3] == [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [
                {
                    "type": "web_search_result",
                    "title": "T",
                    "url": "https://x.example",
                    "encrypted_content": "Text.",
                    "page_age": None,
                }
            ],
        },
    ]
    assert stream.usage.web_searches == 1


@pytest.mark.parametrize("outcome, counted", [(NOTHING, 1), (FAILED, 0)])
def test_a_search_without_results(outcome: SearchOutcome, counted: int) -> None:
    stream = searching()
    events = whole(stream, LOOK, [text("Sorry.")], outcome=outcome)
    assert lines(events)[-1] == "end_turn"
    assert stream.usage.web_searches == counted


def test_what_the_next_round_is_told() -> None:
    stream = searching()
    say(stream, LOOK)
    assert [search.query for search in stream.end_round()] == ["q"]
    stream.receive_results([FOUND])
    assert stream.goes_on
    assert stream.next_round([FOUND]) == (
        AssistantMessage("Look.", (ToolUse("tooluse_1", "web_search", {"query": "q"}),)),
        (ToolResult("tooluse_1", "1. T\nURL: https://x.example\nText."),),
    )
    assert stream.end_round() == ()


def test_several_rounds() -> None:
    again = [tool("tooluse_2", "web_search", '{"query":"r"}', True)]
    stream = searching()
    told = lines(whole(stream, LOOK, again, [text("Done.")]))
    assert [line for line in told if line[0].isdigit()] == [
        *("0 text", "1 server_tool_use web_search", "2 web_search_tool_result"),
        *("3 server_tool_use web_search", "4 web_search_tool_result", "5 text"),
    ]
    assert stream.usage.web_searches == 2


def test_two_searches_at_once() -> None:
    both = [*LOOK, tool("tooluse_2", "web_search", "", True)]
    told = lines(whole(searching(), both, [text("Done.")]))
    assert [line for line in told if line[0].isdigit()] == [
        *("0 text", "1 server_tool_use web_search", "2 server_tool_use web_search"),
        *("3 web_search_tool_result", "4 web_search_tool_result", "5 text"),
    ]
    assert "json {}" in told


def test_arguments_in_pieces_and_without_an_end() -> None:
    """A whole object is an end, even if upstream does not say so."""
    pieces = [tool("tooluse_1", "web_search"), tool("tooluse_1", "", '{"que'), tool("tooluse_1", "", 'ry":"q"}')]
    stream = searching()
    assert say(stream, pieces) == []
    told = lines(whole(stream, [], [text("Done.")]))
    assert told[:4] == ["0 server_tool_use web_search", "ping", 'json {"query":"q"}', "stop 0"]


def test_text_behind_the_call() -> None:
    told = lines(whole(searching(), [*LOOK, text("Wait.")], [text("Done.")]))
    assert told[7:12] == ["2 text", "text 'Wait.'", "stop 2", "3 web_search_tool_result", "stop 3"]


def test_a_cut_search_ends_the_turn() -> None:
    told = lines(whole(searching(), [text("Look."), tool("tooluse_1", "web_search", '{"query":"tr')]))
    assert told == ["0 text", "ping", "text 'Look.'", "stop 0", "max_tokens"]


def test_a_tool_of_the_clients_beside_a_search() -> None:
    stream = searching()
    told = lines(whole(stream, [*LOOK, tool("tooluse_2", "Read", "{}", True)]))
    assert told[7:] == [
        *("2 tool_use Read", "json {}", "stop 2"),
        *("3 web_search_tool_result", "stop 3", "tool_use"),
    ]
    assert not stream.goes_on


def test_a_cut_call_behind_a_search_is_the_end() -> None:
    told = lines(whole(searching(), [*LOOK, tool("tooluse_2", "Read", '{"path":')]))
    assert told[7:] == ["2 tool_use Read", 'json {"path":', "max_tokens"]


@pytest.mark.parametrize(
    "ending, stop_reason",
    [
        (Metadata("CONTENT_FILTERED"), "refusal"),
        (Metadata("MODEL_CONTEXT_WINDOW_EXCEEDED"), "model_context_window_exceeded"),
        (ContextUsage(100.0), "model_context_window_exceeded"),
        (Fault("ContentLengthExceededException", "too long"), "max_tokens"),
    ],
)
def test_endings_after_which_nothing_is_to_be_said(ending: KiroEvent, stop_reason: str) -> None:
    assert lines(whole(searching(), [*LOOK, ending]))[7:] == ["2 web_search_tool_result", "stop 2", stop_reason]


@pytest.mark.parametrize("ending", [Metadata("TOOL_USE"), Metadata("END_TURN"), Metadata("MAX_TOKENS")])
def test_endings_after_which_the_model_goes_on(ending: KiroEvent) -> None:
    assert lines(whole(searching(), [*LOOK, ending], [text("Done.")]))[-1] == "end_turn"


def test_a_stop_sequence_ends_all_rounds() -> None:
    told = lines(whole(searching(stop_sequences=["END"]), [*LOOK, text("a END b")]))
    assert told[7:] == [
        *("2 text", "text 'a '", "stop 2", "3 web_search_tool_result", "stop 3"),
        "stop_sequence 'END'",
    ]


def test_a_pause() -> None:
    stream = searching()
    given = say(stream, LOOK)
    stream.end_round()
    given += stream.receive_results([FOUND])
    stream.pause()
    assert lines(given + stream.finish())[-1] == "pause_turn"


def test_thinking_begins_anew_in_each_round() -> None:
    first: list[KiroEvent] = [text("<thinking>a</thinking>"), tool("tooluse_1", "web_search", "{}", True)]
    second: list[KiroEvent] = [text("<thinking>b</thinking>Done.")]
    told = lines(whole(searching(ON), first, second))
    assert [line for line in told if line.startswith(("thinking", "text"))] == [
        *("thinking 'a'", "thinking 'b'", "text 'Done.'")
    ]


def test_native_thinking_is_part_of_what_was_said() -> None:
    stream = searching(ON)
    say(stream, [Reasoning("hm"), Reasoning(signature="s"), *LOOK])
    stream.end_round()
    said, _ = stream.next_round([FOUND])
    assert said.reasoning is not None
    assert (said.reasoning.text, said.reasoning.signature) == ("hm", "s")


def test_thinking_without_an_answer_in_the_last_round() -> None:
    """D-10: clients need something visible."""
    told = lines(whole(searching(ON), LOOK, [text("<thinking>hm</thinking>")]))
    assert told[-4:] == ["4 text", "text ' '", "stop 4", "max_tokens"]


def test_usage_of_rounds() -> None:
    stream = searching()
    say(stream, [*LOOK, ContextUsage(10.0)])
    first = stream.usage
    stream.end_round()
    stream.receive_results([FOUND])
    stream.next_round([FOUND])
    say(stream, [text("Done."), ContextUsage(11.0)])
    stream.end_round()
    stream.finish()
    assert stream.usage.input_tokens > first.input_tokens
    assert stream.usage.output_tokens > first.output_tokens
    assert stream.usage.web_searches == 1


def test_a_failure_in_a_later_round() -> None:
    stream = searching()
    say(stream, LOOK)
    stream.end_round()
    stream.receive_results([FOUND])
    stream.next_round([FOUND])
    say(stream, [text("Half")])
    with pytest.raises(UpstreamFault):
        stream.receive(Fault("ThrottlingException", "slow down"))
    failed = stream.fail("rate_limit_error", "Slow down.", "req_1")
    assert transcript(failed) == ["stop 3", "error rate_limit_error Slow down."]
    assert isinstance(failed[-1], ErrorEvent)
    assert stream.end_round() == ()


def test_without_a_search_on_offer_a_tool_of_that_name_is_the_clients() -> None:
    told = transcript(say(new_stream(), [tool("t", "web_search", "{}", True)]))
    assert told[1] == "0 tool_use web_search"


pieces = st.one_of(
    st.sampled_from(
        [text("a"), text("<thinking>b</thinking>"), text("END"), Reasoning("hm"), Reasoning(signature="s")]
    ),
    st.builds(
        tool,
        st.sampled_from(["tooluse_1", "tooluse_2"]),
        st.sampled_from(["web_search", "web_search", "Read"]),
        st.sampled_from(["", "{}", '{"query":"q"}', '{"query":']),
        st.booleans(),
    ),
    st.sampled_from([Metadata("TOOL_USE"), Metadata("CONTENT_FILTERED"), ContextUsage(5.0)]),
)


@given(
    st.lists(st.lists(pieces, min_size=1, max_size=5), min_size=1, max_size=3),
    st.sampled_from([OFF, ON]),
    st.sampled_from([FOUND, NOTHING, FAILED]),
)
def test_every_search_that_is_shown_has_its_result(
    rounds: list[list[KiroEvent]], thinking: Thinking, outcome: SearchOutcome
) -> None:
    stream = searching(thinking, stop_sequences=["END"])
    given_out: list[MessageStreamEvent] = []
    for events in rounds:
        given_out += say(stream, events)
        if not (searches := stream.end_round()):
            break
        outcomes = [outcome] * len(searches)
        given_out += stream.receive_results(outcomes)
        if not stream.goes_on:
            break
        said, results = stream.next_round(outcomes)
        assert [use.tool_use_id for use in said.tool_uses] == [result.tool_use_id for result in results]
    if not stream.started:
        return
    given_out += stream.finish()
    check_blocks(given_out)
    assert accumulated_by_sdk(given_out) == fold_message(given_out)
    shown = [event.block for event in given_out if isinstance(event, BlockStart)]
    asked = [block["id"] for block in shown if block["type"] == "server_tool_use"]
    found = [block["tool_use_id"] for block in shown if block["type"] == "web_search_tool_result"]
    # Behind a cut call there is no place for results.
    assert found == asked or (found == asked[: len(found)] and stream.stop_reason == "max_tokens")
