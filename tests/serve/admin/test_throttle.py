from __future__ import annotations

import pytest

from kiro_rs_py.serve.admin.throttle import (
    FIRST_LOCK_SECONDS,
    FREE_ATTEMPTS,
    LONGEST_LOCK_SECONDS,
    MOST_PEERS,
    Throttle,
)


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def failed(throttle: Throttle, times: int, peer: str = "192.0.2.1") -> None:
    for _ in range(times):
        throttle.failed(peer)


def test_a_few_mistakes_are_free_and_then_it_gets_longer() -> None:
    seconds = Seconds()
    throttle = Throttle(seconds)
    failed(throttle, FREE_ATTEMPTS - 1)
    assert throttle.wait_of("192.0.2.1") == 0
    waits = []
    for _ in range(12):
        throttle.failed("192.0.2.1")
        waits.append(throttle.wait_of("192.0.2.1"))
        seconds.now += waits[-1]
        assert throttle.wait_of("192.0.2.1") == 0
    assert waits[:3] == [FIRST_LOCK_SECONDS, 2 * FIRST_LOCK_SECONDS, 4 * FIRST_LOCK_SECONDS]
    assert waits[-1] == LONGEST_LOCK_SECONDS


def test_others_are_not_locked_out() -> None:
    throttle = Throttle(Seconds())
    failed(throttle, 10)
    assert throttle.wait_of("192.0.2.2") == 0


def test_the_right_key_and_time_forgive() -> None:
    seconds = Seconds()
    throttle = Throttle(seconds)
    failed(throttle, FREE_ATTEMPTS - 1)
    throttle.succeeded("192.0.2.1")
    failed(throttle, FREE_ATTEMPTS - 1)
    assert throttle.wait_of("192.0.2.1") == 0
    seconds.now += 61
    failed(throttle, FREE_ATTEMPTS - 1)
    assert throttle.wait_of("192.0.2.1") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),  # everybody has 2**64 addresses
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
    ],
)
def test_who_counts_as_one(one: str, other: str, same: bool) -> None:
    throttle = Throttle(Seconds())
    failed(throttle, 10, one)
    assert (throttle.wait_of(other) > 0) is same


def test_the_table_is_bounded() -> None:
    throttle = Throttle(Seconds())
    for number in range(MOST_PEERS + 10):
        failed(throttle, FREE_ATTEMPTS, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert throttle.wait_of("10.0.0.0") == 0
    assert throttle.wait_of("10.0.0.50") > 0
