"""``serve --dump``: what lands in the folder says nothing, decodes, and plays the same answer again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kiro_rs_py.codec.inspection import inspect
from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.scenario import Scenario, parse_scenario
from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import Proxy, running_proxy

TOOLS: Json = [{"name": "Write", "description": "Writes.", "input_schema": {"type": "object", "properties": {}}}]
THINKING: Json = {"type": "enabled", "budget_tokens": 2000}
PROMPT = '<<SAY My secret plan>> <<CALL Write {"file_path": "/home/alice/x", "content": "secret\\nlines \\u00e4"}>>'
SECRETS = ("secret", "alice", "Alice", "plan")


def shape_of(message: dict[str, Any]) -> tuple[object, ...]:
    """What must be the same when the answer is played back."""
    blocks = [(block["type"], len(json.dumps(block.get("text", block.get("input"))))) for block in message["content"]]
    return message["stop_reason"], message["usage"], blocks


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*.{ending}"))


async def ask(proxy: Proxy, prompt: str = PROMPT) -> dict[str, Any]:
    answer: dict[str, Any] = (await proxy.ask(prompt, tools=TOOLS, thinking=THINKING)).json()
    return answer


async def test_what_is_dumped_can_be_played_back(simulator: RunningSimulator, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with running_proxy(simulator, first, dump_dir=folder) as proxy:
        told = await ask(proxy)
    [path] = files(folder, "eventstream")
    data = path.read_bytes()
    assert not [word for word in SECRETS if word.encode() in data]
    assert not any(piece.problems for piece in inspect(data))
    assert [block["type"] for block in told["content"]] == ["thinking", "text", "tool_use"]

    simulator.simulator.scenario = Scenario.steps({"raw": data.hex()})
    async with running_proxy(simulator, second) as proxy:
        again = await ask(proxy)
    assert shape_of(again) == shape_of(told)
    assert again["content"][2]["input"]["file_path"] == "/xxxx/xxxxx/x"


async def test_failures_are_dumped_as_well(simulator: RunningSimulator, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    async with running_proxy(simulator, tmp_path, dump_dir=folder) as proxy:
        cut = await ask(proxy, f"{PROMPT} <<FAULT cut-stream>>")
        refused = await ask(proxy, f"{PROMPT} <<FAULT no-model>>")
        requests = [answer["request_id"] for answer in (cut, refused)]
    [stream], [answer] = files(folder, "eventstream"), files(folder, "json")
    assert requests[0] in stream.name
    assert requests[1] in answer.name
    assert [piece.problems != () for piece in inspect(stream.read_bytes())][-2:] == [False, True]
    simulator.simulator.scenario = parse_scenario({"replies": [json.loads(answer.read_text())]})
    (tmp_path / "again").mkdir()
    async with running_proxy(simulator, tmp_path / "again") as proxy:
        again = await ask(proxy)
    assert again["error"] == refused["error"]


async def test_without_it_nothing_is_written(simulator: RunningSimulator, tmp_path: Path) -> None:
    async with running_proxy(simulator, tmp_path) as proxy:
        await ask(proxy)
    assert not files(tmp_path, "eventstream")
