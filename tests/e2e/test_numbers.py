"""Token numbers as clients see them: exact when the service tells, learnt when it does not, the same everywhere."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import HELD, STREAM, Proxy, events_of, request_of, running_proxy
from tests.upstream.wire import Peer, Server, serving

CLIENTS = Path(__file__).parent.parent / "clients"
MODEL = "claude-opus-4-8"
COUNT = "/v1/messages/count_tokens"
LONG = "Afterwards, everybody had tea and talked about the weather of last summer. " * 60
CODE = (
    "    for number, (name, value) in enumerate(sorted(table.items()), start=1):\n        rows.append([name, value])\n"
)


async def count(proxy: Proxy, request: Any) -> int:
    return int((await proxy.client.post(COUNT, json=request)).json()["input_tokens"])


def usage_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    (delta,) = [event for event in events if event["type"] == "message_delta"]
    return dict(delta["usage"])


# --- what the service tells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("model", [MODEL, "claude-sonnet-4-5", "claude-gpt-5.6-sol"])
async def test_the_service_s_own_figure_in_every_mode(model: str, exact: bool, proxy: Proxy) -> None:
    """The percentage is of the model's own window, a million tokens or 200,000 or 272,000."""
    proxy.simulator.chat.sends_token_usage = exact
    proxy.simulator.chat.hidden_tokens = 4000
    await proxy.ask(LONG, model=model)
    figure = (await proxy.ask(LONG, model=model)).json()["usage"]
    held = events_of((await proxy.ask(LONG, model=model, stream=True, path=HELD)).text)
    live = events_of((await proxy.ask(LONG, model=model, stream=True)).text)
    assert usage_of(held) == usage_of(live) == figure
    assert held[0]["message"]["usage"]["input_tokens"] == figure["input_tokens"]
    said = json.loads(proxy.simulator.requests[-1].body)["conversationState"]["currentMessage"]["userInputMessage"]
    assert abs(figure["input_tokens"] - 4000 - len(said["content"]) / 4) < 100
    assert (figure["cache_read_input_tokens"], figure["cache_creation_input_tokens"]) == (0, 0)


async def test_without_a_figure_the_estimate_stands(proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.steps({"text": "Hello"}, {"end": True})
    estimate = await count(proxy, request_of(LONG, model=MODEL))
    assert (await proxy.ask(LONG, model=MODEL)).json()["usage"]["input_tokens"] == estimate


# --- learning -----------------------------------------------------------------------------------------------------


def recorded() -> list[Any]:
    """What real clients send, without pictures, of which nobody can know what they cost, and without lone searches."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(CLIENTS.rglob("*.json"))]
    wanted = [text for text in texts if '"type": "image"' not in text and '"web_search_20' not in text]
    return [body for text in wanted if (body := json.loads(text)["body"]) and body.get("messages")]


def grown(body: Any, chance: random.Random) -> Any:
    """The request after some more turns of prose and code, as sessions grow."""
    turns: list[Any] = []
    for _ in range(chance.randrange(12)):
        text = (CODE * 60 if chance.random() < 0.6 else LONG)[: chance.randrange(200, 6000)]
        turns += [{"role": "user", "content": text}, {"role": "assistant", "content": f"Noted. {text[:800]}"}]
    kept = {key: body[key] for key in ("system", "tools") if key in body}
    return {**kept, "model": MODEL, "max_tokens": 1000, "messages": [*turns, *body["messages"]]}


async def errors(proxy: Proxy, requests: list[Any]) -> list[float]:
    """For each request in turn, by how much count_tokens is off from the service's own figure."""
    found = []
    for request in requests:
        counted = await count(proxy, request)
        answer = await proxy.client.post(STREAM, json=request)
        assert answer.status_code == 200, answer.text
        found.append(abs(counted / answer.json()["usage"]["input_tokens"] - 1))
    return found


@pytest.mark.parametrize(("ratio", "hidden"), [(1.0, 0), (1.3, 4000), (0.8, 4000)])
async def test_estimates_improve_with_use(ratio: float, hidden: int, proxy: Proxy) -> None:
    """The stated error (docs/models-and-tokens.md): 5 % on average once twenty answers have been seen."""
    proxy.simulator.chat.token_ratio, proxy.simulator.chat.hidden_tokens = ratio, hidden
    chance, bodies = random.Random(7), recorded()
    requests = [grown(bodies[number % len(bodies)], chance) for number in range(40)]
    found = await errors(proxy, requests)
    before, after = statistics.mean(found[:3]), statistics.mean(found[20:])
    assert after < 0.05
    assert after < before / 2
    entry = (await proxy.client.get(f"/v1/models/{MODEL}")).json()["token_estimate"]
    assert entry["samples"] >= 20
    assert entry["overhead"] == pytest.approx(hidden, abs=600)


async def test_what_was_learnt_survives_a_restart_and_is_told(
    simulator: RunningSimulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from kiro_rs_py.cli.counting import print_count

    simulator.simulator.chat.hidden_tokens = 4000
    request = request_of(LONG, model=MODEL)
    async with running_proxy(simulator, tmp_path) as proxy:
        raw = await count(proxy, request)
        for _ in range(3):
            figure = (await proxy.client.post(STREAM, json=request)).json()["usage"]["input_tokens"]
        learnt = await count(proxy, request)
        assert abs(learnt - figure) < abs(raw - figure) / 5
        assert await count(proxy, {**request, "model": "claude-sonnet-5"}) == raw
    async with running_proxy(simulator, tmp_path) as proxy:
        assert await count(proxy, request) == learnt
        live = events_of((await proxy.client.post(STREAM, json={**request, "stream": True})).text)
        assert live[0]["message"]["usage"]["input_tokens"] == learnt
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request))
    print_count(file=str(file), breakdown=True, credentials=tmp_path / "credentials.json")
    told = capsys.readouterr().out.splitlines()
    assert "learnt from 4 answers" in told[-2]
    assert abs(int(told[-1].split()[-1]) - learnt) < 0.01 * learnt


async def test_the_number_in_a_refusal_is_larger_than_the_maximum(proxy: Proxy) -> None:
    """Whatever was learnt: clients compact by these two numbers (clients §1.2)."""
    proxy.simulator.chat.token_ratio = 0.6
    for _ in range(4):
        await proxy.ask(LONG, model=MODEL)
    message = (await proxy.ask("word " * 200_000, model=MODEL)).json()["error"]["message"]
    tokens, maximum = [int(word) for word in message.split() if word.isdigit()]
    assert tokens > maximum == 1_000_000


# --- the remote counter -------------------------------------------------------------------------------------------


@asynccontextmanager
async def remote(answer: bytes | None) -> AsyncIterator[Server]:
    """A token counter that gives this body, or takes requests and says nothing."""

    async def handle(peer: Peer) -> None:
        await peer.read_request()
        if answer is None:
            await peer.closed()
            return
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        await peer.send(head.encode() + answer)

    async with serving(handle) as server:
        yield server


async def test_the_remote_counter(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with remote(b'{"input_tokens": 4711}') as server:
        settings: dict[str, Any] = {
            "count_tokens_api_url": f"http://127.0.0.1:{server.port}/v1/messages/count_tokens?beta=true",
            "count_tokens_api_key": "sk-remote",
            "count_tokens_auth_type": "bearer",
        }
        async with running_proxy(simulator, tmp_path, **settings) as proxy:
            request = request_of(LONG, model="claude-sonnet-4-5-thinking", system="Be brief.")
            assert await count(proxy, request) == 4711
            live = events_of((await proxy.client.post(STREAM, json={**request, "stream": True})).text)
            assert live[0]["message"]["usage"]["input_tokens"] == 4711
            assert usage_of(live)["input_tokens"] not in (4711, 0)
    head, _, body = server.peers[0].received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/messages/count_tokens?beta=true HTTP/1.1\r\n")
    assert b"Bearer sk-remote" in head
    assert json.loads(body) == {
        "model": "claude-sonnet-4-5-20250929",
        "messages": [{"role": "user", "content": LONG}],
        "system": [{"type": "text", "text": "Be brief."}],
    }


async def test_a_silent_remote_counter_delays_nobody(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with remote(None) as server:
        url = f"http://127.0.0.1:{server.port}/"
        async with running_proxy(simulator, tmp_path, count_tokens_api_url=url) as proxy:
            with trio.fail_after(4):
                live = events_of((await proxy.ask(LONG, model=MODEL, stream=True)).text)
            assert live[-1]["type"] == "message_stop"
            assert live[0]["message"]["usage"]["input_tokens"] > 1000


async def test_a_broken_remote_counter_is_left_alone(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with remote(b"<html>") as server:
        url = f"http://127.0.0.1:{server.port}/"
        async with running_proxy(simulator, tmp_path, count_tokens_api_url=url) as proxy:
            for _ in range(6):
                assert await count(proxy, request_of(LONG, model=MODEL)) > 1000
    assert len(server.peers) == 3
