"""Which account is asked next: tables of entries in, a choice or a reason out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from kiro_rs_py.errors import (
    AccountSuspended,
    KiroError,
    ModelUnavailable,
    QuotaExhausted,
    RefreshFailed,
    RefreshRejected,
    Throttled,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream.selection import Entry, Standing, able, choose, nobody
from kiro_rs_py.upstream.state import Mode
from tests.upstream.pool_parts import START, at
from tests.upstream.pool_parts import make_entry as acct


@dataclass(frozen=True)
class Choice:
    story: str
    entries: list[Entry]
    priority: int | None
    balanced: int | None
    model: str = "claude-sonnet-4.5"
    tried: tuple[int, ...] = ()
    seconds: float = 0.0


CHOICES = [
    Choice("nobody", [], None, None),
    Choice("the first of equals", [acct(1), acct(2)], 1, 1),
    Choice("the preferred one", [acct(1, priority=5), acct(2, priority=1), acct(3, priority=1)], 2, 2),
    Choice("the least busy one", [acct(1, in_flight=2), acct(2, in_flight=1), acct(3, in_flight=1)], 1, 2),
    Choice("then the one that has rested longest", [acct(1, leased_at=9.0), acct(2, leased_at=5.0)], 1, 2),
    Choice("a new one has rested longest of all", [acct(1, leased_at=5.0), acct(2)], 1, 2),
    Choice("lifetime counters do not steer", [acct(1, success_count=900), acct(2, leased_at=1.0)], 1, 1),
    Choice("dead 1 of 3", [acct(1, "reauth_required"), acct(2), acct(3)], 2, 2),
    Choice("2 dead ahead of a healthy one", [acct(1, "reauth_required"), acct(2, "suspended"), acct(3)], 3, 3),
    Choice("tried ones are left out", [acct(1), acct(2), acct(3)], 3, 3, tried=(1, 2)),
    Choice("all tried", [acct(1), acct(2)], None, None, tried=(1, 2)),
    Choice("all cooling", [acct(1, "cooling", resumes=9), acct(2, "cooling", resumes=5)], None, None),
    Choice("cooling is over", [acct(1, "cooling", resumes=9), acct(2, "cooling", resumes=5)], 2, 2, seconds=5),
    Choice("back to the preferred one", [acct(1, "cooling", resumes=5), acct(2, priority=3)], 1, 1, seconds=6),
    Choice("each other state", [acct(1, "exhausted", resumes=9), acct(2, "invalid_config"),
                                acct(3, "disabled"), acct(4)], 4, 4),
    Choice("free plans have no opus", [acct(1, subscription_title="KIRO FREE"), acct(2, priority=9)], 2, 2,
           model="claude-opus-4.5"),
    Choice("but everything else", [acct(1, subscription_title="KIRO FREE"), acct(2, priority=9)], 1, 1),
    Choice("only free plans", [acct(1, subscription_title="Kiro Free")], None, None, model="CLAUDE_OPUS_V1"),
    Choice("an unknown plan may", [acct(1)], 1, 1, model="claude-opus-4.5"),
    Choice("model lists", [acct(1, models=frozenset({"auto"})), acct(2, models=frozenset({"new-model"}))], 2, 2,
           model="New-Model"),
    Choice("a model that nobody lists", [acct(1, models=frozenset({"auto"})), acct(2)], 1, 1, model="OLD_V1_0"),
    Choice("no particular model", [acct(1, models=frozenset({"auto"})), acct(2)], 1, 1, model=""),
    Choice("refused this model a moment ago", [acct(1, refused_models={"m": 1010.0}), acct(2, in_flight=9)],
           2, 2, model="m"),
    Choice("unless all did", [acct(1, refused_models={"m": 1010.0})], 1, 1, model="m"),
    Choice("or it is forgotten", [acct(1, refused_models={"m": 1010.0}), acct(2, in_flight=9)], 1, 1,
           model="m", seconds=10),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["priority", "balanced"])
@pytest.mark.parametrize("case", CHOICES, ids=lambda case: case.story)
def test_choices(case: Choice, mode: Mode) -> None:
    chosen = choose(case.entries, model=case.model, mode=mode, moment=at(case.seconds), tried=case.tried)
    assert (chosen and chosen.id) == (case.priority if mode == "priority" else case.balanced)


def test_balanced_takes_turns() -> None:
    """Six requests in a row, each done before the next: nobody is asked twice before all were asked."""
    entries = [acct(number) for number in (1, 2, 3)]
    order = []
    for second in range(6):
        chosen = choose(entries, model="", mode="balanced", moment=at(second))
        assert chosen is not None
        chosen.leased_at = at(second).mono
        order.append(chosen.id)
    assert order == [1, 2, 3, 1, 2, 3]


def test_balanced_counts_what_is_under_way() -> None:
    entries = [acct(number) for number in (1, 2)]
    for second in range(6):
        chosen = choose(entries, model="", mode="balanced", moment=at(second))
        assert chosen is not None
        chosen.in_flight += 1
    assert [entry.in_flight for entry in entries] == [3, 3]


def test_able_keeps_the_order() -> None:
    entries = [acct(1), acct(2, subscription_title="KIRO FREE"), acct(3)]
    assert [entry.id for entry in able(entries, "claude-opus-5")] == [1, 3]


@pytest.mark.parametrize(
    ("standing", "remaining"),
    [
        (Standing("active", START), 0.0),
        (Standing("cooling", START, until=at(99).wall, resumes=at(7).mono), 7.0),
        (Standing("cooling", START, until=at(-1).wall, resumes=at(-1).mono), 0.0),
        (Standing("exhausted", START, until=START + timedelta(days=1)), 86400.0),
        (Standing("exhausted", START, until=START - timedelta(days=1)), 0.0),
        (Standing("exhausted", START), 0.0),
        (Standing("suspended", START), None),
        (Standing("disabled", START), None),
    ],
)
def test_how_long_a_state_lasts(standing: Standing, remaining: float | None) -> None:
    assert standing.remaining(at(0)) == remaining


def test_a_state_that_is_over_shows_as_active() -> None:
    entry = acct(1, "cooling", resumes=5)
    assert entry.standing_at(at(4)).state == "cooling"
    assert entry.standing_at(at(5)) == Standing("active", at(5).wall)


def test_what_is_unsaved() -> None:
    entry = acct(1)
    assert not entry.unsaved
    entry.on_disk = acct(1, access_token="older").credential
    assert entry.unsaved


# --- nobody -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nobody:
    story: str
    entries: list[Entry]
    cause: type[KiroError] | None
    retry_after: float | None
    sentence: str
    model: str = "claude-sonnet-4.5"


def cooling(number: int, seconds: float, error: KiroError) -> Entry:
    entry = acct(number, "cooling", resumes=seconds, cause="Too many requests.")
    return acct(number, standing=Standing("cooling", START, entry.standing.cause, entry.standing.until,
                                                entry.standing.resumes, error))  # fmt: skip


NOBODIES = [
    Nobody("no account", [], None, None,
           "There is no account. Log in with 'kiro-rs-py login' or bring tokens in with 'kiro-rs-py import-token'."),
    Nobody("all dead", [acct(1, "reauth_required"), acct(2, "reauth_required", cause="Log in again.")],
           RefreshRejected, None, "None of the 2 accounts can be used now: 2 in need of a new login."),
    Nobody("the only one is dead", [acct(1, "reauth_required", cause="Log in again.")], RefreshRejected, None,
           "The only account is in need of a new login. Log in again."),
    Nobody("all cooling: the one that is back first",
           [cooling(1, 30, RefreshFailed("no")), cooling(2, 12, Throttled("x"))], Throttled, 12.0,
           "None of the 2 accounts can be used now: 2 cooling down. Too many requests."),
    Nobody("one cooling, one dead", [acct(1, "reauth_required"), cooling(2, 12, Throttled("x"))],
           Throttled, 12.0, "None of the 2 accounts can be used now: 1 cooling down, 1 in need of a new login. "
           "Too many requests."),
    Nobody("exhausted until tomorrow", [acct(1, "exhausted", resumes=86400, cause="No credits.")],
           QuotaExhausted, 86400.0, "The only account is out of credits. No credits."),
    Nobody("suspended", [acct(1, "suspended", cause="Locked."), acct(2, "disabled")], AccountSuspended, None,
           "None of the 2 accounts can be used now: 1 suspended by the provider, 1 disabled. Locked."),
    Nobody("badly configured", [acct(1, "invalid_config", cause="clientId is missing.")], None, None,
           "The only account is wrongly configured. clientId is missing."),
    Nobody("disabled", [acct(1, "disabled")], None, None, "The only account is disabled."),
    Nobody("healthy, but tried", [acct(1, last_error=UpstreamUnavailable("down")), acct(2, "suspended")],
           UpstreamUnavailable, None,
           "None of the 2 accounts can be used now: 1 busy or already tried, 1 suspended by the provider."),
    Nobody("no plan has it", [acct(1, subscription_title="KIRO FREE"), acct(2, "disabled")],
           ModelUnavailable, None, "No account's plan includes the model claude-opus-5.", model="claude-opus-5"),
    Nobody("the one whose plan has it cools", [acct(1, subscription_title="KIRO FREE"), cooling(2, 3, Throttled("x"))],
           Throttled, 3.0, "The only account for claude-opus-5 is cooling down. Too many requests.",
           model="claude-opus-5"),
    Nobody("all disabled, whatever their plan", [acct(1, "disabled", subscription_title="KIRO FREE")], None, None,
           "The only account is disabled.", model="claude-opus-5"),
]  # fmt: skip


@pytest.mark.parametrize("case", NOBODIES, ids=lambda case: case.story)
def test_why_nobody_is_left(case: Nobody) -> None:
    error = nobody(case.entries, model=case.model, moment=at(0))
    assert str(error) == case.sentence
    assert type(error.cause) is (case.cause or type(None))
    assert error.retry_after == case.retry_after
