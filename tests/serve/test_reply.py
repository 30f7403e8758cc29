from __future__ import annotations

from typing import Any

import trio
import trio.testing

from kiro_rs_py.serve.errors import ErrorAnswer
from kiro_rs_py.serve.inbound import Inbound
from kiro_rs_py.serve.reply import Reply
from tests.serve.in_memory import Answer

PING = b'event: ping\ndata: {"type":"ping"}\n\n'


async def never() -> dict[str, Any]:
    await trio.sleep_forever()
    raise AssertionError


def new_reply(answer: Answer) -> Reply:
    return Reply(answer.send, Inbound(never, length=0, chunked=False), "req_1", [(b"x-common", b"1")])


async def test_json_has_its_length_and_the_common_headers() -> None:
    answer = Answer()
    reply = new_reply(answer)
    assert not reply.started
    await reply.json(201, {"a": "ä\ud800"}, [(b"x-own", b"2")])
    assert (answer.status, answer.complete, reply.status) == (201, True, 201)
    assert answer.body.decode() == '{"a":"ä�"}'
    assert answer.headers == {
        "content-type": "application/json",
        "content-length": str(len(answer.body)),
        "x-own": "2",
        "request-id": "req_1",
        "x-content-type-options": "nosniff",
        "x-common": "1",
    }


async def test_an_error_is_the_envelope() -> None:
    answer = Answer()
    await new_reply(answer).error(ErrorAnswer(429, "rate_limit_error", "slow", ((b"retry-after", b"3"),)))
    assert answer.json == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "slow"},
        "request_id": "req_1",
    }
    assert answer.headers["retry-after"] == "3"


async def test_empty_answers_have_no_content_headers() -> None:
    answer = Answer()
    await new_reply(answer).empty(204)
    assert answer.headers == {"request-id": "req_1", "x-content-type-options": "nosniff", "x-common": "1"}
    assert answer.complete


async def test_a_stream_starts_with_its_first_event() -> None:
    answer = Answer()
    reply = new_reply(answer)
    await reply.write(b"event: a\n\n")
    await reply.write(b"event: b\n\n")
    await reply.finish()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert [part for _, part in answer.parts] == [b"event: a\n\n", b"event: b\n\n"]
    assert answer.complete


async def keep_alive(reply: Reply) -> None:
    while True:  # noqa: ASYNC110  # a clock, not a condition
        await trio.sleep_until(await reply.keep_alive(25, hold=50))


async def test_pings_fill_silence_only(autojump_clock: trio.testing.MockClock) -> None:
    answer = Answer()
    reply = new_reply(answer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_alive, reply)
        await trio.sleep(1)
        await reply.write(b"one")  # at 1: the stream is open, 25 s of silence follow
        await trio.sleep(29)
        await reply.write(b"two")  # at 30
        await trio.sleep(20)
        await reply.write(b"three")  # at 50
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    told = [(round(at), part) for at, part in answer.parts]
    assert told == [(1, b"one"), (26, PING), (30, b"two"), (50, b"three"), (75, PING), (100, PING)]


async def test_before_the_first_event_pings_are_held_back(autojump_clock: trio.testing.MockClock) -> None:
    answer = Answer()
    reply = new_reply(answer)
    with trio.move_on_after(80):
        await keep_alive(reply)
    assert [round(at) for at, _ in answer.parts] == [50, 75]


async def test_no_ping_while_something_is_being_written(autojump_clock: trio.testing.MockClock) -> None:
    answer = Answer()
    written: list[bytes] = []

    async def slow_send(message: Any) -> None:
        if message["type"] == "http.response.body":
            if message["body"] == b"slow":
                await trio.sleep(60)
            written.append(message["body"])

    reply = Reply(slow_send, Inbound(never, length=None, chunked=False), "req_1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_alive, reply)
        nursery.start_soon(reply.write, b"slow")
        await trio.testing.wait_all_tasks_blocked()
        await reply.write(b"next")  # waits for its turn
        assert trio.current_time() == 60
        await trio.sleep(26)
        nursery.cancel_scope.cancel()
    assert written == [b"slow", b"next", PING]
    assert not answer.status


async def test_an_unread_body_is_thrown_away_before_the_last_byte() -> None:
    answer = Answer()
    parts = iter(
        [
            {"type": "http.request", "body": b"a", "more_body": True},
            {"type": "http.request", "body": b"b", "more_body": False},
        ]
    )
    seen: list[bool] = []

    async def receive() -> dict[str, Any]:
        seen.append(bool(answer.parts) and not answer.complete)
        return next(parts)

    inbound = Inbound(receive, length=2, chunked=False)
    await Reply(answer.send, inbound, "req_1").json(401, {})
    assert seen == [True, True]
    assert answer.complete
    assert not inbound.unread


async def test_a_client_that_leaves_ends_the_throwing_away() -> None:
    answer = Answer()

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    await Reply(answer.send, Inbound(receive, length=2, chunked=False), "req_1").json(401, {})
    assert answer.complete
