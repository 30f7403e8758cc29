"""The client against the simulator: attempts, failover, refresh, limits, cancellation and what the pool is told."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
import trio
import trio.testing

from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.events import Fault, KiroEvent, Metadata
from kiro_rs_py.convert.kiro import AssistantMessage, ReasoningContent, UserMessage
from kiro_rs_py.errors import (
    AccountSuspended,
    CodecError,
    ConfigError,
    EmptyAnswer,
    KiroError,
    ModelUnavailable,
    NoUsableCredential,
    PromptTooLong,
    QuotaExhausted,
    SignatureRejected,
    Throttled,
    TruncatedStream,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import CHAT, REFRESH, Simulator
from kiro_rs_py.simulator.scenario import Scenario
from kiro_rs_py.upstream.attempts import TRIES_PER_CREDENTIAL
from kiro_rs_py.upstream.client import KiroClient
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.leases import Failed, Lease, Outcome, Succeeded
from tests.upstream.house import House, conversation, open_house, text_of, watched
from tests.upstream.wire import Peer, answering, serving

ONE, TWO = "one", "two"


async def test_an_answer() -> None:
    async with open_house() as house:
        events, stream = await house.ask("<<SAY Hello there.>>")
        assert text_of(events) == "Hello there."
        assert any(isinstance(event, Metadata) for event in events)
        assert (stream.attempts, stream.credential_id) == (1, 1)
        (request,) = house.simulator.requests_to(CHAT)
        assert stream.upstream_request_id
        status = house.status()
        assert (status.success_count, status.failure_count, status.in_flight) == (1, 0, 0)
        assert " ".join(name for name, _ in request.headers) == (
            "content-type x-amzn-codewhisperer-optout x-amzn-kiro-agent-mode x-amz-user-agent user-agent host"
            " amz-sdk-invocation-id amz-sdk-request authorization connection accept content-length"
        )


async def test_the_profile_arn_is_the_serving_accounts() -> None:
    arns = [f"arn:aws:codewhisperer:us-east-1:00000000000{n}:profile/P{n}" for n in (1, 2)]
    accounts = [Account(name=f"a{n}", profile_arn=arn) for n, arn in enumerate(arns)]
    accounts[0].throttled = True
    async with open_house(*accounts) as house:
        await house.say()
        sent = [json.loads(request.body)["profileArn"] for request in house.simulator.requests_to(CHAT)]
        assert sent == arns


async def test_an_api_key_is_sent_without_arn_and_with_its_type() -> None:
    async with open_house(Account(name="key", method="api_key"), fields={"profileArn": "arn:aws:x"}) as house:
        await house.say()
        (request,) = house.simulator.requests_to(CHAT)
        assert request.header("tokentype") == "API_KEY"
        assert "profileArn" not in json.loads(request.body)


@pytest.mark.parametrize(
    "fault, state",
    [
        ("throttle", "cooling"),
        ("throttle 30", "cooling"),
        ("credit-rate", "cooling"),
        ("suspicious", "cooling"),
        ("quota", "exhausted"),
        ("suspend", "suspended"),
        ("json-error ThrottlingException", "cooling"),
        ("exception ThrottlingException", "cooling"),
        ("no-model", "active"),
    ],
)
async def test_an_accounts_trouble_costs_the_client_nothing_while_another_is_healthy(fault: str, state: str) -> None:
    async with open_house(Account(name=ONE, fault=fault), Account(name=TWO)) as house:
        events, stream = await house.ask("<<SAY fine>>")
        assert text_of(events) == "fine"
        assert (stream.attempts, stream.credential_id) == (2, 2)
        assert house.status(1).state == state
        assert house.status(2).state == "active"
        assert house.chats == 2


@pytest.mark.parametrize(
    "fault, kind",
    [
        ("throttle 30", Throttled),
        ("quota", QuotaExhausted),
        ("suspend", AccountSuspended),
        ("suspicious", Throttled),
        ("no-model", ModelUnavailable),
    ],
)
async def test_alone_it_is_told_at_once_and_asked_once(fault: str, kind: type[KiroError]) -> None:
    async with open_house() as house:
        with pytest.raises(kind):
            await house.ask(f"<<FAULT {fault}>>")
        assert house.chats == 1


async def test_retry_after_reaches_the_client() -> None:
    async with open_house() as house:
        with pytest.raises(Throttled) as caught:
            await house.ask("<<FAULT throttle 30>>")
        assert caught.value.retry_after == 30.0
        with pytest.raises(NoUsableCredential) as nobody:
            await house.ask()
        assert isinstance(nobody.value.cause, Throttled)
        assert house.chats == 1


async def test_a_throttle_without_a_time_gets_the_pools() -> None:
    async with open_house() as house:
        with pytest.raises(Throttled) as caught:
            await house.ask("<<FAULT throttle>>")
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 0


async def test_a_refused_token_is_refreshed_once_and_the_same_account_goes_on() -> None:
    async with open_house(Account(name=ONE), Account(name=TWO)) as house:
        events, stream = await house.ask("<<SAY fine>> <<FAULT expired>>")
        assert text_of(events) == "fine"
        assert (stream.attempts, stream.credential_id) == (2, 1)
        assert house.simulator.counts[REFRESH] == 1
        first, second = house.simulator.requests_to(CHAT)
        assert first.header("authorization") != second.header("authorization")


async def test_a_token_refused_again_after_its_refresh_moves_on() -> None:
    async with open_house(Account(name=ONE, fault="expired always"), Account(name=TWO)) as house:
        _, stream = await house.ask()
        assert (stream.attempts, stream.credential_id) == (3, 2)
        assert house.simulator.counts[REFRESH] == 1
        assert house.status(1).state == "cooling"


async def test_alone_a_refused_token_is_an_error_after_one_refresh() -> None:
    async with open_house() as house:
        with pytest.raises(UpstreamUnauthorized):
            await house.ask("<<FAULT expired always>>")
        assert (house.chats, house.simulator.counts[REFRESH]) == (2, 1)


@pytest.mark.parametrize(
    "fault",
    [
        "status 500",
        "gateway",
        "html",
        "connect-drop",
        "connect-reset",
        "unavailable",
        "overload",
        "high-load",
        "model-down",
        "exception InternalServerException",
        "exception NobodyKnowsException",
    ],
)
async def test_the_services_trouble_is_waited_out(fault: str) -> None:
    async with open_house() as house:
        events, stream = await house.ask(f"<<SAY fine>> <<FAULT {fault} once>>")
        assert text_of(events) == "fine"
        assert stream.attempts == 2
        assert house.status().state == "active"


async def test_the_services_trouble_prefers_another_account() -> None:
    async with open_house(Account(name=ONE, fault="status 500"), Account(name=TWO)) as house:
        _, stream = await house.ask()
        assert (stream.attempts, stream.credential_id) == (2, 2)
        assert house.status(1).state == "active"


async def test_lasting_trouble_of_the_service_is_tried_three_times_a_credential() -> None:
    async with open_house() as house:
        with pytest.raises(UpstreamUnavailable):
            await house.ask("<<FAULT status 500>>")
        assert house.chats == TRIES_PER_CREDENTIAL
        assert house.status().state == "active"


async def test_no_attempt_after_the_deadline() -> None:
    async with open_house(first_event_timeout_seconds=0.1) as house:
        with pytest.raises(UpstreamUnavailable):
            await house.ask("<<FAULT status 500>>")
        assert house.chats == 1


@pytest.mark.parametrize("fault", ["malformed", "status 422", "status 413", "exception ValidationException"])
async def test_a_bad_request_is_nobodys_fault_and_not_repeated(fault: str) -> None:
    async with open_house(Account(name=ONE), Account(name=TWO)) as house:
        with pytest.raises(UpstreamRejected):
            await house.ask(f"<<FAULT {fault}>>")
        assert house.chats == 1
        assert (house.status().state, house.status().failure_count) == ("active", 0)


@pytest.mark.parametrize("fault", ["too-long", "exception ContentLengthExceededException"])
async def test_too_long_says_so_in_anthropics_words(fault: str) -> None:
    async with open_house() as house:
        with pytest.raises(PromptTooLong) as caught:
            await house.ask(f"<<FAULT {fault}>>", input_tokens=1234, window=200_000)
        assert str(caught.value) == "prompt is too long: 200001 tokens > 200000 maximum"
        assert house.chats == 1


async def test_the_size_of_the_final_body_is_checked_before_sending() -> None:
    async with open_house(max_request_body_bytes=1000) as house:
        with pytest.raises(PromptTooLong) as caught:
            await house.ask("x" * 1000, input_tokens=300, window=200)
        assert str(caught.value) == "prompt is too long: 300 tokens > 200 maximum"
        assert house.chats == 0
        status = house.status()
        assert (status.in_flight, status.failure_count, status.success_count) == (0, 0, 0)
    async with open_house(max_request_body_bytes=0) as house:
        await house.say("x" * 1000)


async def test_a_refused_signature_is_sent_once_more_without_reasoning() -> None:
    thought = AssistantMessage("answer", reasoning=ReasoningContent("hm", "forged"))
    history = (UserMessage("question"), thought)
    async with open_house() as house:
        asked = replace(conversation("<<SAY fine>>"), history=history)
        async with house.client.converse(asked, request_id="req_test") as stream:
            assert await stream.next_events()
        first, second = (json.loads(request.body) for request in house.simulator.requests_to(CHAT))
        assert "reasoningContent" in first["conversationState"]["history"][1]["assistantResponseMessage"]
        assert "reasoningContent" not in second["conversationState"]["history"][1]["assistantResponseMessage"]


async def test_a_refused_signature_without_reasoning_is_told() -> None:
    async with open_house() as house:
        with pytest.raises(SignatureRejected):
            await house.ask("<<FAULT signature>>")
        assert house.chats == 1


@pytest.mark.parametrize("effort", [{"output_config": {"effort": "high"}}, {"reasoning": {"effort": "high"}}])
async def test_refused_fields_are_left_out_once(effort: JsonObject) -> None:
    """The list of models may be wrong about this account (upstream-protocol §1.10)."""
    async with open_house() as house:
        asked = replace(conversation("<<SAY fine>>"), extra_fields=effort)
        async with house.client.converse(asked, request_id="req_test") as stream:
            assert await stream.next_events()
        first, second = (json.loads(request.body) for request in house.simulator.requests_to(CHAT))
        assert first["additionalModelRequestFields"] == effort
        assert "additionalModelRequestFields" not in second


async def test_fields_and_signatures_are_left_out_one_after_the_other() -> None:
    thought = AssistantMessage("answer", reasoning=ReasoningContent("hm", "forged"))
    history = (UserMessage("question"), thought)
    async with open_house() as house:
        extra: JsonObject = {"output_config": {"effort": "high"}}
        asked = replace(conversation("<<SAY fine>>"), history=history, extra_fields=extra)
        async with house.client.converse(asked, request_id="req_test") as stream:
            assert await stream.next_events()
        assert house.chats == 3
        assert stream.attempts == 1


async def test_other_refusals_are_told_at_once() -> None:
    async with open_house() as house:
        asked = replace(conversation("<<FAULT malformed>>"), model_id="claude-opus-4.8")
        with pytest.raises(UpstreamRejected):
            async with house.client.converse(asked, request_id="req_test"):
                pass
        assert house.chats == 1


async def test_an_empty_answer_is_asked_for_once_more() -> None:
    async with open_house() as house:
        events, stream = await house.ask("<<SAY fine>> <<FAULT empty once>>")
        assert (text_of(events), stream.attempts) == ("fine", 2)
        with pytest.raises(EmptyAnswer):
            await house.ask("<<FAULT empty>>")
        assert house.chats == 4


async def test_a_wordless_end_on_purpose_is_an_answer() -> None:
    simulator = Simulator(accounts=[Account(name=ONE)])
    async with open_house(*simulator.accounts.values(), simulator=simulator) as house:
        refusal: JsonObject = {"frame": {"event": "metadataEvent", "payload": {"stopReason": "CONTENT_FILTERED"}}}
        simulator.scenario = Scenario.steps(refusal, {"end": True})
        events, _ = await house.ask()
        assert [event.stop_reason for event in events if isinstance(event, Metadata)] == ["CONTENT_FILTERED"]


@pytest.mark.parametrize("fault", ["no-headers", "slow-start 60"])
async def test_no_first_event_in_time(fault: str) -> None:
    async with open_house(first_event_timeout_seconds=0.2) as house:
        with pytest.raises(UpstreamTimeout):
            await house.ask(f"<<FAULT {fault}>>")
        assert house.chats == 1
        assert house.status().in_flight == 0


# --- after the first event --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, kind",
    [
        ("cut-stream", UpstreamUnavailable),
        ("reset-stream", UpstreamUnavailable),
        ("cut-frame", TruncatedStream),
        ("bad-crc", CodecError),
        ("bad-prelude", CodecError),
        ("bad-json", CodecError),
    ],
)
async def test_later_failures_are_never_tried_again(fault: str, kind: type[KiroError]) -> None:
    async with open_house(Account(name=ONE), Account(name=TWO)) as house:
        with pytest.raises(kind):
            await house.ask(f"<<SAY {'a few words ' * 20}>> <<FAULT {fault}>>")
        assert house.chats == 1
        assert (house.status().success_count, house.status().failure_count) == (0, 1)


async def test_a_late_exception_is_an_event_and_a_failure() -> None:
    async with open_house() as house:
        async with house.client.converse(
            conversation("<<SAY some words to begin with>> <<FAULT late-exception ThrottlingException>>"),
            request_id="req_test",
        ) as stream:
            events: list[KiroEvent] = []
            while not any(isinstance(event, Fault) for event in events):
                events += await stream.next_events() or []
        assert text_of(events)
        assert house.status().state == "cooling"


async def test_silence_in_the_middle() -> None:
    async with open_house(idle_timeout_seconds=0.2) as house:
        with pytest.raises(UpstreamTimeout):
            await house.ask("<<SAY one two three four>> <<FAULT stall>>")
        assert house.status().failure_count == 1
        await until_aborted(house)


async def test_slow_is_not_silent() -> None:
    async with open_house(idle_timeout_seconds=0.5) as house:
        events, _ = await house.ask("<<SAY one>> <<FAULT slow 0.2>>")
        assert text_of(events) == "one"


async def test_a_slow_client_is_not_the_upstreams_silence() -> None:
    async with (
        open_house(idle_timeout_seconds=0.1) as house,
        house.client.converse(conversation("<<FAULT slow 0.01>>"), request_id="req_test") as stream,
        watched(stream),
    ):
        await stream.next_events()
        # Longer than the limit, in the client's own time.
        await trio.sleep(0.15)
        while await stream.next_events() is not None:
            pass
        assert house.status().success_count == 1


async def test_a_client_that_leaves_stops_the_upstream_at_once_and_punishes_nobody() -> None:
    async with open_house() as house:
        begun = trio.Event()

        async def ask() -> None:
            async with house.client.converse(conversation("<<FAULT stall>>"), request_id="req_test") as stream:
                while await stream.next_events() is not None:
                    begun.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await begun.wait()
            nursery.cancel_scope.cancel()
        await until_aborted(house)
        status = house.status()
        assert (status.success_count, status.failure_count, status.in_flight) == (0, 0, 0)


async def test_a_client_that_leaves_before_the_first_event() -> None:
    async with open_house() as house:
        hold = house.simulator.hold_next(CHAT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.say)
            await hold.arrived.wait()
            assert house.status().in_flight == 1
            nursery.cancel_scope.cancel()
        assert house.status().in_flight == 0
        assert house.status().failure_count == 0
        hold.release.set()


async def until_aborted(house: House) -> None:
    while not house.simulator.aborted:
        await trio.testing.wait_all_tasks_blocked(0.01)


async def test_leaving_early_without_an_exception_is_a_success() -> None:
    async with open_house() as house:
        async with house.client.converse(conversation("<<FAULT stall>>"), request_id="req_test") as stream:
            await stream.next_events()
        await until_aborted(house)
        assert house.status().success_count == 1


async def test_the_blocks_own_exception_comes_out_as_it_is() -> None:
    async with open_house() as house:
        with pytest.raises(ValueError, match="mine") as caught:
            async with house.client.converse(conversation(), request_id="req_test"):
                raise ValueError("mine")
        assert caught.value.__cause__ is None
        status = house.status()
        assert (status.success_count, status.failure_count, status.in_flight) == (0, 0, 0)


async def test_the_end_is_the_end() -> None:
    async with (
        open_house() as house,
        house.client.converse(conversation(), request_id="req_test") as stream,
    ):
        while await stream.next_events() is not None:
            pass
        assert await stream.next_events() is None
        assert house.status().success_count == 1


async def test_many_at_once() -> None:
    async with open_house() as house, trio.open_nursery() as nursery:

        async def ask(number: int) -> None:
            assert await house.say(f"<<SAY number {number}>>") == f"number {number}"

        for number in range(100):
            nursery.start_soon(ask, number)
    assert house.status().success_count == 100


# --- hosts, proxies, logs ---------------------------------------------------------------------------------------

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\r\n"
EVENT_STREAM = ANSWER + event_frame("assistantResponseEvent", b'{"content":"hi"}')


class OneCredential:
    """A pool of one; ``outcomes`` are what it was told."""

    def __init__(self, **fields: str) -> None:
        self.credential = Credential(id=1, access_token="aoa-token", **fields)  # type: ignore[arg-type]
        self.outcomes: list[Outcome] = []

    async def lease(self, model: str, *, tried: object = ()) -> Lease:
        assert isinstance(tried, frozenset)
        if 1 in tried:
            raise NoUsableCredential("nobody")
        return Lease(self.credential, model, 0.0, lambda _, outcome: self.outcomes.append(outcome))


class TwoHosts(Endpoints):
    """q and runtime on two ports of this machine."""

    def __init__(self, config: Config, q: int, runtime: int) -> None:
        super().__init__(config)
        self._ports = {"q": q, "runtime": runtime}

    def _on(self, base: str, region: str, path: str) -> str:
        host = "runtime" if "runtime" in base else "q"
        return f"http://127.0.0.1:{self._ports[host]}{path}"


@pytest.mark.parametrize(
    "refusal",
    [
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n",
        b'HTTP/1.1 400 Bad Request\r\n\r\n{"__type":"com.amazon.coral.service#UnknownOperationException"}',
        None,
    ],
)
async def test_auto_goes_from_q_to_runtime_and_stays_there(refusal: bytes | None) -> None:
    q = answering(refusal) if refusal else answering()
    async with serving(q) as first, serving(answering(EVENT_STREAM)) as second:
        config, pool = Config(), OneCredential()
        if refusal is None:
            # Nobody listens there any more.
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listeners[0].socket.getsockname()[1]
            await listeners[0].aclose()
        else:
            port = first.port
        http = HttpClients(config)
        client = KiroClient(config, pool, http, TwoHosts(config, port, second.port))
        for _ in range(2):
            async with client.converse(conversation(), request_id="req_test") as stream:
                while await stream.next_events() is not None:
                    pass
                assert stream.attempts == 1
        assert len(second.peers) == 2
        assert len(first.peers) == (1 if refusal else 0)
        assert pool.outcomes == [Succeeded(), Succeeded()]


async def test_other_refusals_do_not_change_the_host() -> None:
    refusal = b'HTTP/1.1 403 Forbidden\r\n\r\n{"message":"User is not authorized"}'
    async with serving(answering(refusal)) as first, serving(answering(EVENT_STREAM)) as second:
        config, pool = Config(), OneCredential()
        http = HttpClients(config)
        client = KiroClient(config, pool, http, TwoHosts(config, first.port, second.port))
        with pytest.raises(UpstreamUnauthorized):
            async with client.converse(conversation(), request_id="req_test"):
                pass
        assert not second.peers
        (outcome,) = pool.outcomes
        assert isinstance(outcome, Failed)


async def test_when_no_host_takes_the_call_the_last_word_counts() -> None:
    gone = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
    async with serving(answering(gone)) as first, serving(answering(gone)) as second:
        config, pool = Config(), OneCredential()
        http = HttpClients(config)
        client = KiroClient(config, pool, http, TwoHosts(config, first.port, second.port))
        with pytest.raises(UpstreamRejected) as caught:
            async with client.converse(conversation(), request_id="req_test"):
                pass
        assert caught.value.status == 404


@pytest.mark.parametrize("fields", [{"proxy_url": "ftp://x"}, {"api_region": "evil.example/"}])
async def test_an_account_with_unusable_settings(fields: dict[str, str]) -> None:
    config, pool = Config(), OneCredential(**fields)
    http = HttpClients(config)
    with pytest.raises(ConfigError):
        async with KiroClient(config, pool, http).converse(conversation(), request_id="req_test"):
            pass
    assert len(pool.outcomes) == 1


async def test_an_error_body_that_does_not_end() -> None:
    async def handler(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b'{"message":"x"}' + b" " * 100_000)
        await peer.closed()

    async with serving(handler) as server:
        config, pool = Config(upstream_url=f"http://127.0.0.1:{server.port}"), OneCredential()
        http = HttpClients(config)
        with pytest.raises(UpstreamRejected):
            async with KiroClient(config, pool, http).converse(conversation(), request_id="req_test"):
                pass
        await server.wait_ended(1)


async def test_an_error_body_that_breaks_off() -> None:
    async with serving(answering(b"HTTP/1.1 429 x\r\ncontent-length: 999\r\n\r\n{}")) as server:
        config, pool = Config(upstream_url=f"http://127.0.0.1:{server.port}"), OneCredential()
        http = HttpClients(config)
        with pytest.raises(Throttled):
            async with KiroClient(config, pool, http).converse(conversation(), request_id="req_test"):
                pass


async def test_the_log_has_facts_and_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kiro_rs_py.upstream")
    async with open_house() as house:
        with pytest.raises(UpstreamRejected):
            await house.ask("my prompt <<FAULT malformed>>")
        (request,) = house.simulator.requests_to(CHAT)
    log = caplog.text
    assert "req_test" in log
    assert "credential #1" in log
    assert "UpstreamRejected" in log
    assert (request.header("authorization") or "")[8:] not in log
    assert "my prompt" not in log


async def test_cancelled_between_attempts() -> None:
    async with open_house() as house, trio.open_nursery() as nursery:
        hold = house.simulator.hold_next(CHAT)
        house.simulator.fail_next(CHAT, 503, headers={"retry-after": "60"})

        async def ask() -> None:
            await house.ask()

        nursery.start_soon(ask)
        await hold.arrived.wait()
        hold.release.set()
        while house.status().failure_count == 0:
            await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    assert house.status().in_flight == 0
