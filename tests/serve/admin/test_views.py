from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kiro_rs_py.serve.admin.views import account_entry, current_id, masked_key, name_of, time_text
from kiro_rs_py.upstream.credential import Credential
from tests.serve.admin.test_overview import ACTIVE, NOW


@pytest.mark.parametrize(
    ("key", "shown"),
    [(None, None), ("ksk_short", "ksk_…"), ("ksk_0123456789abcdef", "ksk_…cdef")],
)
def test_only_the_end_of_a_long_key_is_shown(key: str | None, shown: str | None) -> None:
    assert masked_key(key) == shown


def test_the_current_account_is_the_best_active_one() -> None:
    second = replace(ACTIVE, id=2, priority=5)
    assert current_id([second, ACTIVE]) == 1
    assert current_id([second, replace(ACTIVE, state="cooling")]) == 2
    assert current_id([replace(ACTIVE, state="exhausted")]) == 0
    assert current_id([]) == 0


def test_an_entry_holds_no_secret() -> None:
    secrets = {
        name: f"planted-{name}"
        for name in ("access_token", "refresh_token", "client_id", "client_secret", "kiro_api_key", "machine_id",
                     "proxy_username", "proxy_password", "profile_arn")
    }  # fmt: skip
    credential = Credential(id=1, proxy_url="http://u:planted-url@x", **secrets)  # type: ignore[arg-type]
    status = replace(ACTIVE, until=NOW + timedelta(hours=1), last_error="An error.", label="mine")
    entry = account_entry(status, credential, {"id": 1}, (5, 2), is_current=True)
    assert (entry["successToday"], entry["failureToday"]) == (5, 2)
    assert "planted" not in str(entry)
    assert (entry["hasProxy"], entry["hasProfileArn"], entry["balance"]) == (True, True, {"id": 1})
    assert entry["stateUntil"] == "2026-02-13T11:00:00+00:00"


def test_names_and_times() -> None:
    assert name_of(ACTIVE) == "Account #1"
    assert name_of(replace(ACTIVE, label="mine")) == "mine"
    assert time_text(None) is None
