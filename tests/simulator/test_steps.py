from __future__ import annotations

from kiro_rs_py.simulator.frames import Event
from kiro_rs_py.simulator.steps import Pause, Send, sends


def test_without_a_pause_everything_goes_at_once() -> None:
    assert sends([Event("a", b"1"), Event("b", b"2")]) == [Send(b"12")]
    assert sends([]) == []


def test_with_a_pause_each_event_goes_alone() -> None:
    assert sends([Event("a", b"1"), Event("b", b"2")], 0.5) == [Send(b"1"), Pause(0.5), Send(b"2"), Pause(0.5)]
