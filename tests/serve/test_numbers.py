"""The input tokens of one request: estimate, calibration, the remote counter's number."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.config import Config
from kiro_rs_py.convert.calibration import Calibration, Calibrations
from kiro_rs_py.convert.events import AssistantText, ContextUsage, Metadata
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.convert.tokens import TokenEstimate
from kiro_rs_py.errors import UpstreamUnavailable
from kiro_rs_py.serve.app import App
from kiro_rs_py.serve.in_flight import InFlight
from kiro_rs_py.serve.messages import Messages
from kiro_rs_py.serve.numbers import PATIENCE_SECONDS, Numbers
from tests.serve.in_memory import KEY, ask
from tests.serve.scripted import HELLO, ScriptedClient, Step, body_of, events_of

MODEL = "CLAUDE_SONNET_4_5_20250929_V1_0"
LONG = "word " * 2000
ANSWERED: tuple[Step, ...] = ([AssistantText("Hello")], [Metadata("END_TURN"), ContextUsage(4.0)])


def doubled() -> Calibrations:
    calibration = Calibration()
    for estimate in (1000, 10_000, 100_000):
        calibration = calibration.learnt(estimate, 2 * estimate)
    return Calibrations({MODEL: calibration})


class Counter:
    """A remote counter that takes its time."""

    def __init__(self, tokens: int | None, seconds: float = 0.0) -> None:
        self.tokens = tokens
        self.seconds = seconds
        self.bodies: list[Any] = []

    async def count(self, body: bytes, *, seconds: float = 5.0) -> int | None:
        self.bodies.append(json.loads(body))
        await trio.sleep(self.seconds)
        return self.tokens


def app_with(client: ScriptedClient, calibrations: Calibrations, counter: Counter | None = None) -> App:
    config = Config(api_key=KEY)
    messages: Any = Messages(
        client,  # type: ignore[arg-type]
        InFlight(),
        config,
        ModelCatalog(),
        calibrations=calibrations,
        counter=counter,  # type: ignore[arg-type]
    )
    return App(messages.routes(), config)


async def started_with(app: App) -> int:
    """``input_tokens`` of a stream's ``message_start``."""
    answer = await ask(app, "POST", "/v1/messages", body_of(stream=True))
    return int(events_of(answer.body)[0]["message"]["usage"]["input_tokens"])


async def counted(app: App, path: str = "/v1/messages/count_tokens", **fields: Any) -> int:
    return int((await ask(app, "POST", path, body_of(**fields))).json["input_tokens"])


async def test_estimates_are_as_learnt() -> None:
    for calibrations in (Calibrations(), doubled()):
        app = app_with(ScriptedClient(*HELLO), calibrations)
        tokens = await counted(app, messages=[{"role": "user", "content": LONG}])
        raw = await counted(app, messages=[{"role": "user", "content": LONG}], model="claude-opus-5")
        assert raw == 2500
        assert tokens == calibrations.of(MODEL).apply(raw)
        assert await started_with(app) == await counted(app)


async def test_a_model_nobody_knows_is_counted_as_it_is() -> None:
    assert await counted(app_with(ScriptedClient(), doubled()), model="llama-3") == 3


@pytest.mark.parametrize(
    ("steps", "figure"),
    [
        (ANSWERED, 8000 - 1),
        (([AssistantText("Hello")],), None),
        (([AssistantText("Hello")], UpstreamUnavailable("cut")), None),
        ((*ANSWERED[:1], [ContextUsage(4.0)], UpstreamUnavailable("cut")), None),
    ],
    ids=["told", "not told", "broken", "told and broken"],
)
async def test_whole_answers_teach(steps: tuple[Step, ...], figure: int | None) -> None:
    calibrations = Calibrations()
    app = app_with(ScriptedClient(*steps), calibrations)
    await ask(app, "POST", "/v1/messages", body_of(stream=True, messages=[{"role": "user", "content": LONG}]))
    expected = Calibration() if figure is None else Calibration().learnt(2500, figure)
    assert calibrations.of(MODEL) == expected


def test_images_teach_nothing() -> None:
    calibrations = Calibrations()
    Numbers(TokenEstimate(text=1000, images=600), "m", calibrations).learn(2000)
    assert calibrations.of("m") == Calibration()
    Numbers(TokenEstimate(text=2000, images=600), "m", calibrations).learn(2000)
    assert calibrations.of("m").samples == 1


# --- the remote counter -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/v1", "/cc/v1"])
async def test_count_tokens_asks_the_remote_counter_first(base: str) -> None:
    counter = Counter(4711)
    app = app_with(ScriptedClient(), Calibrations(), counter)
    assert await counted(app, f"{base}/messages/count_tokens", system="S", model="claude-sonnet-4-5-thinking") == 4711
    assert counter.bodies == [
        {
            "model": "claude-sonnet-4-5-20250929",
            "messages": [{"role": "user", "content": "Say hello."}],
            "system": [{"type": "text", "text": "S"}],
        }
    ]


@pytest.mark.parametrize("tokens", [None, 0])
async def test_without_its_answer_the_estimate_stands(tokens: int | None) -> None:
    counter = Counter(tokens)
    assert await counted(app_with(ScriptedClient(), Calibrations(), counter)) == 3


async def test_a_bad_body_is_not_sent_on() -> None:
    counter = Counter(1)
    app = app_with(ScriptedClient(), Calibrations(), counter)
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert (await ask(app, "POST", path, b'{"model": "x"}')).status in (400, 404)
    assert not counter.bodies


async def test_a_message_starts_with_the_remote_number_if_it_is_there_in_time() -> None:
    assert await started_with(app_with(ScriptedClient(*HELLO), Calibrations(), Counter(4711))) == 4711
    assert await started_with(app_with(ScriptedClient(*HELLO), Calibrations(), Counter(None))) == 3


@pytest.mark.parametrize(
    ("remote", "upstream", "tokens", "first_byte"),
    [
        (0.1, 0.0, 4711, 0.1),
        (300.0, 0.0, 3, PATIENCE_SECONDS),
        (2.0, 3.0, 4711, 3.0),
        (300.0, 3.0, 3, 3.0),
    ],
)
async def test_it_is_not_waited_for(
    remote: float, upstream: float, tokens: int, first_byte: float, autojump_clock: MockClock
) -> None:
    app = app_with(ScriptedClient(*HELLO, before=[upstream]), Calibrations(), Counter(4711, remote))
    before = trio.current_time()
    answer = await ask(app, "POST", "/v1/messages", body_of(stream=True))
    assert events_of(answer.body)[0]["message"]["usage"]["input_tokens"] == tokens
    assert answer.parts[0][0] - before == pytest.approx(first_byte)
    assert trio.current_time() - before == pytest.approx(first_byte)


async def test_a_failure_does_not_wait_for_it_either(autojump_clock: MockClock) -> None:
    client = ScriptedClient(before=[UpstreamUnavailable("down")])
    before = trio.current_time()
    answer = await ask(app_with(client, Calibrations(), Counter(4711, 300.0)), "POST", "/v1/messages", body_of())
    assert (answer.status, trio.current_time() - before) == (502, 0.0)
