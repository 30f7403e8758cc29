"""Live events: everybody hears everything, and nobody waits for anybody."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from kiro_rs_py.config import Config
from kiro_rs_py.serve.admin.events import KEEP_ALIVE, KEEP_ALIVE_SECONDS, MOST_STREAMS, QUEUE_LENGTH, Hub, encode
from kiro_rs_py.serve.admin.refusals import Refusal
from kiro_rs_py.serve.app import App, Call, Route
from tests.serve.in_memory import Answer, Client


class Page:
    """One page that watches ``hub`` until it leaves."""

    def __init__(self, hub: Hub, *, allowed: bool = True) -> None:
        self.allowed = allowed

        async def stream(call: Call) -> None:
            await hub.stream(call, b"first\n\n", lambda: self.allowed)

        self.client = Client(App([Route("/", {"GET": stream}, keyed=False)], Config()))
        self.client.say(b"")

    @property
    def answer(self) -> Answer:
        return self.client.answer

    async def watch(self) -> None:
        await self.client.call("GET", "/", key=None)


async def test_all_pages_hear_what_is_published(autojump_clock: trio.testing.MockClock) -> None:
    hub = Hub()
    pages = [Page(hub), Page(hub)]
    async with trio.open_nursery() as nursery:
        for page in pages:
            nursery.start_soon(page.watch)
        await trio.testing.wait_all_tasks_blocked()
        hub.publish("request", {"status": 200, "text": "a\nb \ud83d"})
        await trio.testing.wait_all_tasks_blocked()
        assert len(hub) == 2
        for page in pages:
            page.client.leave()
    data = json.dumps({"status": 200, "text": "a\nb \ufffd"}, ensure_ascii=False, separators=(",", ":"))
    expected = b"first\n\n" + f"event: request\ndata: {data}\n\n".encode()
    assert [page.answer.body for page in pages] == [expected, expected]
    assert pages[0].answer.headers["content-type"].startswith("text/event-stream")
    assert not len(hub)


async def test_silence_is_filled(autojump_clock: trio.testing.MockClock) -> None:
    hub = Hub()
    page = Page(hub)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(page.watch)
        await trio.sleep(2.5 * KEEP_ALIVE_SECONDS)
        page.client.leave()
    assert [part for _, part in page.answer.parts[1:]] == [KEEP_ALIVE, KEEP_ALIVE]


async def test_a_session_that_ends_ends_its_stream(autojump_clock: trio.testing.MockClock) -> None:
    hub = Hub()
    page = Page(hub)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(page.watch)
        await trio.sleep(1)
        page.allowed = False
    assert page.answer.complete
    assert page.answer.body == b"first\n\n"
    assert trio.current_time() == pytest.approx(KEEP_ALIVE_SECONDS)


async def test_a_page_that_does_not_read_is_cut_off(autojump_clock: trio.testing.MockClock) -> None:
    hub = Hub()
    slow, quick = Page(hub), Page(hub)

    async def stuck(message: object) -> None:
        await Answer.send(slow.answer, message)
        if len(slow.answer.parts) == 1:
            await trio.sleep_forever()

    slow.answer.send = stuck  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slow.watch)
        nursery.start_soon(quick.watch)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(QUEUE_LENGTH + 2):
            hub.publish("n", {"n": number})
            await trio.testing.wait_all_tasks_blocked()
        assert len(hub) == 1
        quick.client.leave()
    assert not slow.answer.complete
    assert len(quick.answer.parts) == QUEUE_LENGTH + 3


async def test_a_stopping_server_ends_all_streams(autojump_clock: trio.testing.MockClock) -> None:
    hub = Hub()
    early, late = Page(hub), Page(hub)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(early.watch)
        await trio.testing.wait_all_tasks_blocked()
        hub.publish("last", {})
        hub.close()
        hub.publish("too late", {})
    await late.watch()
    assert early.answer.complete
    assert early.answer.body.endswith(encode("last", {}))
    assert late.answer.complete
    assert late.answer.body == b"first\n\n"


async def test_there_are_only_so_many(autojump_clock: trio.testing.MockClock) -> None:
    hub = Hub()
    pages = [Page(hub) for _ in range(MOST_STREAMS)]
    async with trio.open_nursery() as nursery:
        for page in pages:
            nursery.start_soon(page.watch)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Refusal) as refused:
            await hub.stream(None, b"", lambda: True)  # type: ignore[arg-type]
        assert (refused.value.status, refused.value.code) == (429, "too_many_streams")
        for page in pages:
            page.client.leave()
