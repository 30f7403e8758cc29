from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import CodecError, TruncatedStream
from kiro_rs_py.simulator.app import CHAT, Simulator
from kiro_rs_py.simulator.frames import Paced
from kiro_rs_py.simulator.scenario import Scenario
from tests.simulator.talk import Talk, assistant, chat_body, eventually, result, talking, tool, use, user

MARKERS = "<thinking_mode>enabled</thinking_mode>"
CALL = '<<CALL Write {"path": "a", "content": "some text that is long enough"}>>'
CLOSING = ["metadataEvent", "contextUsageEvent", "meteringEvent"]


def payload(events: list[tuple[str, Any]], kind: str) -> Any:
    return next(value for name, value in events if name == kind)


async def test_an_answer_from_first_to_last_event() -> None:
    async with talking() as talk:
        reply = await talk.say("<<SAY hello there, this is a longer text>>")
        assert reply.status == 200
        assert reply.kinds == ["initial-response", "assistantResponseEvent", *CLOSING]
        assert reply.text == "hello there, this is a longer text"
        assert payload(reply.events, "metadataEvent") == {"stopReason": "END_TURN"}
        assert reply.headers["x-amzn-requestid"]
        assert reply.headers["x-amzn-kiro-conversation-id"] == "8bb5523b-ec7c-4540-a9ca-beb6d79f1552"


async def test_a_tool_loop() -> None:
    async with talking() as talk:
        reply = await talk.say(CALL, tools=[tool("Write")])
        assert reply.calls == [("Write", {"path": "a", "content": "some text that is long enough"})]
        assert payload(reply.events, "metadataEvent")["stopReason"] == "TOOL_USE"
        history = [user(CALL), assistant(" ", uses=[use(name="Write")])]
        after = await talk.say("", history=history, results=[result(text="nonce 42")], tools=[tool("Write")])
        assert after.text == "TOOL-RESULT: nonce 42"


async def test_thinking_in_tags() -> None:
    async with talking() as talk:
        reply = await talk.say("<<SAY yes>>", history=[user(MARKERS), assistant()])
        assert reply.text.startswith("<thinking>")
        assert reply.text.endswith("</thinking>\n\nyes")


async def test_native_thinking_can_be_replayed() -> None:
    async with talking() as talk:
        fields: Json = {"thinking": {"type": "adaptive"}}
        model = "claude-opus-4.8"
        reply = await talk.say("<<SAY yes>>", model=model, additionalModelRequestFields=fields)
        assert reply.kinds == ["initial-response", "reasoningContentEvent", "assistantResponseEvent", *CLOSING]
        pieces = [value for kind, value in reply.events if kind == "reasoningContentEvent"]
        assert set(pieces[-1]) == {"signature"}
        text: JsonObject = {"text": "".join(piece["text"] for piece in pieces[:-1]), **pieces[-1]}
        replayed = assistant("yes", reasoningContent={"reasoningText": text})
        assert (await talk.say("on", model=model, history=[user(), replayed])).status == 200
        refused = await talk.say("on", model="claude-sonnet-5", history=[user(), replayed])
        assert refused.json["reason"] == "THINKING_SIGNATURE_INVALID"


async def test_gpt_reasons_in_a_sealed_blob_at_the_end() -> None:
    async with talking() as talk:
        fields: Json = {"reasoning": {"effort": "high"}}
        reply = await talk.say("<<SAY yes>>", model="gpt-5.6-sol", additionalModelRequestFields=fields)
        assert reply.kinds[1:3] == ["assistantResponseEvent", "reasoningContentEvent"]
        assert "redactedContent" in payload(reply.events, "reasoningContentEvent")


async def test_auto_tells_what_it_chose() -> None:
    async with talking() as talk:
        reply = await talk.say("<<SAY yes>>", model="auto")
        assert payload(reply.events, "assistantResponseEvent")["modelId"] == "claude-sonnet-4.5"


async def test_usage_numbers() -> None:
    async with talking() as talk:
        account = talk.simulator.accounts["demo"]
        reply = await talk.say("<<SAY " + "x" * 400 + ">>" + "y" * 3590)
        assert payload(reply.events, "contextUsageEvent")["contextUsagePercentage"] == pytest.approx(0.55)
        assert account.used == pytest.approx(payload(reply.events, "meteringEvent")["usage"])
        assert "tokenUsage" not in payload(reply.events, "metadataEvent")
        talk.simulator.chat.sends_token_usage = True
        usage = payload((await talk.say("<<SAY yes>>")).events, "metadataEvent")["tokenUsage"]
        assert usage["totalTokens"] == usage["uncachedInputTokens"] + usage["outputTokens"]


async def test_who_may_not_ask() -> None:
    async with talking() as talk:
        account = talk.simulator.accounts["demo"]
        barred: list[tuple[str, object, int]] = [("suspended", True, 403), ("throttled", True, 429), ("used", 1e6, 402)]
        for name, value, status in barred:
            before = getattr(account, name)
            setattr(account, name, value)
            assert (await talk.say("x")).status == status
            setattr(account, name, before)
        assert account.requests == 3
        talk.token = None
        refused = await talk.say("x")
        assert (refused.status, refused.json["message"][:16]) == (403, "The bearer token")


async def test_wrong_requests_and_profiles() -> None:
    async with talking() as talk:
        assert (await talk.say("")).json == {"message": "Improperly formed request.", "reason": None}
        garbage = await talk.call("POST", CHAT, content=b"{", headers={"content-type": "application/json"})
        assert garbage.json["reason"] == "REQUEST_BODY_INVALID_JSON"
        own = talk.simulator.accounts["demo"].profile_arn
        assert (await talk.say("x", profileArn=own)).status == 200
        assert (await talk.say("x", profileArn=f"{own}2")).status == 403
        assert (await talk.say("x", model="claude-9")).json["reason"] == "INVALID_MODEL_ID"


async def test_an_api_key() -> None:
    async with talking() as talk:
        talk.token = "ksk_simulated_demo_key"
        assert (await talk.say("x")).json["message"] == "profileArn is required for this request."
        reply = await talk.chat(chat_body("<<SAY yes>>"), headers={"tokentype": "API_KEY"})
        assert reply.text == "yes"


# --- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, status, message",
    [
        ("throttle 3", 429, "Too many requests"),
        ("quota", 402, "You have reached the limit."),
        ("suspend", 403, "locked your account"),
        ("overload", 429, "high traffic"),
        ("too-long", 400, "Input is too long."),
        ("high-load", 500, "unexpectedly high load"),
        ("json-error", 200, "Too many requests"),
    ],
)
async def test_faults_before_the_answer(fault: str, status: int, message: str) -> None:
    async with talking() as talk:
        for _ in range(2):
            reply = await talk.say(f"<<FAULT {fault}>> please")
            assert reply.status == status
            assert message in reply.json["message"]


async def test_a_fault_only_in_the_last_message() -> None:
    async with talking() as talk:
        history = [user("<<FAULT throttle>> <<SAY fine>>"), assistant()]
        assert (await talk.say("go on", history=history)).text == "fine"


async def test_once_means_once() -> None:
    async with talking() as talk:
        prompt = "<<FAULT throttle once>> <<SAY fine>>"
        assert (await talk.say(prompt)).status == 429
        assert (await talk.say(prompt)).text == "fine"


async def test_an_expired_token_is_cured_by_a_fresh_one() -> None:
    async with talking() as talk:
        prompt = "<<FAULT expired>> <<SAY fine>>"
        entry = talk.simulator.credential_json()
        talk.token = str(entry["accessToken"])
        assert (await talk.say(prompt)).status == 403
        assert (await talk.say(prompt)).status == 403
        refreshed = await talk.call("POST", "/refreshToken", {"refreshToken": entry["refreshToken"]})
        talk.token = refreshed.json["accessToken"]
        assert (await talk.say(prompt)).text == "fine"


async def test_a_typo_in_a_fault_is_explained() -> None:
    async with talking() as talk:
        assert "no such fault: throtle" in (await talk.say("<<FAULT throtle>>")).text


@pytest.mark.parametrize("fault", ["connect-drop", "connect-reset", "cut-stream", "reset-stream"])
async def test_broken_connections(fault: str) -> None:
    async with talking() as talk:
        with pytest.raises(httpx.TransportError):
            await talk.say(f"<<FAULT {fault}>>")
        assert (await talk.say("<<SAY fine>>")).text == "fine"
        await eventually(lambda: talk.simulator.active == 0)
        assert talk.simulator.aborted == 0


@pytest.mark.parametrize("fault, error", [("cut-frame", TruncatedStream), ("bad-crc", CodecError)])
async def test_broken_frames(fault: str, error: type[Exception]) -> None:
    async with talking() as talk:
        with pytest.raises(error):
            await talk.say(f"<<FAULT {fault}>>")


@pytest.mark.parametrize(
    "fault, last",
    [
        ("exception ThrottlingException", "!ThrottlingException"),
        ("late-exception ContentLengthExceededException", "!ContentLengthExceededException"),
        ("error X", "!!X"),
        ("invalid-state", "invalidStateEvent"),
        ("end-early", "assistantResponseEvent"),
        ("empty", "meteringEvent"),
        ("noise", "meteringEvent"),
        ("torn 50", "meteringEvent"),
        ("slow 0.001", "meteringEvent"),
        ("slow-start 0.01", "meteringEvent"),
        ("no-headers 0.01", "meteringEvent"),
    ],
)
async def test_how_faulty_answers_end(fault: str, last: str) -> None:
    async with talking() as talk:
        assert (await talk.say(f"<<FAULT {fault}>> <<SAY one two three four five six>>")).kinds[-1] == last


async def test_what_the_closing_events_say() -> None:
    async with talking() as talk:
        reply = await talk.say("<<FAULT stop MAX_TOKENS>>")
        assert payload(reply.events, "metadataEvent")["stopReason"] == "MAX_TOKENS"
        full = await talk.say("<<FAULT context>>")
        assert payload(full.events, "contextUsageEvent")["contextUsagePercentage"] == 100.0


@pytest.mark.parametrize("prompt", [f"<<FAULT cut-tool>> {CALL}", "<<FAULT cut-tool>>"])
async def test_a_cut_call(prompt: str) -> None:
    async with talking() as talk:
        reply = await talk.say(prompt, tools=[tool("Write")])
        assert reply.calls == []
        assert reply.kinds[-1] == "toolUseEvent"
        assert (await talk.say("<<FAULT cut-tool>>")).kinds[-1] == "assistantResponseEvent"


async def test_an_accounts_own_fault() -> None:
    async with talking() as talk:
        account = talk.simulator.accounts["demo"]
        account.fault = "throttle 7"
        for _ in range(2):
            reply = await talk.say("<<SAY fine>>")
            assert (reply.status, reply.headers["retry-after"]) == (429, "7")
        account.fault = None
        assert (await talk.say("<<SAY fine>>")).text == "fine"


# --- clients that leave ------------------------------------------------------------------------------------------


async def leave(talk: Talk, prompt: str) -> None:
    """Asks, waits until the answer is under way, hangs up."""
    with trio.move_on_after(20) as scope:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                await talk.say(prompt)

            nursery.start_soon(ask)
            await eventually(lambda: talk.simulator.active == 1)
            scope.cancel()


@pytest.mark.parametrize("fault", ["stall", "slow 30", "no-headers"])
async def test_leaving_is_noticed(fault: str) -> None:
    async with talking() as talk:
        await leave(talk, f"<<FAULT {fault}>>")
        await eventually(lambda: talk.simulator.active == 0)
        assert (talk.simulator.aborted, talk.simulator.chat.peak) == (1, 1)


# --- scenarios ---------------------------------------------------------------------------------------------------


async def test_a_scenario_instead_of_the_model() -> None:
    async with talking(Simulator(Scenario.steps({"text": "scripted"}))) as talk:
        for _ in range(2):
            reply = await talk.say("<<SAY other>>")
            assert reply.text == "scripted"
            assert reply.kinds == ["initial-response", "assistantResponseEvent", *CLOSING]
        assert (await talk.say("")).status == 400


async def test_scripted_answers_and_then_the_model() -> None:
    scenario = Scenario.then_script(
        [{"status": 429, "body": {"message": "slow down"}, "headers": {"Retry-After": "1"}}],
        [{"fault": "quota"}],
        [{"text": "a"}, {"pause": 0.001}, {"exception": {"name": "X"}}],
    )
    async with talking() as talk:
        for _ in range(2):
            talk.simulator.scenario = scenario
            throttled = await talk.say("<<SAY mine>>")
            assert (throttled.status, throttled.headers["retry-after"]) == (429, "1")
            assert (await talk.say("<<SAY mine>>")).status == 402
            assert (await talk.say("<<SAY mine>>")).kinds == ["initial-response", "assistantResponseEvent", "!X"]
            assert (await talk.say("<<SAY mine>>")).text == "mine"
        assert talk.simulator.scenario is scenario


@pytest.mark.parametrize("end", [{"cut": True}, {"cut": "reset"}])
async def test_a_scripted_cut(end: JsonObject) -> None:
    async with talking(Simulator(Scenario.steps({"text": "a"}, end))) as talk:
        with pytest.raises(httpx.TransportError):
            await talk.say("x")


async def test_an_empty_scenario_is_none() -> None:
    async with talking(Simulator(Scenario(()))) as talk:
        assert (await talk.say("<<SAY mine>>")).text == "mine"


async def test_without_checks_anything_goes() -> None:
    async with talking(Simulator(Scenario.paced(Paced(events=30, every=0.0, size=20, burst=7)))) as talk:
        reply = await talk.call("POST", CHAT, content=b"no json at all")
        assert len(reply.text) == 30 * 20
        assert reply.kinds == ["initial-response", "assistantResponseEvent", *CLOSING]
