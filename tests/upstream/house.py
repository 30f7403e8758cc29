"""Client, pool and simulator put together, as a server would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.events import AssistantText, KiroEvent
from kiro_rs_py.convert.kiro import ConversationState, UserMessage
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import CHAT, Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.beside import tasks_beside
from kiro_rs_py.upstream.client import KiroClient
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus, open_pool
from kiro_rs_py.upstream.refresh import Refresher
from kiro_rs_py.upstream.stream import KiroStream
from tests.upstream.memory import MemoryCredentialStore, MemoryStateStore


@asynccontextmanager
async def watched(stream: KiroStream) -> AsyncIterator[None]:
    """Look after ``stream`` meanwhile, as the delivery of an answer does. The block's exception comes out as it is."""

    async def watch() -> None:
        while True:  # noqa: ASYNC110  # a clock, not a condition
            await trio.sleep_until(stream.look(trio.current_time()))

    async with tasks_beside() as nursery:
        nursery.start_soon(watch)
        yield


@dataclass(frozen=True)
class House:
    config: Config
    client: KiroClient
    pool: CredentialPool
    http: HttpClients
    simulator: Simulator

    async def ask(
        self, text: str = "hello", *, input_tokens: int = 0, window: int = 200_000
    ) -> tuple[list[KiroEvent], KiroStream]:
        """All events of one answer."""
        events: list[KiroEvent] = []
        asked = self.client.converse(
            conversation(text), request_id="req_test", input_tokens=input_tokens, window=window
        )
        async with asked as stream, watched(stream):
            while (read := await stream.next_events()) is not None:
                assert read
                events += read
        return events, stream

    async def say(self, text: str = "hello") -> str:
        """The text of one answer."""
        events, _ = await self.ask(text)
        return text_of(events)

    def status(self, credential_id: int = 1) -> CredentialStatus:
        return next(status for status in self.pool.snapshot() if status.id == credential_id)

    @property
    def chats(self) -> int:
        """How many chat calls have reached the simulator."""
        return self.simulator.counts[CHAT]


def conversation(text: str = "hello") -> ConversationState:
    return ConversationState(
        conversation_id="8bb5523b-ec7c-4540-a9ca-beb6d79f1552",
        continuation_id="3f0c1f5e-8a35-4b0c-9a0e-0d9d8a4b8c11",
        model_id="claude-sonnet-4.5",
        current=UserMessage(text),
    )


def text_of(events: Sequence[KiroEvent]) -> str:
    return "".join(event.content for event in events if isinstance(event, AssistantText))


@asynccontextmanager
async def open_house(
    *accounts: Account, simulator: Simulator | None = None, fields: JsonObject | None = None, **settings: Any
) -> AsyncIterator[House]:
    """A house with ``accounts`` (default: one), in their order as credentials #1, #2, …; ``settings`` are the Config's,
    ``fields`` go into each credential. Pauses between attempts are real but have no jitter."""
    accounts = accounts or (Account(name="one"),)
    simulator = simulator or Simulator(accounts=accounts)
    async with open_simulator(simulator) as running:
        config = Config(**{"upstream_url": running.url, **settings})
        entries: list[JsonObject] = [
            {"id": number, **simulator.credential_json(account.name), **(fields or {})}
            for number, account in enumerate(accounts, 1)
        ]
        http = HttpClients(config)
        async with (
            open_pool(
                config,
                MemoryCredentialStore(json.dumps(entries)),
                MemoryStateStore(),
                Refresher(http, config),
                jitter=lambda: 0.0,
                background=False,
            ) as pool,
        ):
            yield House(config, KiroClient(config, pool, http, jitter=lambda: 0.0), pool, http, simulator)
