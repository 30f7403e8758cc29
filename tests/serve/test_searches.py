"""Searching for a model, and the request that only searches; the upstream is a script and the clock jumps."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest
import trio
import trio.testing

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.convert.rounds import SearchCall
from kiro_rs_py.convert.search_results import SearchErrorCode, SearchOutcome
from kiro_rs_py.convert.websearch import MAX_QUERY_CHARACTERS, DomainFilter, SearchPlan
from kiro_rs_py.errors import (
    AccountSuspended,
    CodecError,
    ContextWindowFull,
    KiroError,
    NoUsableCredential,
    QuotaExhausted,
    RefreshFailed,
    Throttled,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from kiro_rs_py.serve.request_log import RequestRecord
from kiro_rs_py.serve.searches import Searches, code_of
from tests.serve.in_memory import Answer, Client, ask
from tests.serve.scripted import app_of, body_of, events_of, types_of
from tests.serve.searching import FOUND, SEARCH, SearchingClient

LIVE, HELD = "/v1/messages", "/cc/v1/messages"
WHOLE = [
    *("message_start", "content_block_start", "ping", "content_block_delta", "content_block_stop"),
    *("content_block_start", "content_block_stop"),
    *("content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"),
]


def searches_of(client: SearchingClient, max_uses: int = 5, domains: DomainFilter | None = None) -> Searches:
    plan = SearchPlan("web_search", max_uses, domains or DomainFilter())
    return Searches(cast(Any, client), plan, request_id="req_1", record=RequestRecord("POST"))


def calls(*queries: str) -> list[SearchCall]:
    return [SearchCall(f"srvtoolu_{number}", f"tooluse_{number}", query) for number, query in enumerate(queries)]


# --- a model's searches -------------------------------------------------------------------------------------------


async def test_searches_of_one_turn_run_at_the_same_time(autojump_clock: trio.testing.MockClock) -> None:
    client = SearchingClient(found={"a": 3.0, "b": SearchOutcome(), "c": 1.0})
    assert await searches_of(client).run(calls("a", "b", "c")) == [FOUND, SearchOutcome(), FOUND]
    assert client.most_at_once == 3
    assert trio.current_time() == 3


async def test_no_more_than_allowed() -> None:
    client = SearchingClient()
    searches = searches_of(client, max_uses=3)
    over = SearchOutcome(error="max_uses_exceeded")
    assert await searches.run(calls("a", "b")) == [FOUND, FOUND]
    assert await searches.run(calls("c", "d")) == [FOUND, over]
    assert not searches.spent
    # It is told once more, then the turn is over.
    assert await searches.run(calls("e")) == [over]
    assert not searches.spent
    assert await searches.run(calls("f")) == [over]
    assert searches.spent
    assert sorted(client.queries) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "query, code",
    [("", "invalid_tool_input"), (" \n", "invalid_tool_input"), ("x" * (MAX_QUERY_CHARACTERS + 1), "query_too_long")],
)
async def test_queries_that_are_none(query: str, code: SearchErrorCode) -> None:
    client = SearchingClient()
    searches = searches_of(client, max_uses=1)
    assert await searches.run(calls(query)) == [SearchOutcome(error=code)]
    assert not client.queries
    # It counts all the same, or there would be no end.
    assert await searches.run(calls("good")) == [SearchOutcome(error="max_uses_exceeded")]


async def test_domains_are_filtered_here() -> None:
    blocked = searches_of(SearchingClient(), domains=DomainFilter(blocked=("a.example",)))
    assert await blocked.run(calls("q")) == [SearchOutcome()]


CODES: list[tuple[KiroError, SearchErrorCode]] = [
    (Throttled("slow down"), "too_many_requests"),
    (NoUsableCredential("nobody", cause=Throttled("slow down")), "too_many_requests"),
    (NoUsableCredential("nobody"), "unavailable"),
    (QuotaExhausted("used up"), "unavailable"),
    (UpstreamOverloaded("busy"), "unavailable"),
    (UpstreamUnavailable("down"), "unavailable"),
    (UpstreamTimeout("late"), "unavailable"),
    (UpstreamRejected("no"), "unavailable"),
    (CodecError("damaged"), "unavailable"),
    (ContextWindowFull("too long"), "query_too_long"),
]


@pytest.mark.parametrize("error, code", CODES)
async def test_failures_have_anthropics_codes(error: KiroError, code: SearchErrorCode) -> None:
    assert code_of(error) == code
    assert await searches_of(SearchingClient(found=[error])).run(calls("q")) == [SearchOutcome(error=code)]


# --- a lone search ------------------------------------------------------------------------------------------------


def lone(**fields: Json) -> bytes:
    usual: dict[str, Json] = {"tools": [SEARCH], "messages": [{"role": "user", "content": "trio"}]}
    return body_of(**(usual | fields))


async def search(client: SearchingClient, path: str = LIVE, **fields: Json) -> Answer:
    return await ask(app_of(client), "POST", path, lone(**fields))


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_a_lone_search_is_streamed(path: str) -> None:
    client = SearchingClient()
    answer = await search(client, path, stream=True)
    assert types_of(answer.body) == WHOLE
    assert (client.queries, client.asked) == (["trio"], [])
    events = events_of(answer.body)
    assert events[1]["content_block"]["id"] == events[5]["content_block"]["tool_use_id"]
    assert events[1]["content_block"]["id"].startswith("srvtoolu_")
    assert events[-2]["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert "server_tool_use" not in events[0]["message"]["usage"]


@pytest.mark.parametrize("path", [LIVE, HELD])
async def test_a_lone_search_is_a_message_without_stream(path: str) -> None:
    answer = await search(SearchingClient(), path)
    assert answer.headers["content-type"] == "application/json"
    assert [block["type"] for block in answer.json["content"]] == ["server_tool_use", "web_search_tool_result", "text"]
    assert answer.json["stop_reason"] == "end_turn"
    assert answer.json["usage"]["server_tool_use"]["web_search_requests"] == 1


async def test_any_model_will_do_and_stays_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answer = await search(SearchingClient(), model="tell-nobody")
    assert answer.json["model"] == "tell-nobody"
    assert "tell-nobody" not in caplog.text
    assert "trio" not in caplog.text
    assert " searches=1 " in caplog.text


@pytest.mark.parametrize("error, code", CODES)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_search_that_fails_is_told_in_the_message(
    error: KiroError, code: SearchErrorCode, stream: bool
) -> None:
    if isinstance(error, NoUsableCredential | QuotaExhausted):
        return
    answer = await search(SearchingClient(found=[error]), stream=stream)
    assert answer.status == 200
    content = events_of(answer.body)[5]["content_block"] if stream else answer.json["content"][1]
    assert content["content"] == {"type": "web_search_tool_result_error", "error_code": code}


ACCOUNTS: list[tuple[KiroError, int, str]] = [
    (NoUsableCredential("nobody"), 503, "overloaded_error"),
    (NoUsableCredential("nobody", cause=Throttled("slow")), 429, "rate_limit_error"),
    (QuotaExhausted("used up"), 429, "rate_limit_error"),
    (UpstreamUnauthorized("no"), 401, "authentication_error"),
    (AccountSuspended("locked"), 403, "permission_error"),
    (RefreshFailed("later"), 503, "api_error"),
]


@pytest.mark.parametrize("error, status, type_", ACCOUNTS)
@pytest.mark.parametrize("path", [LIVE, HELD])
@pytest.mark.parametrize("stream", [True, False])
async def test_without_an_account_it_has_a_status(
    error: KiroError, status: int, type_: str, path: str, stream: bool
) -> None:
    answer = await search(SearchingClient(found=[error]), path, stream=stream)
    assert (answer.status, answer.json["error"]["type"]) == (status, type_)


async def test_max_uses_of_nothing() -> None:
    client = SearchingClient()
    answer = await search(client, tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 0}])
    assert answer.json["content"][1]["content"]["error_code"] == "max_uses_exceeded"
    assert not client.queries


async def test_a_query_that_is_too_long() -> None:
    answer = await search(SearchingClient(), messages=[{"role": "user", "content": "x" * 3000}])
    assert answer.json["content"][1]["content"]["error_code"] == "query_too_long"


async def test_a_search_without_a_query() -> None:
    answer = await search(SearchingClient(), messages=[{"role": "user", "content": ""}])
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


async def test_a_bug_is_a_bug() -> None:
    answer = await search(SearchingClient(found=[RuntimeError("secret")]))
    assert answer.status == 500
    assert b"secret" not in answer.body


def told(answer: Answer) -> list[tuple[int, list[str]]]:
    return [(round(at), types_of(part)) for at, part in answer.parts]


@pytest.mark.parametrize("path, first", [(LIVE, 50), (HELD, 25)])
async def test_pings_while_it_searches(path: str, first: int, autojump_clock: trio.testing.MockClock) -> None:
    answer = await search(SearchingClient(found=[55.0]), path, stream=True)
    assert told(answer)[0] == (first, ["ping"])
    assert told(answer)[-1] == (55, WHOLE)


async def test_without_an_account_after_a_ping_it_is_an_event(autojump_clock: trio.testing.MockClock) -> None:
    class Late(SearchingClient):
        async def search(self, query: str, *, request_id: str) -> Any:
            await trio.sleep(60)
            raise NoUsableCredential("nobody")

    answer = await search(Late(), stream=True)
    assert [types for _, types in told(answer)] == [["ping"], ["error"]]
    assert answer.complete


@pytest.mark.parametrize("path", [LIVE, HELD])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_the_search(
    path: str, stream: bool, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted = SearchingClient(found=[1000.0])
    client = Client(app_of(scripted))
    client.say(lone(stream=stream))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "POST", path)
        await trio.sleep(10)
        client.leave()
    assert scripted.left.is_set()
    assert trio.current_time() == 10
    assert "(client left)" in caplog.text
