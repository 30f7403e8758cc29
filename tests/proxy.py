"""The proxy on a real socket in front of a simulated Kiro, for end-to-end tests."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.run import serve
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import RunningSimulator

KEY = "kiro-test-key-0123456789"
MODEL = "claude-sonnet-4-5"
STREAM, HELD = "/v1/messages", "/cc/v1/messages"
SAY_HELLO = "<<SAY hello>>"


@dataclass(frozen=True)
class Proxy:
    """A running proxy. ``client`` sends the key; setting ``stop`` lets the proxy end as a signal would."""

    url: str
    config: Config
    simulator: Simulator
    client: httpx.AsyncClient
    stop: trio.Event

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    async def ask(self, prompt: str = SAY_HELLO, *, path: str = STREAM, **fields: Json) -> httpx.Response:
        """One whole exchange; the request is ``request_of(prompt, **fields)``."""
        return await self.client.post(path, json=request_of(prompt, **fields))


def request_of(prompt: str = SAY_HELLO, **fields: Json) -> JsonObject:
    """A small Messages request; ``fields`` replace or add members."""
    messages: Json = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "max_tokens": 1000, "messages": messages, **fields}


def raw_request(path: str = STREAM, prompt: str = SAY_HELLO, *, header: str = "", **fields: Json) -> bytes:
    """The same as bytes for a bare socket, with the key; ``header`` is one more line of the head."""
    body = json.dumps(request_of(prompt, **fields)).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n{header}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def events_of(text: str) -> list[dict[str, Any]]:
    """The data of the Server-Sent Events in ``text``, pings left out."""
    events = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]
    return [event for event in events if event["type"] != "ping"]


def text_of(events: Sequence[dict[str, Any]]) -> str:
    """The visible text of a streamed message."""
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)


async def wait_for(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Look until ``condition`` holds: for what happens in another process or on the other side of a socket."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


@asynccontextmanager
async def running_proxy(
    simulator: RunningSimulator,
    folder: Path,
    *,
    credentials: Sequence[JsonObject] | None = None,
    **settings: Any,
) -> AsyncGenerator[Proxy, None]:
    """A proxy with the given accounts (default: the simulator's first), stopped at once when the block is left."""
    path = folder / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(list(credentials or [simulator.simulator.credential_json()])))
    defaults: dict[str, Any] = {"port": 0, "api_key": KEY, "shutdown_grace_seconds": 0.0}
    config = Config(credentials_path=path, upstream_url=simulator.url, **(defaults | settings))
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, config, stop=stop, handle_signals=False))
        headers = {"x-api-key": KEY}
        async with httpx.AsyncClient(base_url=address.url, headers=headers, timeout=60, trust_env=False) as client:
            yield Proxy(address.url, config, simulator.simulator, client, stop)
        stop.set()
