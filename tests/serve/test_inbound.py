from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from kiro_rs_py.errors import BodyTimeout, ProxyBusy, RequestTooLarge, UnsupportedEncoding
from kiro_rs_py.serve.inbound import BODY_BYTES_PER_SECOND, BODY_SECONDS, ClientLeft, Inbound

GONE = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Script:
    """Messages with a pause before each; at the end the client is silent."""

    def __init__(self, *messages: dict[str, Any], pause: float = 0) -> None:
        self.messages = list(messages)
        self.pause = pause

    async def __call__(self) -> dict[str, Any]:
        if not self.messages:
            await trio.sleep_forever()
        await trio.sleep(self.pause)
        return self.messages.pop(0)


async def test_parts_are_joined() -> None:
    inbound = Inbound(Script(part(b"ab"), part(b"c"), part(b"", more=False)), length=3, chunked=False)
    assert inbound.unread
    assert await inbound.read(3) == b"abc"
    assert not inbound.unread


async def test_a_named_length_over_the_limit_is_refused_before_a_byte_came() -> None:
    with pytest.raises(RequestTooLarge) as caught:
        await Inbound(Script(), length=11, chunked=False).read(10)
    assert caught.value.limit == 10


async def test_a_compressed_one_is_refused_before_a_byte_came() -> None:
    inbound = Inbound(Script(), length=None, chunked=True, encoding="gzip")
    with pytest.raises(UnsupportedEncoding):
        await inbound.read(10)
    assert inbound.unread


async def test_an_unnamed_one_when_it_gets_there() -> None:
    with pytest.raises(RequestTooLarge):
        await Inbound(Script(part(b"a" * 6), part(b"a" * 6)), length=None, chunked=True).read(10)


@pytest.mark.parametrize(("length", "told"), [(9, [9]), (None, [0, 6, 3]), (4, [4, 2, 3])])
async def test_what_is_kept_is_told_before(length: int | None, told: list[int]) -> None:
    """Once for all if the client named the length, and what is more than that (it lied) as it comes."""
    parts = (part(b"a" * 6), part(b"b" * 3, more=False))
    holds: list[int] = []
    assert len(await Inbound(Script(*parts), length=length, chunked=length is None).read(10, holds.append)) == 9
    assert holds == told


async def test_no_room_for_a_named_length_is_told_before_a_byte_came() -> None:
    def refuse(size: int) -> None:
        raise ProxyBusy("full")

    with pytest.raises(ProxyBusy):
        await Inbound(Script(), length=5, chunked=False).read(10, refuse)


async def test_a_hang_up_in_mid_body() -> None:
    with pytest.raises(ClientLeft):
        await Inbound(Script(part(b"a"), GONE), length=10, chunked=False).read(10)


async def test_a_slow_but_steady_body_gets_through(autojump_clock: trio.testing.MockClock) -> None:
    piece = b"a" * BODY_BYTES_PER_SECOND
    messages = [part(piece) for _ in range(200)]
    inbound = Inbound(Script(*messages, part(b"", more=False), pause=1), length=None, chunked=True)
    assert len(await inbound.read(10**9)) == 200 * len(piece)
    assert trio.current_time() > 2 * BODY_SECONDS


async def test_a_drip_does_not(autojump_clock: trio.testing.MockClock) -> None:
    messages = [part(b"a") for _ in range(1000)]
    with pytest.raises(BodyTimeout):
        await Inbound(Script(*messages, pause=1), length=1000, chunked=False).read(10**9)
    assert trio.current_time() == pytest.approx(BODY_SECONDS, abs=2)


async def test_waiting_for_the_end_of_the_client() -> None:
    inbound = Inbound(Script(part(b"late"), GONE), length=None, chunked=False)
    await inbound.wait_until_gone()
