"""A client for the simulator: bodies as Kiro's clients write them, answers as frames."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import trio

from kiro_rs_py.codec.decoder import EventStreamDecoder
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.app import CHAT, Simulator
from kiro_rs_py.simulator.refusal import Refusal
from kiro_rs_py.simulator.server import open_simulator

MODEL = "claude-sonnet-4.5"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass(frozen=True)
class Reply:
    """``events`` are (type, payload) pairs; exceptions have ``!`` before their type, errors ``!!`` and a text."""

    status: int
    headers: httpx.Headers
    content: bytes
    events: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return "".join(payload["content"] for kind, payload in self.events if kind == "assistantResponseEvent")

    @property
    def kinds(self) -> list[str]:
        """Event types, repetitions folded."""
        kinds: list[str] = []
        for kind, _ in self.events:
            if not kinds or kinds[-1] != kind:
                kinds.append(kind)
        return kinds

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """Complete tool calls: name and arguments."""
        inputs: dict[str, str] = {}
        found = []
        for kind, payload in self.events:
            if kind != "toolUseEvent":
                continue
            use_id = payload["toolUseId"]
            inputs[use_id] = inputs.get(use_id, "") + payload.get("input", "")
            if payload.get("stop") is True:
                found.append((payload["name"], json.loads(inputs[use_id])))
        return found


class Talk:
    """``token`` is the bearer of the simulator's first account; None sends none."""

    def __init__(self, url: str, simulator: Simulator, client: httpx.AsyncClient) -> None:
        self.url = url
        self.simulator = simulator
        self.client = client
        self.token: str | None = str(simulator.credential_json().get("accessToken", ""))

    async def call(
        self, method: str, path: str, body: Json = None, *, headers: dict[str, str] | None = None, **more: Any
    ) -> Reply:
        """One request with the bearer token; ``more`` goes to httpx."""
        all_headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        all_headers |= headers or {}
        content: dict[str, Any] = {} if body is None else {"json": body}
        response = await self.client.request(method, path, headers=all_headers, **content, **more)
        is_stream = response.headers.get("content-type") == "application/vnd.amazon.eventstream"
        events = decode(response.content) if is_stream else []
        return Reply(response.status_code, response.headers, response.content, events)

    async def connect(self) -> trio.SocketStream:
        """A bare socket."""
        return await trio.open_tcp_stream("127.0.0.1", int(self.url.rpartition(":")[2]))

    async def ask_bare(self, *more: str) -> trio.SocketStream:
        """A chat request on a bare socket, with an empty object as its body; ``more`` are lines of its head."""
        stream = await self.connect()
        lines = [f"POST {CHAT} HTTP/1.1", "host: x", f"authorization: Bearer {self.token}", *more, "content-length: 2"]
        await stream.send_all("\r\n".join([*lines, "", "{}"]).encode())
        return stream

    async def chat(self, body: Json = None, **more: Any) -> Reply:
        return await self.call("POST", CHAT, chat_body() if body is None else body, **more)

    async def say(self, prompt: str, **fields: Any) -> Reply:
        return await self.chat(chat_body(prompt, **fields))


@asynccontextmanager
async def talking(simulator: Simulator | None = None) -> AsyncGenerator[Talk, None]:
    """A simulator on a socket and a client for it."""
    async with (
        open_simulator(simulator) as running,
        httpx.AsyncClient(base_url=running.url, timeout=30, trust_env=False) as client,
    ):
        yield Talk(running.url, running.simulator, client)


async def eventually(condition: Callable[[], bool]) -> None:
    """For what the other side of a socket does next."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.005)


def decode(data: bytes) -> list[tuple[str, Any]]:
    """All frames; raises what the codec raises."""
    decoder = EventStreamDecoder()
    decoder.receive_data(data)
    events: list[tuple[str, Any]] = []
    while (frame := decoder.next_frame()) is not None:
        headers = {name: str(value) for name, value in frame.headers.items() if isinstance(value, str)}
        match headers[":message-type"]:
            case "event":
                events.append((headers[":event-type"], json.loads(frame.payload)))
            case "exception":
                events.append(("!" + headers[":exception-type"], json.loads(frame.payload)))
            case _:
                events.append(("!!" + headers[":error-code"], frame.payload.decode()))
    decoder.receive_eof()
    return events


# --- bodies -----------------------------------------------------------------------------------------------------


def chat_body(
    content: str = "hello",
    *,
    model: str = MODEL,
    history: Sequence[JsonObject] = (),
    tools: Sequence[JsonObject] = (),
    results: Sequence[JsonObject] = (),
    images: Sequence[JsonObject] = (),
    **root: Json,
) -> JsonObject:
    """A whole request body; ``root`` members stand beside ``conversationState``."""
    current = user(content, results=results, images=images)["userInputMessage"]
    assert isinstance(current, dict)
    current["modelId"] = model
    context = current.setdefault("userInputMessageContext", {})
    assert isinstance(context, dict)
    if tools:
        context["tools"] = list[Json](tools)
    state: JsonObject = {
        "agentContinuationId": "3f0c2b1a-0000-4000-8000-000000000000",
        "agentTaskType": "vibe",
        "chatTriggerType": "MANUAL",
        "currentMessage": {"userInputMessage": current},
        "conversationId": "8bb5523b-ec7c-4540-a9ca-beb6d79f1552",
    }
    if history:
        state["history"] = list[Json](history)
    return {"conversationState": state, **root}


def user(
    content: str = "hello", *, results: Sequence[JsonObject] = (), images: Sequence[JsonObject] = ()
) -> JsonObject:
    message: JsonObject = {"content": content, "origin": "AI_EDITOR"}
    if images:
        message["images"] = list[Json](images)
    if results:
        message["userInputMessageContext"] = {"toolResults": list[Json](results)}
    return {"userInputMessage": message}


def assistant(content: str = "hi", *, uses: Sequence[JsonObject] = (), **fields: Json) -> JsonObject:
    message: JsonObject = {"content": content, **fields}
    if uses:
        message["toolUses"] = list[Json](uses)
    return {"assistantResponseMessage": message}


def use(use_id: str = "t1", name: str = "Read", arguments: Json = None) -> JsonObject:
    return {"toolUseId": use_id, "name": name, "input": {} if arguments is None else arguments}


def result(use_id: str = "t1", text: str = "done") -> JsonObject:
    return {"toolUseId": use_id, "content": [{"text": text}], "status": "success"}


def tool(name: str = "Read", schema: Json = None, description: str = "Reads a file") -> JsonObject:
    default: JsonObject = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return {
        "toolSpecification": {
            "name": name,
            "description": description,
            "inputSchema": {"json": default if schema is None else schema},
        }
    }


def image(format_: str = "png", data: str = PNG) -> JsonObject:
    return {"format": format_, "source": {"bytes": data}}


# --- refusals ---------------------------------------------------------------------------------------------------


def refusal_of(check: Callable[[], object]) -> Refusal | None:
    """What ``check`` refuses, None if it does not."""
    try:
        check()
    except Refusal as refused:
        return refused
    return None


def verdict(check: Callable[[], object]) -> str | None:
    """The refusal's reason, or its message when it has none; None when nothing is refused."""
    refused = refusal_of(check)
    return None if refused is None else (refused.reason or refused.message)


def as_object(value: Json) -> JsonObject:
    return cast("JsonObject", value)
