"""The model's answer in several rounds; one round alone is test_delivery.py's."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import trio
import trio.testing

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.convert.events import AssistantText, ContextUsage, Fault, Metadata
from kiro_rs_py.convert.kiro import AssistantMessage, ToolResult, ToolUse, UserMessage
from kiro_rs_py.convert.search_results import SearchOutcome
from kiro_rs_py.errors import NoUsableCredential, PromptTooLong, Throttled
from tests.serve.in_memory import Answer, Client, ask
from tests.serve.scripted import app_of, body_of, events_of, types_of
from tests.serve.searching import BOTH, SearchingClient, look, read, say

LIVE, HELD = "/v1/messages", "/cc/v1/messages"


async def stream(client: SearchingClient, path: str = LIVE) -> Answer:
    return await ask(app_of(client), "POST", path, body_of(stream=True, tools=BOTH))


async def plain(client: SearchingClient) -> Any:
    return (await ask(app_of(client), "POST", LIVE, body_of(tools=BOTH))).json


def blocks_of(body: bytes) -> list[str]:
    """The kinds of the blocks in the order of their indices, which must be 0, 1, …"""
    starts = [event for event in events_of(body) if event["type"] == "content_block_start"]
    assert [start["index"] for start in starts] == list(range(len(starts)))
    return [start["content_block"]["type"] for start in starts]


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_a_search_in_the_middle_of_a_message(path: str) -> None:
    client = SearchingClient([say("Look."), look("trio")], [say("Found "), say("it.")])
    answer = await stream(client, path)
    assert blocks_of(answer.body) == ["text", "server_tool_use", "web_search_tool_result", "text"]
    types = types_of(answer.body)
    assert [types.count(type_) for type_ in ("message_start", "message_delta", "message_stop")] == [1, 1, 1]
    assert events_of(answer.body)[-2]["delta"]["stop_reason"] == "end_turn"
    assert client.queries == ["trio"]


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_a_json_answer_after_a_search(path: str) -> None:
    """The only text is the JSON: clients parse every text of such an answer."""
    client = SearchingClient([say("Look."), look("trio")], [say('Here: {"a"'), say(": 1}")])
    schema: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
    demand: Json = {"format": {"type": "json_schema", "schema": schema}}
    answer = await ask(app_of(client), "POST", path, body_of(tools=BOTH, output_config=demand))
    kinds = [block["type"] for block in answer.json["content"]]
    assert kinds == ["server_tool_use", "web_search_tool_result", "text"]
    assert answer.json["content"][2]["text"] == '{"a": 1}'


async def test_what_the_model_is_asked_next() -> None:
    client = SearchingClient([say("Look."), look("trio")], [say("Done.")])
    await plain(client)
    first, second = client.asked
    use = ToolUse("tooluse_1", "web_search", {"query": "trio"})
    result = ToolResult("tooluse_1", "1. T\nURL: https://a.example/1\nPublished: January 1, 2026\nText.")
    assert second.history == (*first.history, first.current, AssistantMessage("Look.", (use,)))
    assert second.current == UserMessage("", tool_results=(result,))
    assert (second.conversation_id, second.tools) == (first.conversation_id, first.tools)


async def test_the_modes_agree() -> None:
    def client() -> SearchingClient:
        return SearchingClient([say("Look."), look()], [say("Done."), [ContextUsage(5.0)]])

    message = await plain(client())
    held = events_of((await stream(client(), HELD)).body)
    assert [block["type"] for block in message["content"]] == [
        *("text", "server_tool_use", "web_search_tool_result", "text")
    ]
    assert message["usage"] == held[-2]["usage"]
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert held[0]["message"]["usage"]["input_tokens"] == message["usage"]["input_tokens"]
    assert "server_tool_use" not in held[0]["message"]["usage"]


async def test_the_call_is_shown_before_its_result(autojump_clock: trio.testing.MockClock) -> None:
    answer = await stream(SearchingClient([say("Look."), look()], [say("Done.")], found=[10.0]))
    shown = [(round(at), types_of(part)) for at, part in answer.parts]
    assert (0, ["content_block_stop", "content_block_start", "content_block_delta", "content_block_stop"]) in shown
    assert (10, ["content_block_start", "content_block_stop"]) in shown


async def test_a_tool_of_the_clients_ends_the_message() -> None:
    client = SearchingClient([look(), read()])
    message = await plain(client)
    assert [block["type"] for block in message["content"]] == [
        *("server_tool_use", "tool_use", "web_search_tool_result")
    ]
    assert message["stop_reason"] == "tool_use"
    assert len(client.asked) == 1


async def test_failed_searches_are_told_to_client_and_model() -> None:
    errors = [Throttled("slow down"), NoUsableCredential("nobody")]
    client = SearchingClient([look("a", 1), look("b", 2)], [say("Sorry.")], found=errors)
    message = await plain(client)
    codes = [block["content"]["error_code"] for block in message["content"][2:4]]
    assert sorted(codes) == ["too_many_requests", "unavailable"]
    assert [result.is_error for result in client.asked[1].current.tool_results] == [True, True]
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 0


async def test_the_limit_is_told_and_the_model_may_still_answer() -> None:
    client = SearchingClient([look("a", 1)], [look("b", 2)], [look("c", 3)], [say("Done.")])
    message = await plain(client)
    results = [block["content"] for block in message["content"] if block["type"] == "web_search_tool_result"]
    assert results[2] == {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    assert message["stop_reason"] == "end_turn"
    assert client.queries == ["a", "b"]


async def test_a_model_that_does_not_stop_is_paused() -> None:
    client = SearchingClient(*([look(str(number), number)] for number in range(9)))
    message = await plain(client)
    assert message["stop_reason"] == "pause_turn"
    assert len(client.asked) == 4  # two that searched, two that were told not to
    assert client.queries == ["0", "1"]


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_a_failure_in_a_later_round(path: str) -> None:
    class Failing(SearchingClient):
        def converse(self, conversation: Any, **options: Any) -> Any:
            self.before = [Throttled("slow down")] if self.asked else []
            return super().converse(conversation, **options)

    answer = await stream(Failing([look()], [say("never")]), path)
    if path == LIVE:
        events = events_of(answer.body)
        assert blocks_of(answer.body) == ["server_tool_use", "web_search_tool_result"]
        assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", "rate_limit_error")
        assert "message_stop" not in types_of(answer.body)
    else:
        assert (answer.status, answer.json["error"]["type"]) == (429, "rate_limit_error")


async def test_a_later_round_that_breaks_in_the_middle() -> None:
    client = SearchingClient([look()], [say("Half"), [Fault("InternalServerException", "sorry")]])
    events = events_of((await stream(client)).body)
    assert [event["type"] for event in events[-2:]] == ["content_block_stop", "error"]


async def test_a_prompt_that_grew_too_long() -> None:
    class Full(SearchingClient):
        def converse(self, conversation: Any, **options: Any) -> Any:
            self.before = [PromptTooLong(210_000, 200_000)] if self.asked else []
            return super().converse(conversation, **options)

    answer = await ask(app_of(Full([look()], [])), "POST", LIVE, body_of(tools=BOTH))
    assert answer.status == 400
    assert answer.json["error"]["message"].startswith("prompt is too long: 210000")


@pytest.mark.parametrize("path", [LIVE, HELD])
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_full_window_without_an_answer_is_told_with_its_numbers(path: str, streamed: bool) -> None:
    """Without them Claude Code compacts the whole history again, which is too long as well (clients §1.2)."""
    answer = await ask(app_of(SearchingClient([[ContextUsage(100.0)]])), "POST", path, body_of(stream=streamed))
    assert answer.status == 400
    assert re.fullmatch(r"prompt is too long: \d+ tokens > 200000 maximum", answer.json["error"]["message"])


async def test_attempts_of_all_rounds_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await plain(SearchingClient([look()], [say("Done."), [Metadata("END_TURN")]]))
    assert " attempts=4 " in caplog.text
    assert " searches=1 " in caplog.text


async def test_a_client_that_leaves_during_a_search(autojump_clock: trio.testing.MockClock) -> None:
    scripted = SearchingClient([say("Look."), look()], found=[1000.0])
    client = Client(app_of(scripted))
    client.say(body_of(stream=True, tools=BOTH))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "POST", LIVE)
        await trio.sleep(10)
        client.leave()
    assert scripted.left.is_set()
    assert trio.current_time() == 10


async def test_pings_during_a_search(autojump_clock: trio.testing.MockClock) -> None:
    answer = await stream(SearchingClient([look()], [say("Done.")], found=[60.0]))
    pings = [round(at) for at, part in answer.parts if types_of(part) == ["ping"]]
    assert pings == [25, 50]


async def test_without_a_search_on_offer_the_conversation_is_let_go() -> None:
    client = SearchingClient([[AssistantText("Hello")]])
    answer = await ask(app_of(client), "POST", LIVE, body_of())
    assert answer.json["content"] == [{"type": "text", "text": "Hello"}]
    assert "server_tool_use" not in answer.json["usage"]


async def test_nothing_found() -> None:
    message = await plain(SearchingClient([look()], [say("Nothing.")], found=[SearchOutcome()]))
    assert message["content"][1]["content"] == []
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1


@pytest.mark.parametrize(("retry_after", "rested"), [(7.0, 7), (None, 0), (60.0, 0)])
async def test_a_worn_out_account_rests_before_the_next_round(
    retry_after: float | None, rested: int, autojump_clock: trio.testing.MockClock
) -> None:
    client = SearchingClient([look()], [say("Sorry.")], found=[Throttled("slow down", retry_after=retry_after)])
    message = await plain(client)
    assert message["content"][1]["content"]["error_code"] == "too_many_requests"
    assert trio.current_time() == rested
