"""An ASGI conversation without sockets, so that clocks may jump."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing

from kiro_rs_py.serve.app import App

KEY = "kiro-test-key-0123456789"


@dataclass
class Answer:
    """What the app sent, and when each part went out (Trio's clock)."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[tuple[float, bytes]] = field(default_factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(part for _, part in self.parts)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def send(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()
        match message["type"]:
            case "http.response.start":
                assert not self.status, "two starts"
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            case "http.response.body":
                assert self.status, "a body before the start"
                assert not self.complete, "a body after the end"
                if message["body"]:
                    self.parts.append((trio.current_time(), message["body"]))
                self.complete = not message.get("more_body", False)


class Client:
    """Sends one request to an app; ``say`` adds body parts and ``leave`` hangs up."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.answer = Answer()
        self._to_app, self._receive = trio.open_memory_channel[Any](1000)

    def say(self, body: bytes, *, more: bool = False) -> None:
        self._to_app.send_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        self._to_app.send_nowait({"type": "http.disconnect"})

    async def call(
        self, method: str, path: str, *, headers: Iterable[tuple[str, str]] = (), key: str | None = KEY
    ) -> Answer:
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        if key is not None:
            raw.append((b"x-api-key", key.encode()))
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": raw,
            "client": ("127.0.0.1", 4711),
        }
        await self.app(scope, self._receive.receive, self.answer.send)
        return self.answer


async def ask(
    app: App,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    headers: Iterable[tuple[str, str]] = (),
    key: str | None = KEY,
) -> Answer:
    """One whole exchange."""
    client = Client(app)
    client.say(body)
    if body:
        headers = [*headers, ("content-length", str(len(body)))]
    return await client.call(method, path, headers=headers, key=key)
