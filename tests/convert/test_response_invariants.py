"""What holds for every answer (the invariants at the end of response-conversion, Appendix D)."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.convert.events import (
    AssistantText,
    ContextUsage,
    Fault,
    KiroEvent,
    Metadata,
    Metering,
    Reasoning,
    TokenUsage,
    ToolUseFragment,
)
from kiro_rs_py.convert.fold import fold_message
from kiro_rs_py.convert.message_events import (
    BlockStart,
    BlockStop,
    ErrorEvent,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    MessageStreamEvent,
    Ping,
    ReasoningDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    with_input_tokens,
)
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.errors import ContextWindowFull, EmptyAnswer, KiroError, UpstreamFault
from tests.convert.answers import ON, Thinking, accumulated_by_sdk, answer, joined, new_stream, text

WORDS = ["<thinking>", "</thinking>", "<", "thin", "`", '"', "\n", " ", "a", "Hello", "你好", "é", "\u2028", "END", "E"]
ARGUMENTS = ["", "{}", '{"a":1}', '{"a": "b\\u00e9"}', '{"a": {"b": [1, 2]}}', '{"a": "b', "[]", '{"a":1}x']

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(lambda words: AssistantText("".join(words)))
fragments = st.builds(
    ToolUseFragment,
    st.sampled_from(["a", "b", "c", ""]),
    st.sampled_from(["Read", "List", ""]),
    st.sampled_from(ARGUMENTS),
    st.booleans(),
)
whole_calls = st.builds(
    ToolUseFragment, st.sampled_from(["x", "y"]), st.just("Read"), st.sampled_from(ARGUMENTS[:5]), st.just(True)
)
reasonings = st.builds(
    Reasoning,
    st.sampled_from(["", "hm", "你"]),
    st.sampled_from(["", "", "sig"]),
    st.sampled_from(["", "", "", "AAAA"]),
)
sayings = st.one_of(
    st.just(Metering(0.5)),
    st.sampled_from([ContextUsage(0.5), ContextUsage(100.0)]),
    st.builds(
        Metadata,
        st.sampled_from([None, "END_TURN", "TOOL_USE", "MAX_TOKENS", "CONTENT_FILTERED", "PAUSE_TURN", "NEW"]),
        st.sampled_from([None, TokenUsage(5, 6, 7, 8)]),
        st.sampled_from([None, 2.5]),
    ),
)
contents = st.lists(st.one_of(texts, texts, whole_calls, fragments, reasonings, sayings), max_size=8)
thinkings = st.builds(
    Thinking, st.booleans(), st.sampled_from(["blocks", "blocks", "thinking", "think", "reasoning_content"])
)
stops = st.sampled_from([[], [], ["END"], ["aEND", "E\n"]])


def run(upstream: list[KiroEvent], stream: MessageStream) -> list[MessageStreamEvent] | type[KiroError]:
    """The events of the answer, or the kind of error before any."""
    try:
        return answer(upstream, stream)
    except (EmptyAnswer, ContextWindowFull) as error:
        assert not stream.started
        return type(error)


def cut(upstream: list[KiroEvent], draw: st.DataObject) -> list[KiroEvent]:
    """The same answer in other pieces."""
    pieces: list[KiroEvent] = []
    for event in upstream:
        match event:
            case AssistantText(content):
                pieces += [AssistantText(piece) for piece in cut_text(content, draw)]
            case Reasoning(content, sig, redacted) if content:
                *first, last = cut_text(content, draw)
                pieces += [Reasoning(piece) for piece in first]
                pieces.append(Reasoning(last, sig, redacted))
            case ToolUseFragment(tool_use_id, name, arguments, stop):
                *first, last = cut_text(arguments, draw)
                pieces += [ToolUseFragment(tool_use_id, name, piece, False) for piece in first]
                pieces.append(ToolUseFragment(tool_use_id, name, last, stop))
            case _:
                pieces.append(event)
    return pieces


def cut_text(content: str, draw: st.DataObject) -> list[str]:
    places = sorted(draw.draw(st.lists(st.integers(0, len(content)), max_size=3)))
    return [content[start:end] for start, end in zip([0, *places], [*places, len(content)], strict=True)]


def check_blocks(events: list[MessageStreamEvent]) -> int | None:
    """Each delta inside its block, one block at a time, indices in order. The index of a block left open, if any."""
    last, current = -1, None
    for event in events:
        match event:
            case BlockStart(index, _):
                assert current is None
                assert index == last + 1
                last = current = index
            case BlockStop(index):
                assert index == current
                current = None
            case TextDelta(index, piece) | ThinkingDelta(index, piece) | ReasoningDelta(index, piece):
                assert index == current
                assert piece
            case InputJsonDelta(index, piece) | SignatureDelta(index, piece):
                assert index == current
                assert piece
            case MessageStart() | MessageDelta() | MessageStop() | Ping() | ErrorEvent():
                pass
    return current


@given(contents, thinkings, stops)
def test_the_grammar_of_a_stream(upstream: list[KiroEvent], thinking: Thinking, sequences: list[str]) -> None:
    events = run(upstream, new_stream(thinking, stop_sequences=sequences))
    if isinstance(events, type):
        return
    kinds = [type(event) for event in events]
    assert kinds.count(MessageStart) == kinds.count(MessageDelta) == kinds.count(MessageStop) == 1
    assert kinds[0] is MessageStart
    assert kinds[-2:] == [MessageDelta, MessageStop]
    assert ErrorEvent not in kinds
    left_open = check_blocks(events)
    ending = events[-2]
    assert isinstance(ending, MessageDelta)
    starts = {event.block_index: event.block for event in events if isinstance(event, BlockStart)}
    if left_open is not None:
        # Only a cut tool call, and it is the last block.
        assert starts[left_open]["type"] == "tool_use"
        assert left_open == max(starts)
        assert ending.stop_reason == "max_tokens"
    if ending.stop_reason == "tool_use":
        assert any(block["type"] == "tool_use" for block in starts.values())
    if starts:
        assert ending.usage.output_tokens >= 1


@given(contents, thinkings, stops)
def test_no_block_is_empty_and_calls_are_whole(
    upstream: list[KiroEvent], thinking: Thinking, sequences: list[str]
) -> None:
    events = run(upstream, new_stream(thinking, stop_sequences=sequences))
    if isinstance(events, type):
        return
    content = fold_message(events)["content"]
    assert isinstance(content, list)
    for block in content:
        assert isinstance(block, dict)
        match block["type"]:
            case "text":
                assert block["text"]
            case "thinking":
                assert block["signature"]
            case "tool_use":
                assert isinstance(block["input"], dict)
            case other:
                assert other == "redacted_thinking"


@given(contents, thinkings, stops, st.data())
def test_how_the_answer_was_cut_does_not_matter(
    upstream: list[KiroEvent], thinking: Thinking, sequences: list[str], draw: st.DataObject
) -> None:
    whole = run(upstream, new_stream(thinking, stop_sequences=sequences))
    pieces = run(cut(upstream, draw), new_stream(thinking, stop_sequences=sequences))
    if isinstance(whole, type) or isinstance(pieces, type):
        assert whole is pieces
    else:
        assert joined(pieces) == joined(whole)
        assert fold_message(pieces) == fold_message(whole)


@given(contents, thinkings, stops)
def test_the_plain_answer_is_what_the_sdk_makes_of_the_stream(
    upstream: list[KiroEvent], thinking: Thinking, sequences: list[str]
) -> None:
    events = run(upstream, new_stream(thinking, stop_sequences=sequences))
    if isinstance(events, type):
        return
    plain = fold_message(events)
    plain.pop("reasoning_content", None)  # unknown to Anthropic
    assert accumulated_by_sdk(events) == plain
    # Held for /cc, the events say the same, only sooner.
    ending = events[-2]
    assert isinstance(ending, MessageDelta)
    start = events[0]
    assert isinstance(start, MessageStart)
    held = [with_input_tokens(start, ending.usage), *events[1:]]
    assert fold_message(held) == fold_message(events)
    json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()


@given(contents, thinkings, stops, st.integers(0, 8))
def test_a_failure_may_come_at_any_moment(
    upstream: list[KiroEvent], thinking: Thinking, sequences: list[str], moment: int
) -> None:
    stream = new_stream(thinking, stop_sequences=sequences)
    given_out: list[MessageStreamEvent] = []
    for event in upstream[:moment]:
        given_out += stream.receive(event)
    try:
        given_out += stream.receive(Fault("ThrottlingException", "slow down"))
    except UpstreamFault:
        assert not stream.stopped
    given_out += stream.fail("overloaded_error", "slow down", "req_1")
    assert [type(event) for event in given_out].count(ErrorEvent) == 1
    assert given_out[-1] == ErrorEvent("overloaded_error", "slow down", "req_1")
    left_open = check_blocks(given_out)
    starts = {event.block_index: event.block for event in given_out if isinstance(event, BlockStart)}
    assert left_open is None or starts[left_open]["type"] == "tool_use"
    assert not any(isinstance(event, MessageDelta | MessageStop) for event in given_out)
    assert stream.receive(text("more")) == stream.finish() == []


@given(st.text("ab.\n 你`<", max_size=12), st.text("ab.\n 你", min_size=1, max_size=12), st.data())
def test_no_tag_of_the_models_own_block_is_shown(thought: str, said: str, draw: st.DataObject) -> None:
    upstream: list[KiroEvent] = [text(f"\n<thinking>\n{thought}.</thinking>\n\n{said}")]
    content = fold_message(answer(cut(upstream, draw), new_stream(ON)))["content"]
    assert isinstance(content, list)
    assert "thinking>" not in json.dumps(content)
    first = content[0]
    assert isinstance(first, dict)
    assert first["thinking"] == f"{thought}."
