"""What to paste into clients so that they talk to this proxy (clients §1.1, §2)."""

from __future__ import annotations

import shlex

MODEL = "claude-sonnet-4-5"


def client_settings(url: str, key: str) -> str:
    """The block that ``serve`` prints: Claude Code, the Python SDK and curl, for the base URL and key.

    Claude Code and the SDKs add ``/v1`` themselves; with a base URL that has it they ask for ``/v1/v1/messages``.
    """
    quoted, header = shlex.quote(key), shlex.quote(f"x-api-key: {key}")
    request = f'{{"model": "{MODEL}", "max_tokens": 1024, "messages": [{{"role": "user", "content": "Hello"}}]}}'
    return f"""\
Claude Code:
  export ANTHROPIC_BASE_URL={url}
  export ANTHROPIC_AUTH_TOKEN={quoted}
  claude

Python SDK (pip install anthropic):
  from anthropic import Anthropic
  client = Anthropic(base_url="{url}", api_key="{key}")
  message = client.messages.create(
      model="{MODEL}", max_tokens=1024, messages=[{{"role": "user", "content": "Hello"}}]
  )
  print(message.content[0].text)

curl:
  curl {url}/v1/messages -H {header} -H "content-type: application/json" -d '{request}'

Clients that want the path in the base URL (opencode, Vercel AI SDK): {url}/v1
"""
