"""Anthropic's SDK parsing structured answers out of what the model made of them."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import Anthropic
from pydantic import BaseModel

from kiro_rs_py.simulator.scenario import Scenario
from tests.e2e.test_sdk import MODEL, ask, with_sdk
from tests.proxy import Proxy

pytestmark = pytest.mark.real_client


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


FENCED = 'Sure!\n```json\n{"name": "Ada {L.}", "age": 36, "tags": ["a", "b"]}\n```\nAnything else?'


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("base", ["", "/cc"])
async def test_a_fenced_answer_is_parsed(streamed: bool, base: str, proxy: Proxy) -> None:
    proxy.simulator.scenario = Scenario.steps({"text": FENCED})

    def work(client: Anthropic) -> Any:
        if not streamed:
            made = client.messages.parse(model=MODEL, max_tokens=100, messages=ask("Who?"), output_format=Person)
            return made.parsed_output
        wish: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": ask("Who?"), "output_format": Person}
        with client.messages.stream(**wish) as stream:
            return stream.get_final_message().parsed_output

    assert await with_sdk(proxy, work, base) == Person(name="Ada {L.}", age=36, tags=["a", "b"])


async def test_the_simulated_model_keeps_to_the_schema(proxy: Proxy) -> None:
    def work(client: Anthropic) -> Any:
        made = client.messages.parse(model=MODEL, max_tokens=100, messages=ask("Who?"), output_format=Person)
        return made.parsed_output

    assert await with_sdk(proxy, work) == Person(name="simulated", age=0, tags=[])
