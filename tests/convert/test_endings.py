from __future__ import annotations

import pytest

from kiro_rs_py.convert.endings import Ledger
from kiro_rs_py.convert.events import AssistantText, ContextUsage, KiroEvent, Metadata, Metering, TokenUsage
from kiro_rs_py.convert.message_events import Usage

NOTHING = {"tool_use": False, "only_thinking": False}
TOOL = {"tool_use": True, "only_thinking": False}
THINKING = {"tool_use": False, "only_thinking": True}
FULL = ContextUsage(100.0)


def ledger(*events: KiroEvent, window: int = 200_000) -> Ledger:
    gathered = Ledger(input_estimate=42, window=window)
    for event in events:
        gathered.receive(event)
    return gathered


@pytest.mark.parametrize(
    ("events", "content", "stop_reason"),
    [
        ([], NOTHING, "end_turn"),
        ([], TOOL, "tool_use"),
        ([], THINKING, "max_tokens"),
        ([FULL], NOTHING, "model_context_window_exceeded"),
        ([FULL], THINKING, "model_context_window_exceeded"),
        ([ContextUsage(99.9)], NOTHING, "end_turn"),
        # B14: a full window does not hide a tool call.
        ([FULL], TOOL, "tool_use"),
        ([Metadata("MODEL_CONTEXT_WINDOW_EXCEEDED")], TOOL, "tool_use"),
        ([Metadata("END_TURN")], NOTHING, "end_turn"),
        ([Metadata("END_TURN")], THINKING, "end_turn"),
        # About 38 % of tool turns say END_TURN.
        ([Metadata("END_TURN")], TOOL, "tool_use"),
        ([Metadata("TOOL_USE")], TOOL, "tool_use"),
        ([Metadata("TOOL_USE")], NOTHING, "end_turn"),
        ([Metadata("MAX_TOKENS")], NOTHING, "max_tokens"),
        ([Metadata("MAX_TOKENS")], TOOL, "max_tokens"),
        ([Metadata("MODEL_CONTEXT_WINDOW_EXCEEDED")], NOTHING, "model_context_window_exceeded"),
        ([Metadata("CONTENT_FILTERED")], NOTHING, "refusal"),
        ([Metadata("CONTENT_FILTERED")], TOOL, "refusal"),
        ([Metadata("PAUSE_TURN")], NOTHING, "pause_turn"),
        ([Metadata("PAUSE_TURN")], TOOL, "tool_use"),
        ([Metadata("STOP_SEQUENCE")], NOTHING, "end_turn"),
        ([Metadata("UNKNOWN")], NOTHING, "end_turn"),
        ([Metadata("UNKNOWN"), FULL], NOTHING, "model_context_window_exceeded"),
        ([Metadata("MAX_TOKENS"), Metadata()], NOTHING, "max_tokens"),
        ([Metadata(percentage=100.0)], NOTHING, "model_context_window_exceeded"),
    ],
)
def test_stop_reason(events: list[KiroEvent], content: dict[str, bool], stop_reason: str) -> None:
    assert ledger(*events).stop_reason(**content, expects_metadata=False) == stop_reason


@pytest.mark.parametrize(
    ("events", "content", "stop_reason"),
    [
        ([], NOTHING, "max_tokens"),
        ([ContextUsage(5)], NOTHING, "max_tokens"),
        ([], TOOL, "tool_use"),
        ([Metadata()], NOTHING, "end_turn"),
        ([Metadata("END_TURN")], NOTHING, "end_turn"),
        ([Metadata(usage=TokenUsage(5, 1, 0, 0), is_end=False)], NOTHING, "max_tokens"),
        ([Metadata(), Metadata(percentage=5.0, is_end=False)], NOTHING, "end_turn"),
    ],
)
def test_a_missing_end_mark(events: list[KiroEvent], content: dict[str, bool], stop_reason: str) -> None:
    assert ledger(*events).stop_reason(**content, expects_metadata=True) == stop_reason


def test_usage_is_estimated() -> None:
    assert ledger().usage(0, anything=False) == Usage(42, 0)
    assert ledger().usage(0, anything=True) == Usage(42, 1)
    assert ledger().usage(1, anything=True) == Usage(42, 1)
    assert ledger().usage(3200, anything=True) == Usage(42, 800)


def test_usage_from_the_window() -> None:
    """D-15: the percentage covers the output too, and is truncated as kiro-rs does (B15: not of 200,000 always)."""
    assert ledger(ContextUsage(12.345)).usage(11, anything=True) == Usage(24690 - 4, 4)
    assert ledger(ContextUsage(0.29)).usage(0, anything=False) == Usage(579, 0)
    assert ledger(ContextUsage(12.345), window=1_000_000).usage(11, anything=True) == Usage(123450 - 4, 4)
    # Where D-15 would say 0: a prompt has tokens, and clients read a zero as "unknown" (clients §1.2).
    assert ledger(ContextUsage(0.001)).usage(11, anything=True) == Usage(42, 4)
    assert ledger(ContextUsage(1), ContextUsage(2)).usage(0, anything=False) == Usage(4000, 0)
    assert ledger(ContextUsage(1), Metadata(percentage=2)).usage(0, anything=False) == Usage(4000, 0)


def test_exact_usage() -> None:
    """D-15, D-16: cached tokens stand beside the input, not in it."""
    exact = ledger(ContextUsage(50), Metadata(usage=TokenUsage(10, 20, 3, 4)), Metadata("END_TURN"))
    assert exact.usage(11, anything=True) == Usage(10, 20, cache_creation_input_tokens=4, cache_read_input_tokens=3)


def test_what_upstream_measured_of_the_request() -> None:
    assert ledger(ContextUsage(12.345)).measured_input(11) == 24690 - 4
    assert ledger(ContextUsage(50), Metadata(usage=TokenUsage(10, 20, 3, 4))).measured_input(11) == 17
    assert ledger().measured_input(11) is None
    assert ledger(FULL).measured_input(11) is None
    later = ledger(ContextUsage(50))
    later.next_round(11, 0)
    later.receive(ContextUsage(60))
    assert later.measured_input(22) is None


def test_credits_add_up() -> None:
    assert ledger(Metering(0.25), AssistantText("Hi"), Metering(0.5)).credits == 0.75


def test_refusal_and_full_window() -> None:
    assert ledger(Metadata("CONTENT_FILTERED")).refused
    assert not ledger(Metadata("END_TURN")).refused
    assert ledger(FULL).window_full
    assert ledger(Metadata("MODEL_CONTEXT_WINDOW_EXCEEDED")).window_full
    assert not ledger(ContextUsage(99)).window_full


def test_input_is_the_last_rounds_and_output_adds_up() -> None:
    rounds = ledger(ContextUsage(10))
    assert rounds.usage(400, anything=True) == Usage(20_000 - 130, 130)
    rounds.next_round(400, added_tokens=50)
    # Nothing said yet: the estimate has grown by what was said and found.
    assert rounds.usage(400, anything=True) == Usage(42 + 130 + 50, 131)
    rounds.receive(ContextUsage(11))
    rounds.web_searches = 1
    assert rounds.usage(800, anything=True) == Usage(22_000 - 130, 260, web_searches=1)
    rounds.next_round(800, added_tokens=0)
    rounds.receive(Metadata(usage=TokenUsage(10, 20, 3, 4)))
    assert rounds.usage(900, anything=True) == Usage(10, 280, 4, 3, web_searches=1)


def test_a_round_ends_for_itself() -> None:
    rounds = ledger(Metadata("CONTENT_FILTERED"), FULL)
    rounds.next_round(4, added_tokens=0)
    assert not rounds.refused
    assert not rounds.window_full
    assert not rounds.complete
