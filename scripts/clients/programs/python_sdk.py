"""Anthropic's Python SDK: a tool round by hand, streamed and whole, by its tool runner, and a count of tokens."""

import os

import anthropic

MODEL = "claude-opus-5-5"
WORD = os.environ["WORD"]
PROMPT = '<<CALL lookup {"word":"x"}>>'
TOOL = {
    "name": "lookup",
    "description": "Look a word up",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


client = anthropic.Anthropic()
messages = [{"role": "user", "content": PROMPT}]
with client.messages.stream(model=MODEL, max_tokens=500, tools=[TOOL], messages=messages) as stream:
    first = stream.get_final_message()
use = next(block for block in first.content if block.type == "tool_use")
assert first.stop_reason == "tool_use"
assert use.input == {"word": "x"}, first
messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]})
messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": WORD}]})
print("whole:", text_of(client.messages.create(model=MODEL, max_tokens=500, tools=[TOOL], messages=messages)))
with client.messages.stream(model=MODEL, max_tokens=500, tools=[TOOL], messages=messages) as stream:
    print("streamed:", stream.get_final_text())
assert client.messages.count_tokens(model=MODEL, messages=messages).input_tokens > 0
assert any(model.id == MODEL for model in client.models.list(limit=5))


@anthropic.beta_tool
def lookup(word: str) -> str:
    """Look a word up.

    Args:
        word: The word.
    """
    return f"{WORD} {word}"


# From 2.2 on it asks for a conversation held by the server first; our refusal makes it go on without (clients §2).
runner = client.beta.messages.tool_runner(
    model=MODEL, max_tokens=500, tools=[lookup], messages=[{"role": "user", "content": PROMPT}]
)
print("tool runner:", text_of(runner.until_done()))
