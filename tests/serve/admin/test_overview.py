"""What wants attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from kiro_rs_py.errors import NotFound
from kiro_rs_py.serve.admin.overview import alerts
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.document import EntryProblem
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus

NOW = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)
ACTIVE = CredentialStatus(
    id=1, auth_method="idc", priority=0, state="active", cause="", since=NOW, until=None, in_flight=0, success_count=0,
    failure_count=0, failures_in_a_row=0, last_error=None, last_used_at=None, expires_at=None,
    unsaved=False, in_memory_only=False, endpoint=None, subscription_title=None, label=None, email="me@example.com",
)  # fmt: skip


@dataclass
class Pool:
    """What the overview looks at."""

    registration_ends: datetime | None = None
    unsaved_because: str | None = None
    problems: tuple[EntryProblem, ...] = ()
    clock_skew: float | None = None

    def credential(self, number: int) -> Credential:
        if number != 1:
            raise NotFound("no")
        return Credential(id=1, client_secret_expires_at=self.registration_ends)


def found(*statuses: CredentialStatus, **pool: Any) -> list[tuple[Any, Any]]:
    listed = alerts(cast("CredentialPool", Pool(**pool)), statuses, NOW)
    for alert in listed:
        assert isinstance(alert, dict)
        assert "me@example.com" not in str(alert["message"])
    return [(alert["level"], alert["code"]) for alert in listed if isinstance(alert, dict)]


def in_state(state: Any, **fields: Any) -> CredentialStatus:
    return replace(ACTIVE, state=state, cause="Because.", **fields)


def test_all_is_well() -> None:
    assert found(ACTIVE) == []
    assert found(ACTIVE, registration_ends=NOW + timedelta(days=8), clock_skew=10.0) == []


@pytest.mark.parametrize(
    ("state", "level", "code"),
    [
        ("reauth_required", "error", "reauth_required"),
        ("suspended", "error", "suspended"),
        ("invalid_config", "error", "invalid_config"),
        ("exhausted", "warning", "quota_exhausted"),
    ],
)
def test_accounts_that_want_somebody(state: str, level: str, code: str) -> None:
    assert found(ACTIVE, in_state(state, id=2)) == [(level, code)]


def test_states_that_want_nobody() -> None:
    assert found(ACTIVE, in_state("disabled", id=2), in_state("cooling")) == []


def test_nobody_left() -> None:
    assert found() == [("error", "no_accounts")]
    assert found(in_state("disabled")) == [("error", "no_usable_account")]
    assert found(in_state("exhausted", until=NOW)) == [("error", "no_usable_account"), ("warning", "quota_exhausted")]


def test_a_registration_that_ends_soon() -> None:
    assert found(ACTIVE, registration_ends=NOW + timedelta(days=7)) == [("warning", "registration_expiring")]


def test_the_gravest_first() -> None:
    everything = found(
        in_state("exhausted"),
        unsaved_because="The disk is full.",
        problems=(EntryProblem(0, "refreshToken", "must be text"),),
        clock_skew=-4000.0,
    )
    assert [level for level, _ in everything] == ["error", "error", "warning", "warning", "warning"]
    assert everything[0] == ("error", "store_degraded")
    assert {code for _, code in everything[2:]} == {"quota_exhausted", "entry_left_out", "clock_skew"}


def test_many_logins_are_one_sentence() -> None:
    statuses = [in_state("reauth_required", id=number, label=f"a{number}") for number in range(2, 10)]
    [first, *_] = alerts(cast("CredentialPool", Pool()), [ACTIVE, *statuses], NOW)
    assert isinstance(first, dict)
    assert first["message"] == "8 accounts need a new login: a2, a3, a4, a5, a6 and 3 more."
    assert first["credentialIds"] == list(range(2, 10))
    assert found(ACTIVE, *statuses) == [("error", "reauth_required")]


def test_a_quota_tells_its_times() -> None:
    spent = in_state("exhausted", id=2, label="mine", until=NOW + timedelta(hours=1))
    [alert] = alerts(cast("CredentialPool", Pool()), [ACTIVE, spent], NOW)
    assert isinstance(alert, dict)
    assert alert["message"] == (
        "The quota of mine was reached at 2026-02-13T10:00:00+00:00. It is asked again at 2026-02-13T11:00:00+00:00."
    )
    assert (alert["since"], alert["until"]) == ("2026-02-13T10:00:00+00:00", "2026-02-13T11:00:00+00:00")
