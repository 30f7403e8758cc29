"""GenerateAssistantResponse: who asks, may they, what is answered, and how it comes over the wire."""

from __future__ import annotations

import math
from dataclasses import dataclass
from uuid import uuid4

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator import frames
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.asgi import Answer, Request, compact, send_start
from kiro_rs_py.simulator.connection import current_connection
from kiro_rs_py.simulator.conversation import Conversation
from kiro_rs_py.simulator.directives import fault_text
from kiro_rs_py.simulator.faults import Fault, Onces, disturb, early_answer, parse_fault
from kiro_rs_py.simulator.frames import Cut, Event, Hang, Paced, Pause, Send, Step, sends, sign
from kiro_rs_py.simulator.grants import Grants
from kiro_rs_py.simulator.models import Catalogue, SimulatedModel
from kiro_rs_py.simulator.pacing import PacedFrames, PacedStream, Pacer
from kiro_rs_py.simulator.refusal import Refusal
from kiro_rs_py.simulator.rules import check_request
from kiro_rs_py.simulator.scenario import Reply, Scenario, ScriptedAnswer
from kiro_rs_py.simulator.script import Speech, forced_call, speak

EVENT_STREAM = "application/vnd.amazon.eventstream"
# What ``auto`` says it has chosen.
CHOSEN_MODEL = "claude-sonnet-4.5"
CREDITS_PER_TOKEN = 1 / 50_000


@dataclass(slots=True)
class Stream:
    """An answer about to be played. ``delay`` seconds pass before its headers; ``silent`` never sends any."""

    steps: list[Step]
    conversation_id: str = ""
    delay: float = 0.0
    silent: Cut | None = None
    finished: bool = False
    gone: bool = False

    @property
    def at_once(self) -> bool:
        """Whether it is over before anybody could leave, so that nobody has to watch for that."""
        return not self.delay and self.silent is None and all(isinstance(step, Send) for step in self.steps)


class Chat:
    """The chat operation and its counters.

    ``sends_token_usage`` puts exact numbers into ``metadataEvent``, which the real service rarely does.
    ``token_ratio`` is how many tokens the service counts for each of ours, ``hidden_tokens`` what it adds of its own
    prompt (field-notes §2b). ``active`` and ``peak`` count streams in flight, ``aborted`` those whose client went away
    before the end.
    """

    def __init__(self, grants: Grants, catalogue: Catalogue, scenario: Scenario | None) -> None:
        self.grants = grants
        self.catalogue = catalogue
        self.sends_token_usage = False
        self.token_ratio = 1.0
        self.hidden_tokens = 0
        self.pacer = Pacer()
        self.active = 0
        self.peak = 0
        self.aborted = 0
        self._onces = Onces()
        self.follow(scenario)

    def follow(self, scenario: Scenario | None) -> None:
        """From its first answer on."""
        self.scenario = scenario
        self._given = 0

    # --- deciding -----------------------------------------------------------------------------------------------

    def decide(self, request: Request) -> Stream | Answer:
        """What this request gets; raises :class:`Refusal`. Nothing here waits."""
        account = self.grants.account_of(request)
        account.requests += 1
        account.refuse_if_barred()
        scripted = self._next_scripted()
        if isinstance(scripted, Answer):
            return scripted
        if isinstance(scripted, Reply) and self.scenario is not None and not self.scenario.check:
            return Stream(self._scripted_steps(scripted, frames.closing()))
        account.check_profile(request.json_object.get("profileArn"), request)
        model, conversation = check_request(request.json, self.catalogue, paid_plan=account.subscription.paid)
        fault = scripted if isinstance(scripted, Fault) else self._fault(account, conversation)
        stream = Stream([], conversation_id=conversation.id)
        if fault is not None and (answer := self._early(fault, account, stream)) is not None:
            return answer
        speech = self._speech(conversation, model, fault)
        closing = self._closing(speech, conversation, model, account, fault)
        if isinstance(scripted, Reply):
            stream.steps = self._scripted_steps(scripted, closing)
        else:
            events = [frames.initial(stream.conversation_id), *spoken(speech, model), *closing]
            stream.steps = sends(events) if fault is None else disturb(events, fault)
        return stream

    def _next_scripted(self) -> ScriptedAnswer | None:
        scenario = self.scenario
        if scenario is None or not scenario.replies:
            return None
        index, self._given = self._given, self._given + 1
        if index < len(scenario.replies):
            return scenario.replies[index]
        return scenario.replies[-1] if scenario.repeat else None

    def _scripted_steps(self, reply: Reply, closing: list[Event]) -> list[Step]:
        opening = sends([frames.initial()]) if reply.opening else []
        return [*opening, *reply.steps, *(sends(closing) if reply.closing else [])]

    def _fault(self, account: Account, conversation: Conversation) -> Fault | None:
        """The account's own, else the one the last user text asks for."""
        prompt = conversation.current.text
        wanted = account.fault or fault_text(prompt)
        if wanted is None:
            return None
        try:
            fault = parse_fault(wanted)
        except ValueError:
            # A person's typo: the model explains it (see _speech).
            return Fault("none", wanted)
        return fault if self._onces.is_due(fault, prompt) else None

    def _early(self, fault: Fault, account: Account, stream: Stream) -> Answer | None:
        """The answer instead of a stream, if that is the fault; marks the stream when it only starts oddly."""
        match fault.kind:
            case "connect-drop" | "connect-reset":
                stream.silent = Cut(reset=fault.kind == "connect-reset")
            case "no-headers":
                stream.delay = fault.number(math.inf)
            case "expired":
                self.grants.expire(account)
        answer = early_answer(fault, account)
        if isinstance(answer, Refusal):
            raise answer
        return answer

    def _speech(self, conversation: Conversation, model: SimulatedModel, fault: Fault | None) -> Speech:
        if fault is not None and fault.kind == "none":
            return Speech(text=f"There is no such fault: {fault.argument}.")
        speech = speak(conversation, model)
        if fault is not None and fault.kind == "cut-tool" and not speech.calls:
            call = forced_call(conversation)
            return Speech(text=speech.text, calls=(call,) if call else ())
        return speech

    def _closing(
        self, speech: Speech, conversation: Conversation, model: SimulatedModel, account: Account, fault: Fault | None
    ) -> list[Event]:
        """The closing events; charges the account."""
        output = max(1, speech.characters // 4)
        input_tokens = round(conversation.input_tokens * self.token_ratio) + self.hidden_tokens
        tokens = input_tokens + output
        charge = round(model.rate * tokens * CREDITS_PER_TOKEN, 10)
        account.used += charge
        usage: JsonObject | None = None
        if self.sends_token_usage:
            usage = {
                "uncachedInputTokens": input_tokens,
                "outputTokens": output,
                "totalTokens": tokens,
                "cacheReadInputTokens": 0,
                "cacheWriteInputTokens": 0,
            }
        percentage = 100 * tokens / model.window
        stop_reason = "TOOL_USE" if speech.calls else "END_TURN"
        if fault is not None and fault.kind == "context":
            percentage = fault.number(100.0)
        if fault is not None and fault.kind == "stop":
            stop_reason = fault.argument or "MAX_TOKENS"
        return frames.closing(stop_reason=stop_reason, percentage=percentage, credits_used=charge, usage=usage)

    # --- playing ------------------------------------------------------------------------------------------------

    async def play(self, stream: Stream, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Sends the answer until it ends or the client goes away."""
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            if stream.at_once:
                await self._perform(stream, send)
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, stream, receive, nursery.cancel_scope)
                await self._perform(stream, send)
                nursery.cancel_scope.cancel()
        finally:
            self.active -= 1
            self.aborted += stream.gone

    async def _perform(self, stream: Stream, send: ASGISendCallable) -> None:
        if stream.delay:
            await trio.sleep(stream.delay)
        if stream.silent is not None:
            _break_off(stream, stream.silent)
            return
        headers = [("content-type", EVENT_STREAM), ("x-amzn-requestid", str(uuid4()))]
        if stream.conversation_id:
            headers.append(("x-amzn-kiro-conversation-id", stream.conversation_id))
        await send_start(200, headers, send)
        for step in stream.steps:
            match step:
                case Send(data):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                case Pause(seconds):
                    await trio.sleep(seconds)
                case Hang():
                    await trio.sleep_forever()
                case Cut():
                    _break_off(stream, step)
                    return
                case Paced():
                    await self._pace(stream, step, send)
        stream.finished = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pace(self, stream: Stream, paced: Paced, send: ASGISendCallable) -> None:
        if paced.every > 0:
            paced_stream = PacedStream(current_connection(), paced, trio.current_time() + paced.every)
            self.pacer.add(paced_stream)
            try:
                await paced_stream.done.wait()
                # The write may fail before the reading side has told the watcher.
                stream.gone = paced_stream.broken
            finally:
                paced_stream.done.set()
            return
        made = PacedFrames(paced, chunked=False)
        for sent in range(0, paced.events, paced.burst):
            await trio.lowlevel.checkpoint()
            data = made.next(min(paced.burst, paced.events - sent))
            await send({"type": "http.response.body", "body": data, "more_body": True})


def spoken(speech: Speech, model: SimulatedModel) -> list[Event]:
    """The model's words as events: thinking, text, calls."""
    events: list[Event] = []
    text = speech.text
    if speech.native and model.family != "gpt":
        events += frames.reasoning(speech.thinking, sign(speech.thinking, model.id), omitted=speech.omitted)
    elif speech.thinking and not speech.native:
        text = f"<thinking>{speech.thinking}</thinking>\n\n{text}"
    events += frames.text(text, CHOSEN_MODEL if model.id == "auto" else None)
    for call in speech.calls:
        events += frames.tool_use(call.name, compact(call.arguments))
    if speech.native and model.family == "gpt":
        # GPT reasons in sealed blobs, which come last (upstream-protocol §2.5).
        events.append(frames.event(frames.REASONING, {"redactedContent": sign(speech.thinking, model.id)}))
    return events


async def _watch(stream: Stream, receive: ASGIReceiveCallable, scope: trio.CancelScope) -> None:
    while (await receive())["type"] == "http.request":
        pass
    # hypercorn reports its own end of the answer as a disconnect too, while it is still closing the connection in our
    # task: cancelling then would leave the connection open.
    if not stream.finished:
        stream.gone = True
        scope.cancel()


def _break_off(stream: Stream, cut: Cut) -> None:
    stream.finished = True
    current_connection().break_off(reset=cut.reset)
