from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.conversation import TOKENS_PER_IMAGE, read_conversation
from tests.simulator.talk import assistant, chat_body, image, result, tool, use, user


def test_turns_in_order_with_the_current_message_last() -> None:
    body = chat_body(
        "now",
        history=[user("before"), assistant("yes", uses=[use()]), user("", results=[result(text="r")]), assistant()],
    )
    conversation = read_conversation(body)
    assert [(turn.role, turn.text) for turn in conversation.turns] == [
        ("user", "before"),
        ("assistant", "yes"),
        ("user", ""),
        ("assistant", "hi"),
        ("user", "now"),
    ]
    assert conversation.current.text == "now"
    assert conversation.last_result == "r"
    assert read_conversation(chat_body()).last_result is None


def test_results_may_be_text_or_json_in_parts() -> None:
    parts: JsonObject = {"toolUseId": "t1", "content": [{"text": "a"}, {"json": {"b": 1}}, {"image": {}}]}
    conversation = read_conversation(chat_body("", results=[parts]))
    assert conversation.last_result == 'a\n{"b":1}'


def test_tools_come_with_their_schemas() -> None:
    cache: JsonObject = {"cachePoint": {"type": "default"}}
    body = chat_body(tools=[tool("A", {"type": "object"}), cache, tool("B")], additionalModelRequestFields={"x": 1})
    conversation = read_conversation(body)
    assert list(conversation.tools) == ["A", "B"]
    assert conversation.tools["A"] == {"type": "object"}
    assert conversation.extra == {"x": 1}


def test_everything_sent_counts() -> None:
    called = assistant("z" * 400, uses=[use(arguments={"a": "b" * 400})])
    sizes = [
        read_conversation(body).input_tokens
        for body in (
            chat_body("x" * 400),
            chat_body("x" * 400, tools=[tool()]),
            chat_body("x" * 400, history=[user("y" * 400), assistant("z" * 400)]),
            chat_body("x" * 400, history=[user("y" * 400), called]),
            chat_body("x" * 400, results=[result(text="y" * 4000)]),
        )
    ]
    assert sizes[0] == 100
    assert sizes == sorted(set(sizes))
    assert read_conversation(chat_body("", images=[image()])).input_tokens == TOKENS_PER_IMAGE
    reasoned = assistant("z", reasoningContent={"reasoningText": {"text": "t" * 400, "signature": "s"}})
    assert read_conversation(chat_body(history=[user(), reasoned])).input_tokens > 100


@pytest.mark.parametrize("body", [None, [], {}, {"conversationState": {"history": [1], "currentMessage": "x"}}])
def test_nonsense_is_read_as_nothing(body: Json) -> None:
    assert read_conversation(body).current.text == ""
