"""Bad input over a real socket: the same envelope for everything, and the proxy stays up."""

from __future__ import annotations

import json
import logging

import httpx
import pytest
import trio

from kiro_rs_py.simulator.app import CHAT
from tests.proxy import KEY, MODEL, STREAM, Proxy, events_of, request_of, text_of

SECRET = "tell-nobody"
DEEP = "[" * 200_000 + "]" * 200_000


def with_content(content: str) -> bytes:
    template = json.dumps(request_of("@"))
    return template.replace('"@"', content).encode()


CASES: list[tuple[str, bytes, int, str]] = [
    ("not JSON", SECRET.encode(), 400, ""),
    ("nothing", b"", 400, ""),
    ("UTF-16", json.dumps(request_of()).encode("utf-16"), 400, ""),
    ("wrong types", json.dumps(request_of(max_tokens=SECRET)).encode(), 400, "max_tokens"),
    ("an unknown model", json.dumps(request_of(model="gemini-3")).encode(), 404, ""),
    ("empty messages", json.dumps(request_of(messages=[])).encode(), 400, "messages"),
    ("deep nesting", with_content(DEEP), 400, ""),
    ("NaN", with_content("NaN"), 400, ""),
    ("infinity", with_content("1e999"), 400, ""),
    ("a number of 10,000 digits", with_content("1" * 10_000), 400, ""),
]


@pytest.mark.parametrize(("body", "status", "field"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_the_envelope_and_a_proxy_that_stays_up(
    body: bytes, status: int, field: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kiro_rs_py")
    response = await proxy.client.post(STREAM, content=body)
    document = response.json()
    assert response.status_code == status
    assert (document["type"], document["request_id"]) == ("error", response.headers["request-id"])
    assert document["error"]["message"].startswith(field)
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert text_of(events_of((await proxy.ask(stream=True)).text)) == "hello"


async def test_lone_surrogates_do_not_reach_the_wire(proxy: Proxy) -> None:
    response = await proxy.client.post(STREAM, content=with_content('"<<SAY \\ud800 and \\udfff>>"'))
    assert response.status_code in (200, 400)
    response.content.decode("utf-8", "strict")
    assert not proxy.simulator.crashes


async def test_sixty_megabytes(proxy: Proxy) -> None:
    body = with_content('"' + "a" * 60_000_000 + '"')
    for path in (STREAM, "/v1/messages/count_tokens"):
        response = await proxy.client.post(path, content=body)
        assert (response.status_code, response.json()["error"]["type"]) == (413, "request_too_large")
    assert not proxy.simulator.counts[CHAT]


async def test_sixty_megabytes_of_unknown_length(proxy: Proxy) -> None:
    async def parts() -> object:
        for _ in range(60):
            yield b"a" * 1_000_000

    response = await proxy.client.post(STREAM, content=parts())  # type: ignore[arg-type]
    assert response.status_code == 413


async def test_a_long_prompt_has_the_words_clients_compact_on(proxy: Proxy) -> None:
    response = await proxy.ask("word " * 200_000)
    message = response.json()["error"]["message"]
    assert response.status_code == 400
    assert message.startswith("prompt is too long: ")
    tokens, maximum = [int(word) for word in message.split() if word.isdigit()]
    assert tokens > maximum == 200_000
    assert not proxy.simulator.counts[CHAT]


@pytest.mark.parametrize("key", ["wrong", ""])
async def test_a_wrong_key_is_answered_during_the_upload(key: str, proxy: Proxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url, timeout=60) as client:
        response = await client.post(STREAM, content=b"a" * 20_000_000, headers={"x-api-key": key})
    assert response.status_code == 401
    assert response.headers["x-should-retry"] == "false"
    assert response.json()["error"]["type"] == "authentication_error"


async def test_a_client_that_writes_before_it_reads_gets_its_answer(proxy: Proxy) -> None:
    size = 20_000_000
    async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
        await stream.send_all(f"POST {STREAM} HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n".encode())
        await stream.send_all(b"a" * size)
        await stream.send_all(f"GET /v1/models HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n".encode())
        await stream.send_all(b"connection: close\r\n\r\n")
        received = b"".join([part async for part in stream])
    assert received.startswith(b"HTTP/1.1 401 ")
    assert b"HTTP/1.1 200 " in received  # the connection was good for another request


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/v1/v1/messages", 404),
        ("GET", STREAM, 405),
        ("DELETE", f"/v1/models/{MODEL}", 405),
        ("TRACE", "/", 405),
        ("POST", "/v1/responses", 404),
    ],
)
async def test_unknown_routes_and_methods(method: str, path: str, status: int, proxy: Proxy) -> None:
    response = await proxy.client.request(method, path)
    assert response.status_code == status
    assert response.json()["type"] == "error"
    assert response.headers["request-id"] == response.json()["request_id"]


async def test_what_is_not_http_gets_the_envelope_too(proxy: Proxy) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
        await stream.send_all(b"nonsense\r\n\r\n")
        received = b"".join([part async for part in stream])
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert (await proxy.client.get("/healthz")).status_code == 200
