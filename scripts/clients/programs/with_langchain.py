"""langchain-anthropic: a tool round, its answer whole and streamed, and a forced choice with a schema."""

import os

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

WORD = os.environ["WORD"]


@tool
def lookup(word: str) -> str:
    """Look a word up."""
    return f"{WORD} {word}"


plain = ChatAnthropic(model="claude-opus-5-5", max_tokens=500)
model = plain.bind_tools([lookup])
messages = [HumanMessage('<<CALL lookup {"word":"x"}>>')]
first = model.invoke(messages)
assert first.tool_calls[0]["args"] == {"word": "x"}, first
messages += [first, lookup.invoke(first.tool_calls[0])]
print("whole:", model.invoke(messages).text)
print("streamed:", "".join(part.text for part in model.stream(messages)))
forced = plain.bind_tools([lookup], tool_choice="lookup").invoke(f'<<CALL lookup {{"word":"{WORD}"}}>>')
print("forced:", forced.tool_calls[0]["args"]["word"])
