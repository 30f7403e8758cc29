"""litellm: a tool round through its own HTTP client, whole and streamed."""

import json
import os

import litellm

PARAMETERS = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
FUNCTION = {"name": "lookup", "description": "Look a word up", "parameters": PARAMETERS}
ASK = {
    "model": "anthropic/claude-opus-5-5",
    "api_base": os.environ["ANTHROPIC_BASE_URL"],
    "api_key": os.environ["ANTHROPIC_API_KEY"],
    "tools": [{"type": "function", "function": FUNCTION}],
}

messages = [{"role": "user", "content": '<<CALL lookup {"word":"x"}>>'}]
first = litellm.completion(messages=messages, **ASK).choices[0].message
assert json.loads(first.tool_calls[0].function.arguments) == {"word": "x"}, first
result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": os.environ["WORD"]}
messages += [first.model_dump(), result]
print("whole:", litellm.completion(messages=messages, **ASK).choices[0].message.content)
parts = litellm.completion(messages=messages, stream=True, **ASK)
print("streamed:", "".join(part.choices[0].delta.content or "" for part in parts))
