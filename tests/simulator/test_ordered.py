from __future__ import annotations

import trio
import trio.testing

from kiro_rs_py.simulator.asgi import Answer
from kiro_rs_py.simulator.ordered import Failure, Orders


def failure(body: object, **headers: str) -> Answer:
    return Failure(500, body, headers, 0.0, False).answer()  # type: ignore[arg-type]


def test_bodies() -> None:
    assert failure({"a": 1}) == Answer(500, b'{"a":1}')
    assert failure("text") == Answer(500, b"text", "text/plain")
    assert failure(b"\x00") == Answer(500, b"\x00", "application/octet-stream")
    assert failure(None) == Answer(500, b"")
    answer = Failure(500, "x", {"Content-Type": "text/html", "Retry-After": "1"}, 0.0, False).answer()
    assert (answer.content_type, answer.headers) == ("text/html", (("retry-after", "1"),))


async def test_failures_are_a_queue_for_each_path() -> None:
    orders = Orders()
    orders.fail("/a", 500, None, {}, times=2, delay=0.0, drop=False)
    orders.fail("/a", 503, None, {}, times=1, delay=0.0, drop=True)
    found = [await orders.carry_out("/a") for _ in range(4)]
    assert [None if entry is None else entry.status for entry in found] == [500, 500, 503, None]
    assert await orders.carry_out("/b") is None


async def test_delays(autojump_clock: trio.testing.MockClock) -> None:
    orders = Orders()
    orders.fail("/a", 500, None, {}, times=1, delay=30.0, drop=False)
    started = trio.current_time()
    await orders.carry_out("/a")
    assert trio.current_time() - started == 30.0


async def test_a_hold_tells_and_waits(nursery: trio.Nursery) -> None:
    orders = Orders()
    hold = orders.hold("/a")
    passed = trio.Event()

    async def request() -> None:
        await orders.carry_out("/a")
        passed.set()

    nursery.start_soon(request)
    await hold.arrived.wait()
    assert not passed.is_set()
    hold.release.set()
    await passed.wait()
    assert await orders.carry_out("/a") is None
