"""Web searches against the simulator: what is sent, failover, failures, cancellation."""

from __future__ import annotations

import json
import logging
import re

import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.search_results import SearchOutcome
from kiro_rs_py.errors import (
    AccountSuspended,
    KiroError,
    QuotaExhausted,
    Throttled,
    UpstreamRejected,
    UpstreamUnavailable,
)
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import MCP
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.leases import Succeeded
from kiro_rs_py.upstream.mcp import SearchClient, SearchReply, search_body
from tests.upstream.house import House, open_house
from tests.upstream.test_client import OneCredential, TwoHosts
from tests.upstream.wire import Peer, answering, serving

ARN = "arn:aws:codewhisperer:us-east-1:000000000001:profile/P1"
ONE, TWO = "one", "two"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
NOTHING = b'{"id":"1","jsonrpc":"2.0","error":{"code":-32602,"message":"Tool returned no results"}}'


FAULTS: dict[str, tuple[int, JsonObject]] = {
    "throttle": (429, {"message": "Too many requests"}),
    "quota": (402, {"reason": "MONTHLY_REQUEST_COUNT", "message": "You have reached the limit."}),
    "suspend": (403, {"reason": "TEMPORARILY_SUSPENDED", "message": "suspended"}),
}


async def search(house: House, query: str = "trio") -> SearchReply:
    return await house.client.search(query, request_id="req_test")


async def test_a_search() -> None:
    async with open_house(Account(name=ONE, profile_arn=ARN)) as house:
        reply = await search(house, 'ü "trio"')
        assert reply.outcome.error is None
        assert [hit.url for hit in reply.outcome.hits][:2] == ["https://example.com/1", "https://example.com/2"]
        assert reply.outcome.hits[0].page_age == "January 15, 2026"
        assert (reply.credential_id, reply.attempts) == (1, 1)
        (request,) = house.simulator.requests_to(MCP)
        assert request.header("x-amzn-kiro-profile-arn") == ARN
        assert request.header("x-amzn-codewhisperer-optout") is None
        assert request.json_object["params"] == {"name": "web_search", "arguments": {"query": 'ü "trio"'}}
        status = house.status()
        assert (status.success_count, status.failure_count, status.in_flight) == (1, 0, 0)


def test_the_call() -> None:
    body = json.loads(search_body("q"))
    assert (body["jsonrpc"], body["method"]) == ("2.0", "tools/call")
    assert re.fullmatch(r"web_search_tooluse_[A-Za-z0-9]{22}_\d{13}_[a-z0-9]{8}", body["id"])
    assert json.loads(search_body("q"))["id"] != body["id"]
    assert "ü".encode() in search_body("ü")


async def test_an_api_key_is_sent_with_its_type() -> None:
    async with open_house(Account(name="key", method="api_key")) as house:
        assert (await search(house)).outcome.hits
        (request,) = house.simulator.requests_to(MCP)
        assert request.header("tokentype") == "API_KEY"


async def test_nothing_found_is_a_success() -> None:
    async with open_house() as house:
        house.simulator.management.search_results = []
        assert (await search(house)).outcome == SearchOutcome()
        assert house.status().success_count == 1


async def test_a_refusal_in_the_answer_is_an_outcome(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kiro_rs_py.upstream")
    async with open_house() as house:
        error: JsonObject = {"code": -32602, "message": "query is too long"}
        house.simulator.fail_next(MCP, 200, {"id": "1", "jsonrpc": "2.0", "result": None, "error": error})
        assert (await search(house, "tell-nobody")).outcome == SearchOutcome(error="query_too_long")
        assert house.status().success_count == 1
    assert "query is too long" in caplog.text
    assert "tell-nobody" not in caplog.text


@pytest.mark.parametrize("fault", ["throttle", "quota", "suspend"])
async def test_another_account_takes_over(fault: str) -> None:
    async with open_house(Account(name=ONE), Account(name=TWO)) as house:
        house.simulator.fail_next(MCP, *FAULTS[fault])
        reply = await search(house)
        assert (reply.credential_id, reply.attempts) == (2, 2)
        assert house.status(1).state != "active"


@pytest.mark.parametrize(
    "fault, kind", [("throttle", Throttled), ("quota", QuotaExhausted), ("suspend", AccountSuspended)]
)
async def test_alone_it_is_told(fault: str, kind: type[KiroError]) -> None:
    async with open_house() as house:
        house.simulator.fail_next(MCP, *FAULTS[fault])
        with pytest.raises(kind):
            await search(house)
        assert house.simulator.counts[MCP] == 1


async def test_a_refused_token_is_refreshed_once() -> None:
    async with open_house() as house:
        house.simulator.fail_next(MCP, 403, {"message": "The bearer token included in the request is invalid."})
        assert (await search(house)).attempts == 2


async def test_a_moment_of_bad_luck() -> None:
    async with open_house() as house:
        house.simulator.fail_next(MCP, 500, {"message": "oops"})
        assert (await search(house)).attempts == 2


@pytest.mark.parametrize(
    "status, body, kind",
    [
        (400, {"message": "Improperly formed request."}, UpstreamRejected),
        (200, {"__type": "com.amazon#ThrottlingException", "message": "slow"}, Throttled),
        (200, "<html>sign in</html>", UpstreamUnavailable),
        (200, "[]", UpstreamUnavailable),
        (200, "[" * 100_000, UpstreamUnavailable),
    ],
)
async def test_answers_that_are_none(status: int, body: dict[str, str] | str, kind: type[KiroError]) -> None:
    async with open_house() as house:
        house.simulator.fail_next(MCP, status, body, times=3)  # type: ignore[arg-type]
        with pytest.raises(kind):
            await search(house)


async def test_a_broken_connection() -> None:
    async with open_house() as house:
        house.simulator.fail_next(MCP, drop=True, times=3)
        with pytest.raises(UpstreamUnavailable):
            await search(house)
        assert house.simulator.counts[MCP] == 3


async def test_cancelled_in_the_middle() -> None:
    async with open_house() as house, trio.open_nursery() as nursery:
        hold = house.simulator.hold_next(MCP)
        nursery.start_soon(search, house)
        await hold.arrived.wait()
        nursery.cancel_scope.cancel()
    status = house.status()
    assert (status.in_flight, status.success_count, status.failure_count) == (0, 0, 0)


async def test_leaving_closes_the_socket() -> None:
    async def silent(peer: Peer) -> None:
        await peer.read_request()
        arrived.set()
        await peer.closed()

    arrived = trio.Event()
    async with serving(silent) as server:
        config, pool = Config(upstream_url=f"http://127.0.0.1:{server.port}"), OneCredential()
        http = HttpClients(config)
        async with trio.open_nursery() as nursery:
            client = SearchClient(config, pool, http, TwoHosts(config, server.port, server.port))
            nursery.start_soon(lambda: client.search("q", request_id="req_test"))
            await arrived.wait()
            nursery.cancel_scope.cancel()
            await server.wait_ended(1)


@pytest.mark.parametrize("gone", [b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", None])
async def test_auto_goes_from_q_to_runtime(gone: bytes | None) -> None:
    async with serving(answering(gone or b"")) as first, serving(answering(JSON_HEAD + NOTHING)) as second:
        config, pool = Config(), OneCredential()
        port = first.port
        if gone is None:
            # Nobody listens there any more.
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listeners[0].socket.getsockname()[1]
            await listeners[0].aclose()
        http = HttpClients(config)
        client = SearchClient(config, pool, http, TwoHosts(config, port, second.port))
        for _ in range(2):
            assert (await client.search("q", request_id="req_test")).outcome == SearchOutcome()
        assert len(second.peers) == 2
        assert pool.outcomes == [Succeeded(), Succeeded()]
