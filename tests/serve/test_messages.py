"""From the body to the delivery: bad input, limits, notes, count_tokens."""

from __future__ import annotations

import json
import logging

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.convert.request import ConversionOptions, RequestIds
from kiro_rs_py.errors import Forbidden
from kiro_rs_py.serve.in_flight import InFlight
from kiro_rs_py.serve.messages import LARGE_BODY_BYTES, check_model, prepare
from tests.serve.in_memory import ask
from tests.serve.scripted import HELLO, ScriptedClient, app_of, body_of

SECRET = "tell-nobody"
NESTED = b"[" * 100_000 + b"]" * 100_000

BAD: list[tuple[str, bytes, int, str]] = [
    ("empty body", b"", 400, ""),
    ("not JSON", b"tell-nobody", 400, ""),
    ("cut JSON", b'{"model": "tell-nobody', 400, ""),
    ("not UTF-8", b'{"model": "\xff\xfe"}', 400, ""),
    ("NaN", b'{"model": NaN}', 400, ""),
    ("a list", b"[]", 400, ""),
    ("a number", b"17", 400, ""),
    ("deep nesting", b'{"model": ' + NESTED + b"}", 400, ""),
    ("deep nesting in a tool", body_of(tools="@").replace(b'"@"', NESTED), 400, ""),
    ("no model", json.dumps({"max_tokens": 1, "messages": []}).encode(), 400, "model"),
    ("model of another type", body_of(model=17), 400, "model"),
    ("model of a thousand letters", body_of(model=SECRET * 100), 404, ""),
    ("unknown model", body_of(model="llama-3"), 404, ""),
    ("no max_tokens", json.dumps({"model": "claude-sonnet-4-5", "messages": []}).encode(), 400, "max_tokens"),
    ("max_tokens of another type", body_of(max_tokens=SECRET), 400, "max_tokens"),
    ("no messages", json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 1}).encode(), 400, "messages"),
    ("empty messages", body_of(messages=[]), 400, "messages"),
    ("messages of another type", body_of(messages=SECRET), 400, "messages"),
    ("message of another type", body_of(messages=[SECRET]), 400, "messages.0"),
    ("unknown role", body_of(messages=[{"role": SECRET, "content": "a"}]), 400, "messages.0.role"),
    ("content of another type", body_of(messages=[{"role": "user", "content": 17}]), 400, "messages.0.content"),
    ("system of another type", body_of(system=17), 400, "system"),
    ("tools of another type", body_of(tools=SECRET), 400, "tools"),
    ("tool of another type", body_of(tools=[SECRET]), 400, "tools.0"),
    ("stream of another type", body_of(stream=SECRET), 400, "stream"),
    ("thinking of another type", body_of(thinking=SECRET), 400, "thinking"),
    ("a thread", body_of(thread={"type": "create"}), 400, "thread"),
]


@pytest.mark.parametrize("path", ["/v1/messages", "/cc/v1/messages"])
@pytest.mark.parametrize(("body", "status", "field"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_bad_input_is_named_and_not_repeated_in_the_log(
    body: bytes, status: int, field: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = ScriptedClient(*HELLO)
    answer = await ask(app_of(client), "POST", path, body)
    error = answer.json["error"]
    assert answer.status == status
    assert error["type"] == ("invalid_request_error" if status == 400 else "not_found_error")
    assert error["message"].startswith(field)
    assert answer.json["request_id"] == answer.headers["request-id"]
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert not client.asked


async def test_a_thread_is_refused_with_its_code() -> None:
    answer = await ask(app_of(ScriptedClient()), "POST", "/v1/messages", body_of(thread={"type": "create"}))
    assert answer.json["error"]["details"] == {"error_code": "thread_unsupported_request"}


async def test_lone_surrogates_are_survived() -> None:
    body = body_of(messages=[{"role": "user", "content": "@"}], model="claude-sonnet-4-5").replace(b"@", b"\\ud800")
    answer = await ask(app_of(ScriptedClient(*HELLO)), "POST", "/v1/messages", body)
    assert answer.status in (200, 400)


async def test_the_inbound_limit() -> None:
    app = app_of(ScriptedClient(), max_inbound_body_bytes=100)
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        answer = await ask(app, "POST", path, body_of())
        assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")


async def test_the_ceiling_of_requests() -> None:
    in_flight = InFlight()
    app = app_of(ScriptedClient(*HELLO), in_flight, max_concurrent_requests=1)
    with in_flight.enter():
        answer = await ask(app, "POST", "/v1/messages", body_of())
    assert (answer.status, answer.headers["retry-after"]) == (529, "1")
    assert (await ask(app, "POST", "/v1/messages", body_of())).status == 200


async def test_notes_are_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kiro_rs_py.serve")
    prefill: list[Json] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]
    await ask(app_of(ScriptedClient(*HELLO)), "POST", "/v1/messages", body_of(messages=prefill))
    notes = [record for record in caplog.records if record.name == "kiro_rs_py.serve.messages"]
    assert [note.levelno for note in notes] == [logging.DEBUG]


@pytest.mark.parametrize("base", ["/v1", "/cc/v1"])
async def test_count_tokens_is_the_number_of_message_start(base: str) -> None:
    app = app_of(ScriptedClient(*HELLO))
    body = body_of(system="Be brief.", tools=[{"name": "read", "input_schema": {"type": "object"}}])
    counted = (await ask(app, "POST", f"{base}/messages/count_tokens", body)).json
    assert set(counted) == {"input_tokens"}
    prepared = prepare(
        body,
        ids=RequestIds("c", "d"),
        options=ConversionOptions(catalog=ModelCatalog()),
        message_id="msg_1",
        calibrations=Calibrations(),
    )
    assert counted["input_tokens"] == prepared.numbers.input_tokens > 5


def test_a_model_that_a_key_is_for_may_be_spelt_in_any_way() -> None:
    options = ConversionOptions(catalog=ModelCatalog(aliases={"fast": "claude-haiku-4-5"}))
    check_model("any", None, options)
    for name in ("claude-haiku-4-5", "claude-haiku-4.5-thinking", "fast", "unknown-model"):
        check_model(name, ["fast", "unknown-model"], options)
    for name in ("claude-sonnet-4-5", "unknown"):
        with pytest.raises(Forbidden, match=f"model: {name} may not be used"):
            check_model(name, ["fast", "unknown-model"], options)


async def test_count_tokens_asks_for_less_than_a_message() -> None:
    app = app_of(ScriptedClient())
    path = "/v1/messages/count_tokens"
    small = json.dumps({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "a"}]}).encode()
    assert (await ask(app, "POST", path, small)).status == 200
    answer = await ask(app, "POST", path, b"{}")
    assert (answer.status, answer.json["error"]["message"].startswith("model")) == (400, True)


async def test_large_bodies_are_prepared_aside() -> None:
    client = ScriptedClient(*HELLO)
    text = "a" * LARGE_BODY_BYTES
    body = body_of(messages=[{"role": "user", "content": text}])
    assert (await ask(app_of(client), "POST", "/v1/messages", body)).status == 200
    assert client.asked[0].current.content.endswith(text)
    assert (await ask(app_of(client), "POST", "/v1/messages", b"x" * LARGE_BODY_BYTES)).status == 400


async def test_every_request_has_ids_of_its_own() -> None:
    client = ScriptedClient(*HELLO)
    for _ in range(2):
        await ask(app_of(client), "POST", "/v1/messages", body_of())
    first, second = client.asked
    assert len({first.conversation_id, second.conversation_id, first.continuation_id, second.continuation_id}) == 4
