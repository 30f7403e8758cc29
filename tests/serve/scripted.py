"""A Kiro client that follows a script, for tests in which the clock jumps."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.convert.events import AssistantText, ContextUsage, KiroEvent
from kiro_rs_py.convert.kiro import ConversationState
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.serve.app import App
from kiro_rs_py.serve.in_flight import InFlight
from kiro_rs_py.serve.messages import Messages
from kiro_rs_py.upstream.attempts import Tally
from tests.serve.in_memory import KEY

Step: TypeAlias = "float | Sequence[KiroEvent] | Exception"
"""A pause in seconds, the events of one read, or a failure."""

HELLO: tuple[Step, ...] = ([AssistantText("Hello")], [AssistantText(" world"), ContextUsage(5.0)])


class ScriptedStream:
    attempts = 2
    upstream_request_id = "up-1"

    def __init__(self, steps: Sequence[Step], credential_id: int) -> None:
        self.credential_id = credential_id
        self._steps = list(steps)

    def look(self, now: float) -> float:
        return math.inf

    async def next_events(self) -> list[KiroEvent] | None:
        await trio.lowlevel.checkpoint()
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, int | float):
                await trio.sleep(step)
            else:
                return list(step)
        return None


class ScriptedClient:
    """``before`` happens before the first event is there, ``steps`` afterwards. ``freed`` when the answer was left."""

    idle_seconds = math.inf

    def __init__(self, *steps: Step, before: Sequence[float | Exception] = ()) -> None:
        self.steps = steps
        self.before = before
        self.asked: list[ConversationState] = []
        self.freed = trio.Event()
        self.credential_id = 7

    @asynccontextmanager
    async def converse(
        self, conversation: ConversationState, *, tally: Tally, **_: Any
    ) -> AsyncIterator[ScriptedStream]:
        self.asked.append(conversation)
        tally.attempts += ScriptedStream.attempts
        tally.retries += ScriptedStream.attempts - 1
        tally.credential_id = self.credential_id
        try:
            for step in self.before:
                if isinstance(step, Exception):
                    raise step
                await trio.sleep(step)
            yield ScriptedStream(self.steps, self.credential_id)
        finally:
            self.freed.set()


def app_of(client: ScriptedClient, in_flight: InFlight | None = None, **settings: Any) -> App:
    config = Config(api_key=KEY, **settings)
    messages = Messages(cast(Any, client), in_flight or InFlight(), config, ModelCatalog())
    return App(messages.routes(), config)


def body_of(**fields: Json) -> bytes:
    """A small request; ``fields`` replace or add members."""
    request: dict[str, Json] = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Say hello."}],
        **fields,
    }
    return json.dumps(request).encode()


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The data of the Server-Sent Events in ``body``."""
    return [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: ")]


def types_of(body: bytes) -> list[str]:
    return [event["type"] for event in events_of(body)]
