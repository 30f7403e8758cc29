"""Points 6 to 11 of clients §4: streams, failures, long answers, numbers. See test_acceptance for the whole list."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.app import CHAT
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.e2e.acceptance import CLIENTS, READ, check_grammar, converse, recorded, said
from tests.proxy import HELD, STREAM, Proxy, events_of, running_proxy

# --- 6: the stream ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [STREAM, HELD])
async def test_6_order_and_framing(path: str, proxy: Proxy) -> None:
    prompt = '<<SAY Line\u2028 one\r\n\r\ntwo>> <<CALL Read {"path": "a\\n\\nevent: x"}>>'
    thinking: Json = {"type": "enabled", "budget_tokens": 2000}
    response = await proxy.ask(prompt, path=path, stream=True, tools=[READ], thinking=thinking)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert check_grammar(response.text) == ["thinking", "text", "tool_use"]


def test_6_pings_by_default() -> None:
    """300 seconds of silence end Claude Code's stream, and proxies in between may have less patience."""
    assert 0 < Config().ping_interval_seconds <= 60


@pytest.mark.parametrize("path", [STREAM, HELD])
async def test_6_pings_belong_to_the_grammar(path: str, simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.scenario = Scenario.steps(
        {"pause": 0.3}, {"text": "a"}, {"pause": 0.3}, {"tool": {"name": "Read", "input": {"path": "a"}}}
    )
    async with running_proxy(simulator, tmp_path, ping_interval_seconds=0.1) as proxy:
        response = await proxy.ask(path=path, stream=True, tools=[READ])
    assert response.text.count("event: ping\n") >= 3
    assert check_grammar(response.text) == ["text", "tool_use"]


# --- 7: failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [STREAM, HELD])
async def test_7_too_long_after_a_ping_heals_itself(path: str, simulator: RunningSimulator, tmp_path: Path) -> None:
    """With a ping out, no status is left to give. Clients then ask again without stream, where there is one."""
    simulator.simulator.scenario = Scenario.steps(
        {"pause": 0.3}, {"exception": {"name": "ContentLengthExceededException"}}
    )
    async with running_proxy(simulator, tmp_path, ping_interval_seconds=0.1) as proxy:
        response = await proxy.ask(path=path, stream=True)
        again = await proxy.ask(path=path)
    assert response.status_code == 200
    assert response.text.startswith("event: ping\n")
    [event] = events_of(response.text)
    assert (event["type"], event["error"]["type"]) == ("error", "invalid_request_error")
    assert again.status_code == 400
    assert re.fullmatch(r"prompt is too long: \d+ tokens > \d+ maximum", again.json()["error"]["message"])


# --- 9: without stream ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["", "/cc"])
async def test_9_a_whole_turn_of_claude_code_without_stream(base: str, proxy: Proxy) -> None:
    """Its fallback: the request as it was, without stream and with 64,000 tokens to answer in."""
    path = next(path for path in CLIENTS if "first-turn-all-25-tools" in path.stem)
    body = {**recorded(path)["body"], "max_tokens": 64000}
    del body["stream"]
    words = " ".join(f"word{number}" for number in range(20_000))
    body["messages"] = [{"role": "user", "content": f'<<SAY {words}>> <<CALL Bash {{"command": "true"}}>>'}]
    message = (await proxy.client.post(f"{base}/v1/messages?beta=true", json=body)).json()
    assert said(message) == words
    assert (message["content"][-1]["name"], message["stop_reason"]) == ("Bash", "tool_use")


@pytest.mark.parametrize("path", [STREAM, HELD])
async def test_9_a_slow_one_may_take_longer_than_any_silence(
    path: str, simulator: RunningSimulator, tmp_path: Path
) -> None:
    """The limits are for silence of the upstream, not for the answer."""
    step: list[JsonObject] = [{"pause": 0.3}, {"text": "a"}]
    simulator.simulator.scenario = Scenario.steps(*step * 5)
    limits: dict[str, Any] = {
        "first_event_timeout_seconds": 1.0,
        "idle_timeout_seconds": 1.0,
        "ping_interval_seconds": 0.1,
    }
    async with running_proxy(simulator, tmp_path, **limits) as proxy:
        assert said(await converse(proxy, path)) == "aaaaa"


# --- 10: numbers and models -------------------------------------------------------------------------------------------


async def test_10_twenty_five_counts_at_once(proxy: Proxy) -> None:
    """As /context asks for them: no request to Kiro for any."""
    path = next(path for path in CLIENTS if "count-tokens" in path.stem)
    answers: list[httpx.Response] = []

    async def count() -> None:
        answers.append(await proxy.client.post("/v1/messages/count_tokens?beta=true", json=recorded(path)["body"]))

    async with trio.open_nursery() as nursery:
        for _ in range(25):
            nursery.start_soon(count)
    assert [response.status_code for response in answers] == [200] * 25
    assert len({response.json()["input_tokens"] for response in answers}) == 1
    assert not proxy.simulator.counts[CHAT]


@pytest.mark.parametrize("path", [STREAM, HELD])
async def test_10_usage_is_in_both_events(path: str, proxy: Proxy) -> None:
    events = events_of((await proxy.ask(path=path, stream=True)).text)
    started, ended = events[0]["message"]["usage"], events[-2]["usage"]
    for usage in (started, ended):
        assert usage["input_tokens"] > 0
        assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (0, 0)
    assert ended["output_tokens"] > 0


@pytest.mark.parametrize("base", ["", "/cc"])
async def test_10_the_models_list(base: str, proxy: Proxy) -> None:
    document = (await proxy.client.get(f"{base}/v1/models?limit=1000")).json()
    ids = [model["id"] for model in document["data"]]
    assert (document["first_id"], document["last_id"], document["has_more"]) == (ids[0], ids[-1], False)
    for model in document["data"]:
        assert (model["type"], model["lifecycle"]) == ("model", "active")
        assert model["display_name"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", model["created_at"])
