"""What the acceptance tests share: recorded requests, answers that must succeed, and the grammar of a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.app import CHAT
from tests.proxy import HELD, STREAM, Proxy, events_of

CLIENTS = sorted((Path(__file__).parent.parent / "clients").glob("*/*.json"))
MODES = [(STREAM, True), (STREAM, False), (HELD, True), (HELD, False)]
SCHEMA: JsonObject = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ: JsonObject = {"name": "Read", "description": "Reads a file.", "input_schema": SCHEMA}


def recorded(path: Path) -> dict[str, Any]:
    """A request as a real client sent it: path, query, headers and body."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def state_of(proxy: Proxy) -> dict[str, Any]:
    """The conversation that Kiro was last sent."""
    state: dict[str, Any] = proxy.simulator.requests_to(CHAT)[-1].json_object["conversationState"]  # type: ignore[assignment]
    return state


def current_of(proxy: Proxy) -> dict[str, Any]:
    current: dict[str, Any] = state_of(proxy)["currentMessage"]["userInputMessage"]
    return current


async def converse(proxy: Proxy, path: str = STREAM, **fields: Any) -> dict[str, Any]:
    """The message that answers a request, which must succeed, in any mode."""
    return message_of(await proxy.ask(path=path, **fields))


def message_of(response: httpx.Response) -> dict[str, Any]:
    """The message of an answer in any mode."""
    assert response.status_code == 200, response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        return folded(events_of(response.text))
    message: dict[str, Any] = response.json()
    return message


def folded(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a stream adds up to in the eyes of Anthropic's SDK, which is strict."""
    types = [event["type"] for event in events]
    assert [types.count(type_) for type_ in ("message_start", "message_delta", "message_stop")] == [1, 1, 1]
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in events:
        snapshot = accumulate_event(event=STEP.validate_python(event), current_snapshot=snapshot, json_bufs=buffers)
    message: dict[str, Any] = json.loads(snapshot.model_dump_json(exclude_unset=True))
    return message


def said(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


# --- the stream -------------------------------------------------------------------------------------------------------

STEP: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
EVENT = re.compile(r"event: (\w+)\ndata: (\{[^\n]*\})\n\n")
DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "web_search_tool_result": set[str](),
}


def check_grammar(text: str) -> list[str]:
    """Every byte is an event of ``event:`` and ``data:``; the order is Anthropic's; one block is open at a time.

    Returns the types of the blocks.
    """
    assert EVENT.sub("", text) == ""
    events = [(name, json.loads(data)) for name, data in EVENT.findall(text)]
    assert all(name == event["type"] for name, event in events)
    kept = [event for name, event in events if name != "ping"]
    assert [kept[0]["type"], kept[-2]["type"], kept[-1]["type"]] == ["message_start", "message_delta", "message_stop"]
    blocks: list[str] = []
    opened: str | None = None
    for event in kept[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert opened is None
                opened = event["content_block"]["type"]
                blocks.append(opened)
            case "content_block_delta":
                assert opened is not None
                assert event["delta"]["type"] in DELTAS[opened]
            case "content_block_stop":
                assert opened is not None
                opened = None
            case other:
                raise AssertionError(other)
        assert event["index"] == len(blocks) - 1
    assert opened is None
    assert kept[-2]["delta"]["stop_reason"]
    assert kept[-2]["usage"]["output_tokens"] > 0
    return blocks
