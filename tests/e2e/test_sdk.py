"""Anthropic's own Python SDK against the proxy: what it makes of our answers (clients §2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anthropic
import pytest
import trio
from anthropic import Anthropic
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

from kiro_rs_py.simulator.app import CHAT
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import KEY, Proxy, running_proxy, wait_for

pytestmark = pytest.mark.real_client

T = TypeVar("T")

MODEL = "claude-opus-5-5"  # the SDK warns of the models it thinks deprecated

READ: ToolParam = {
    "name": "read_file",
    "description": "Reads a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}


@pytest.fixture(params=["", "/cc", "/cc/"])
def base(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def with_sdk(proxy: Proxy, work: Callable[[Anthropic], T], base: str = "", **options: Any) -> T:
    """``work`` in a thread with a client; strict, so that every missing member of an answer is an error."""

    def run() -> T:
        settings: dict[str, Any] = {"api_key": KEY, "max_retries": 0, "_strict_response_validation": True} | options
        with Anthropic(base_url=proxy.url + base, **settings) as client:
            return work(client)

    return await trio.to_thread.run_sync(run)


def ask(text: str) -> list[MessageParam]:
    return [{"role": "user", "content": text}]


def without_id(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "id"}


async def test_create(proxy: Proxy, base: str) -> None:
    def work(client: Anthropic) -> anthropic.types.Message:
        return client.messages.create(model=MODEL, max_tokens=100, messages=ask("<<SAY hello>>"))

    message = await with_sdk(proxy, work, base)
    assert [block.to_dict() for block in message.content] == [{"type": "text", "text": "hello"}]
    assert (message.stop_reason, message.model, message.role) == ("end_turn", MODEL, "assistant")
    assert message.usage.output_tokens > 0
    assert message.usage.cache_read_input_tokens == 0
    assert message._request_id
    assert message._request_id.startswith("req_")


async def test_stream(proxy: Proxy, base: str) -> None:
    def work(client: Anthropic) -> tuple[str, anthropic.types.Message, list[str]]:
        with client.messages.stream(model=MODEL, max_tokens=100, messages=ask("<<SAY a b c>>")) as stream:
            types = [event.type for event in stream]
            return stream.get_final_text(), stream.get_final_message(), types  # type: ignore[return-value]

    text, message, types = await with_sdk(proxy, work, base)
    assert text == "a b c"
    assert message.stop_reason == "end_turn"
    assert types[0] == "message_start"
    assert types[-1] == "message_stop"


async def test_the_accumulated_stream_is_the_plain_answer(proxy: Proxy, base: str) -> None:
    call = f"<<SAY first>> <<CALL read_file {json.dumps({'path': '/tmp/ä b'})}>>"

    def work(client: Anthropic) -> tuple[Any, Any]:
        wish: Any = {"model": MODEL, "max_tokens": 100, "messages": ask(call), "tools": [READ]}
        with client.messages.stream(**wish) as stream:
            streamed = stream.get_final_message()
        return streamed, client.messages.create(**wish)

    streamed, plain = await with_sdk(proxy, work, base)
    assert [block.type for block in plain.content] == [block.type for block in streamed.content]
    for left, right in zip(streamed.content, plain.content, strict=True):
        assert without_id(left.to_dict()) == without_id(right.to_dict())
    assert (streamed.stop_reason, streamed.usage.to_dict()) == (plain.stop_reason, plain.usage.to_dict())


async def test_a_tool_loop(proxy: Proxy, base: str) -> None:
    def work(client: Anthropic) -> str:
        messages = ask('<<CALL read_file {"path": "/etc/motd"}>>')
        for _ in range(5):
            answer = client.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=[READ])
            messages.append({"role": "assistant", "content": answer.content})
            calls = [block for block in answer.content if block.type == "tool_use"]
            if not calls:
                return "".join(block.text for block in answer.content if block.type == "text")
            assert answer.stop_reason == "tool_use"
            results: list[ToolResultBlockParam] = [
                {"type": "tool_result", "tool_use_id": call.id, "content": f"nonce-4711 of {call.input['path']}"}
                for call in calls
            ]
            messages.append({"role": "user", "content": results})
        raise AssertionError("the loop does not end")

    assert "nonce-4711 of /etc/motd" in await with_sdk(proxy, work, base)


async def test_count_tokens(proxy: Proxy, base: str) -> None:
    def work(client: Anthropic) -> int:
        return client.messages.count_tokens(model=MODEL, messages=ask("How many?"), tools=[READ]).input_tokens

    assert await with_sdk(proxy, work, base) > 10


async def test_models(proxy: Proxy, base: str) -> None:
    def work(client: Anthropic) -> tuple[list[str], str]:
        first = client.models.list(limit=3)
        assert len(first.data) == 3
        every = [model.id for model in client.models.list(limit=3)]
        return every, client.models.retrieve(every[-1]).display_name

    ids, name = await with_sdk(proxy, work, base)
    assert len(ids) == len(set(ids)) > 10
    assert name


async def test_the_old_header_and_version(proxy: Proxy) -> None:
    old = {"x-api-key": KEY, "authorization": "", "anthropic-version": "2023-06-01"}

    def work(client: Anthropic) -> str:
        message = client.messages.create(
            model=MODEL,
            max_tokens=100,
            messages=ask("<<SAY old>>"),
            extra_headers=old,
            extra_body={"temperature": 0.5},
        )
        return str(message.content[0].to_json())

    assert '"old"' in await with_sdk(proxy, work)


ERRORS: list[tuple[str, type[anthropic.APIStatusError]]] = [
    ("malformed", anthropic.BadRequestError),
    ("no-model", anthropic.NotFoundError),
    ("suspend", anthropic.PermissionDeniedError),
    ("throttle", anthropic.RateLimitError),
    ("internal", anthropic.InternalServerError),
]


@pytest.mark.parametrize(("fault", "kind"), ERRORS, ids=[case[0] for case in ERRORS])
async def test_errors_are_the_sdk_s_own_classes(fault: str, kind: type[anthropic.APIStatusError], proxy: Proxy) -> None:
    def work(client: Anthropic) -> None:
        client.messages.create(model=MODEL, max_tokens=100, messages=ask(f"<<FAULT {fault}>>"))

    with pytest.raises(kind) as caught:
        await with_sdk(proxy, work)
    assert caught.value.request_id
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "error"


async def test_a_wrong_key(proxy: Proxy) -> None:
    def work(client: Anthropic) -> None:
        client.messages.create(model=MODEL, max_tokens=100, messages=ask("hi"))

    with pytest.raises(anthropic.AuthenticationError):
        await with_sdk(proxy, work, api_key="wrong", max_retries=5)
    assert not proxy.simulator.counts[CHAT]


async def test_a_failure_in_mid_stream_is_raised(proxy: Proxy) -> None:
    def work(client: Anthropic) -> None:
        prompt = ask("<<SAY one two three four five six>> <<FAULT cut-stream>>")
        with client.messages.stream(model=MODEL, max_tokens=100, messages=prompt) as stream:
            stream.until_done()

    with pytest.raises(anthropic.APIStatusError) as caught:
        await with_sdk(proxy, work)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "api_error"


async def test_a_stream_that_is_left_frees_the_upstream(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = Scenario.steps({"text": "a"}, {"hang": True})

    def work(client: Anthropic) -> None:
        with client.messages.stream(model=MODEL, max_tokens=100, messages=ask("hi")) as stream:
            next(iter(stream.text_stream))

    async with running_proxy(simulator, tmp_path) as proxy:
        await with_sdk(proxy, work)
        await wait_for(lambda: not simulator.simulator.active)
    assert simulator.simulator.aborted == 1
