"""Somebody else's token counter."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import httpx
import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import InvalidRequest, UpstreamTimeout, UpstreamUnavailable
from kiro_rs_py.upstream.counting import CALL_SECONDS, FAILURES, PAUSE_SECONDS, RemoteCounter, counting_body
from kiro_rs_py.upstream.credential import Credential

URL = "https://count.example/v1/messages/count_tokens"
CONFIG = Config(count_tokens_api_url=URL, count_tokens_api_key="sk-secret")
BODY = b'{"model":"m","messages":[]}'

Answer = httpx.Response | Exception | float
"""What is answered, raised, or for how many seconds nothing happens."""


def good(tokens: Json = 42, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"input_tokens": tokens})


class Service:
    """Answers in turn, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: Sequence[Answer] = answers
        self.requests: list[httpx.Request] = []

    async def call(
        self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = 30.0
    ) -> httpx.Response:
        assert credential is None
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, float):
            await trio.sleep(min(seconds, answer))
            raise UpstreamTimeout("The service did not answer in time.")
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("auth_type", "name", "value"),
    [("x-api-key", "x-api-key", "sk-secret"), ("bearer", "authorization", "Bearer sk-secret")],
)
async def test_how_it_is_asked(auth_type: str, name: str, value: str) -> None:
    service = Service(good())
    config = Config(
        count_tokens_api_url=URL,
        count_tokens_api_key="sk-secret",
        count_tokens_auth_type=auth_type,  # type: ignore[arg-type]
    )
    assert await RemoteCounter(service, config).count(BODY) == 42
    (request,) = service.requests
    assert (request.method, str(request.url), request.content) == ("POST", URL, BODY)
    assert request.headers[name] == value
    assert request.headers["content-type"] == "application/json"
    assert "anthropic-version" not in request.headers


async def test_without_a_key_none_is_sent() -> None:
    service = Service(good())
    assert await RemoteCounter(service, Config(count_tokens_api_url=URL)).count(BODY) == 42
    assert not {"x-api-key", "authorization"} & set(service.requests[0].headers)


@pytest.mark.parametrize(
    "answer",
    [
        good(status=404),
        good(status=500),
        good(None),
        good("42"),
        good(True),
        good(-1),
        good(10**12),
        good(4.5),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[42]),
        UpstreamUnavailable("no route"),
    ],
    ids=str,
)
async def test_answers_that_are_none(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert await RemoteCounter(Service(answer), CONFIG).count(BODY) is None
    assert "sk-secret" not in caplog.text
    assert URL not in caplog.text


async def test_a_url_that_is_none() -> None:
    assert await RemoteCounter(Service(good()), Config(count_tokens_api_url="http://a:b:c/")).count(BODY) is None


async def test_a_slow_service_is_not_waited_for(autojump_clock: MockClock) -> None:
    counter = RemoteCounter(Service(300.0), CONFIG)
    before = trio.current_time()
    assert await counter.count(BODY) is None
    assert trio.current_time() - before == pytest.approx(CALL_SECONDS)


async def test_after_failures_it_is_left_alone_for_longer_and_longer(autojump_clock: MockClock) -> None:
    service = Service(good(status=500))
    counter = RemoteCounter(service, CONFIG)
    for _ in range(FAILURES + 3):
        await counter.count(BODY)
    assert len(service.requests) == FAILURES
    for pause in (PAUSE_SECONDS, 2 * PAUSE_SECONDS):
        await trio.sleep(pause - 1)
        await counter.count(BODY)
        before = len(service.requests)
        await trio.sleep(1)
        await counter.count(BODY)
        assert len(service.requests) == before + 1
    service.answers = [good()]
    await trio.sleep(10 * PAUSE_SECONDS)
    assert await counter.count(BODY) == await counter.count(BODY) == 42


async def test_single_failures_are_forgiven(autojump_clock: MockClock) -> None:
    service = Service(*[good(status=500), good()] * FAILURES)
    counter = RemoteCounter(service, CONFIG)
    assert [await counter.count(BODY) for _ in range(6)] == [None, 42] * FAILURES


def sent(**fields: Json) -> JsonObject:
    request: JsonObject = {
        "model": "client's",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "a"}],
        **fields,
    }
    loaded = json.loads(counting_body(json.dumps(request).encode(), {"client's": "claude-opus-5"}.__getitem__))
    assert isinstance(loaded, dict)
    assert (loaded.pop("model"), loaded.pop("messages")) == ("claude-opus-5", request["messages"])
    return loaded


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("", None),
        (None, None),
        ([], None),
        ("S", [{"type": "text", "text": "S"}]),
        (
            [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}, {"text": "T"}, {"text": ""}, "x"],
            [{"type": "text", "text": "S"}, {"type": "text", "text": "T"}],
        ),
    ],
)
def test_the_system_prompt_has_types(system: Json, expected: Json) -> None:
    assert sent(system=system).get("system") == expected


def test_tools_have_the_members_that_count() -> None:
    read: JsonObject = {"name": "read", "description": "R", "input_schema": {"type": "object"}}
    search: JsonObject = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    assert sent(tools=[{**read, "cache_control": {}, "strict": True}, search, 5])["tools"] == [read, search, 5]
    assert "tools" not in sent(tools=[])
    assert sent(stream=True, metadata={"user_id": "u"}) == {}


def test_odd_bodies() -> None:
    assert json.loads(counting_body(b"{}", str)) == {"model": None, "messages": []}
    with pytest.raises(InvalidRequest):
        counting_body(b"[]", str)
    with pytest.raises(InvalidRequest):
        counting_body(b"{", str)
