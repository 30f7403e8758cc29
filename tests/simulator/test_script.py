from __future__ import annotations

import json
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.conversation import read_conversation
from kiro_rs_py.simulator.models import Catalogue
from kiro_rs_py.simulator.script import COMPACTION, Speech, ToolCall, forced_call, speak
from tests.simulator.talk import MODEL, assistant, chat_body, image, result, tool, use, user

READ = '<<CALL Read {"path": "a"}>>'
MARKERS = "<thinking_mode>enabled</thinking_mode><max_thinking_length>20000</max_thinking_length>"
SCHEMA = '{"type":"object","properties":{"title":{"type":"string"}},"required":["title"]}'


def speech(content: str = "hello", **fields: Any) -> Speech:
    model = Catalogue().find(fields.get("model", MODEL), paid_plan=True)
    assert model is not None
    return speak(read_conversation(chat_body(content, **fields)), model)


def rounds(prompt: str, count: int) -> list[JsonObject]:
    """A history in which ``count`` calls were made and all but the last were answered."""
    history = [user(prompt)]
    for number in range(count):
        history.append(assistant(" ", uses=[use(f"t{number}")]))
        if number < count - 1:
            history.append(user("", results=[result(f"t{number}", f"answer {number}")]))
    return history


def after(prompt: str, count: int, **fields: Any) -> Speech:
    """The model's answer to the results of ``count`` rounds."""
    last = result(f"t{count - 1}", f"answer {count - 1}")
    return speech("", history=rounds(prompt, count), results=[last], tools=[tool()], **fields)


def test_say() -> None:
    assert speech("please <<SAY hello there>>").text == "hello there"
    assert speech("<<SAY a>> and <<SAY b>>").text == "a\nb"


def test_calls_come_one_a_round_and_then_the_last_result() -> None:
    prompt = f'{READ} <<CALL Read {{"path": "b"}}>>'
    assert speech(prompt, tools=[tool()]).calls == (ToolCall("Read", {"path": "a"}),)
    assert after(prompt, 1).calls == (ToolCall("Read", {"path": "b"}),)
    done = after(prompt, 2)
    assert (done.calls, done.text) == ((), "TOOL-RESULT: answer 1")


def test_pictures_that_came_with_the_result_are_counted() -> None:
    last = [result("t0", "read")]
    one = speech("", history=rounds(READ, 1), results=last, images=[image()], tools=[tool()])
    two = speech("", history=rounds(READ, 1), results=last, images=[image(), image()], tools=[tool()])
    assert (one.text, two.text) == ("TOOL-RESULT: read [1 image]", "TOOL-RESULT: read [2 images]")


def test_what_is_said_around_calls() -> None:
    prompt = f"<<SAY first>> {READ} <<SAY last>>"
    first = speech(prompt, tools=[tool()])
    assert (first.text, len(first.calls)) == ("first", 1)
    assert after(prompt, 1).text == "last"


def test_the_latest_prompt_with_orders_counts() -> None:
    history = [*rounds(READ, 1), user("", results=[result("t0")]), assistant()]
    assert speech("<<SAY new>>", history=history, tools=[tool()]).text == "new"
    again = speech(READ, history=history, tools=[tool()])
    assert len(again.calls) == 1


def test_results_beside_the_order_belong_to_earlier_calls() -> None:
    answer = speech(READ, history=rounds("<<CALL Read {}>>", 1), results=[result("t0")], tools=[tool()])
    assert answer.calls == (ToolCall("Read", {"path": "a"}),)


def test_a_tool_nobody_offers() -> None:
    assert speech("<<CALL A|B {}>>", tools=[tool()]).text == "NO SUCH TOOL: A|B (offered: Read)"
    assert speech("<<CALL A {}>>").text == "NO SUCH TOOL: A (offered: none)"


def test_compaction() -> None:
    history = [user(READ), assistant()]
    answer = speech(f"{COMPACTION} of the conversation", history=history, tools=[tool()])
    assert not answer.calls
    assert answer.text.startswith("<analysis>")
    assert "<summary>" in answer.text
    assert READ in answer.text
    assert "nothing yet" in speech(COMPACTION).text


def test_structured_output() -> None:
    prompt = f"Answer with JSON of the schema {SCHEMA}"
    assert json.loads(speech(prompt).text) == {"title": "simulated"}
    assert json.loads(speech(f"{READ} {prompt}").text) == {"title": "simulated"}
    assert json.loads(speech(f"<<SAY plain>> {prompt}").text) == {"title": "simulated"}
    assert speech(f'<<SAY {{"title": "mine"}}>> {prompt}').text == '{"title": "mine"}'


def test_a_forced_tool_choice_in_words() -> None:
    tools = [tool("Read"), tool("Stop", {"type": "object"})]
    named = speech("hi\n\nAnswer this turn with a tool call: call the tool Stop.", tools=tools)
    assert named.calls == (ToolCall("Stop", {}),)
    any_tool = speech("hi\n\nAnswer with a tool call: call at least one of the tools you have been given.", tools=tools)
    assert any_tool.calls == (ToolCall("Read", {"path": "simulated"}),)
    assert not speech("call the tool Nothing", tools=tools).calls


def test_the_default_says_what_came() -> None:
    text = speech("hello", tools=[tool(f"T{number}") for number in range(7)], images=[image()]).text
    assert "1 message, 1 image and 7 tools (T0, T1, T2, T3, T4, …) for claude-sonnet-4.5" in text
    assert "ANTHROPIC_BASE_URL" in text
    assert "no tools" in speech().text


def test_thinking_by_markers() -> None:
    history = [user(f"{MARKERS}\nBe nice."), assistant()]
    answer = speech("<<SAY yes>>", history=history)
    assert answer.thinking
    assert (answer.native, answer.text) == (False, "yes")
    assert "brings 1 tool results" in after(f"{MARKERS} {READ}", 1).thinking
    assert not speech("<<SAY yes>>").thinking


@pytest.mark.parametrize(
    "model, fields, expected",
    [
        ("claude-opus-4.8", {"thinking": {"type": "adaptive"}}, (True, False)),
        ("claude-opus-4.8", {"thinking": {"type": "adaptive", "display": "omitted"}}, (True, True)),
        ("claude-opus-4.8", {"output_config": {"effort": "low"}}, (True, False)),
        ("claude-opus-4.8", {"thinking": {"type": "disabled"}}, (False, False)),
        ("claude-opus-4.6", {"thinking": {"type": "adaptive"}}, (False, False)),
        ("gpt-5.6-sol", {"reasoning": {"effort": "none"}}, (False, False)),
        ("gpt-5.6-sol", {"reasoning": {"effort": "high"}}, (True, False)),
    ],
)
def test_native_thinking(model: str, fields: JsonObject, expected: tuple[bool, bool]) -> None:
    answer = speech("hello", model=model, additionalModelRequestFields=fields, history=[user(MARKERS), assistant()])
    assert (answer.native, answer.omitted) == expected
    assert bool(answer.thinking) == expected[0]


def test_something_to_cut() -> None:
    call = forced_call(read_conversation(chat_body(tools=[tool("Read"), tool("write")])))
    assert call is not None
    assert call.name == "write"
    other = forced_call(read_conversation(chat_body(tools=[tool("Read")])))
    assert other is not None
    assert other.name == "Read"
    assert forced_call(read_conversation(chat_body())) is None


def test_characters_count_everything_said() -> None:
    assert Speech("abc", (ToolCall("x", {"a": 1}),), "de").characters == 3 + 2 + len('{"a":1}')
