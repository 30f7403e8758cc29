"""pydantic-ai: an agent with a tool, and one whose answer has a type."""

import os

from pydantic import BaseModel
from pydantic_ai import Agent

WORD = os.environ["WORD"]
MODEL = "anthropic:claude-opus-5-5"


class Found(BaseModel):
    word: str


agent = Agent(MODEL)


@agent.tool_plain
def lookup(word: str) -> str:
    """Look a word up."""
    return f"{WORD} {word}"


print("tool:", agent.run_sync('<<CALL lookup {"word":"x"}>>').output)
# For newer models it asks for JSON by a schema, for others by a tool it names final_result.
typed = Agent(MODEL, output_type=Found).run_sync(f'<<SAY {{"word":"{WORD}"}}>>')
print("typed:", typed.output.word)
