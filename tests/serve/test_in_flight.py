from __future__ import annotations

import pytest
import trio
import trio.testing

from kiro_rs_py.errors import ProxyBusy
from kiro_rs_py.serve.in_flight import InFlight


async def test_no_more_than_the_limit() -> None:
    in_flight = InFlight(2)
    with in_flight.enter(), in_flight.enter():
        with pytest.raises(ProxyBusy, match="its limit"), in_flight.enter():
            pass
        in_flight.limit = 3
        with in_flight.enter():
            assert in_flight.running == 3
    assert in_flight.running == 0


async def test_zero_is_no_limit() -> None:
    in_flight = InFlight()
    with in_flight.enter(), in_flight.enter(), in_flight.enter():
        assert in_flight.running == 3


async def test_an_error_inside_passes_and_frees_the_place() -> None:
    in_flight = InFlight(1)
    with pytest.raises(ValueError, match="x"), in_flight.enter():
        raise ValueError("x")
    with in_flight.enter():
        pass


async def test_drain_waits_then_cuts_short(autojump_clock: trio.testing.MockClock) -> None:
    in_flight = InFlight()
    ends: list[tuple[str, float]] = []

    async def request(seconds: float) -> None:
        try:
            with in_flight.enter():
                await trio.sleep(seconds)
            ends.append(("done", trio.current_time()))
        except ProxyBusy:
            ends.append(("cut", trio.current_time()))

    async with trio.open_nursery() as nursery:
        for seconds in (1, 5, 100):
            nursery.start_soon(request, seconds)
        await trio.testing.wait_all_tasks_blocked()
        await in_flight.drain(10)
    assert ends == [("done", 1), ("done", 5), ("cut", 10)]
    with pytest.raises(ProxyBusy, match="shutting down"), in_flight.enter():
        pass


async def test_drain_ends_as_soon_as_nothing_is_left(autojump_clock: trio.testing.MockClock) -> None:
    in_flight = InFlight()
    await in_flight.drain(10)
    assert trio.current_time() == 0


async def test_bodies_have_room_together_and_give_it_back() -> None:
    in_flight = InFlight(most_bytes=10)
    with in_flight.enter() as load:
        load.add(6)
        with in_flight.enter() as other:
            other.add(4)
            with pytest.raises(ProxyBusy, match="bytes of requests"):
                other.add(1)
        assert in_flight.held_bytes == 6
        load.add(4)
        load.let_go()
        load.let_go()
        assert in_flight.held_bytes == 0
        with in_flight.enter() as other:
            other.add(10)
    assert in_flight.held_bytes == 0


async def test_cancelled_requests_hold_nothing() -> None:
    in_flight = InFlight(most_bytes=10)
    with trio.CancelScope() as scope, in_flight.enter() as load:
        load.add(10)
        scope.cancel()
        await trio.sleep_forever()
    assert in_flight.held_bytes == 0
