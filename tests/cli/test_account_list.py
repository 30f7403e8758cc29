from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from kiro_rs_py.cli.account_list import login_of
from kiro_rs_py.upstream.credential import AuthMethod, Credential
from kiro_rs_py.upstream.state import AccountRecord, SavedStanding, StateStore
from tests.cli.simulated import Kiro


def test_a_line_for_each_and_causes_below(kiro: Kiro) -> None:
    demo = kiro.simulator.credential_json("demo", label="main", subscriptionTitle="KIRO PRO+")
    key = kiro.simulator.credential_json("key")
    kiro.store(demo, kiro.simulator.credential_json("builder", expired=True, priority=5), key)
    since = datetime(2026, 8, 1, tzinfo=UTC)
    mark = Credential(auth_method="api_key", kiro_api_key=str(key["kiroApiKey"])).fingerprint
    until = datetime.now(UTC) + timedelta(hours=2, minutes=5)
    standing = SavedStanding("exhausted", "The plan's credits are used up.", since, until, fingerprint=mark)

    def change(state: object) -> None:
        state.accounts[3] = AccountRecord(success_count=4, standing=standing)  # type: ignore[attr-defined]

    StateStore.beside(kiro.path).update_now(change)
    result = kiro("accounts", "list")
    assert result.code == 0
    assert result.out.splitlines() == [
        "id  account                login       plan       state                    expires    priority",
        "1   main demo@example.com  google      KIRO PRO+  active                   in 59 min  0",
        "2   builder@example.com    builder-id  -          active                   expired    5",
        "3   key@example.com        api-key     -          exhausted for 2 h 4 min  -          0",
    ]
    assert result.err == "#3 key@example.com: The plan's credits are used up.\n"
    listed = json.loads(kiro("accounts", "list", "--json").out)
    assert [entry["state"] for entry in listed] == ["active", "active", "exhausted"]
    assert listed[2]["successCount"] == 4
    assert listed[2]["until"]
    assert listed[1]["startUrl"] == "https://view.awsapps.com/start"
    assert kiro.simulator.counts == {}


def test_no_account_yet(kiro: Kiro) -> None:
    result = kiro("accounts", "list")
    assert (result.code, result.out) == (0, "")
    assert "kiro-rs-py login" in result.err
    assert kiro("accounts", "list", "--json").out == "[]\n"
    assert not kiro.path.exists()


def test_a_broken_entry_is_told(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo"), {"authMethod": "pigeon"})
    result = kiro("accounts", "list")
    assert result.code == 0
    assert "entry 2: authMethod is unknown" in result.err
    assert len(result.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("method", "provider", "word"),
    [
        ("social", "Google", "google"),
        ("social", None, "social"),
        ("idc", "BuilderId", "builder-id"),
        ("idc", "Enterprise", "enterprise"),
        ("api_key", "ApiKey", "api-key"),
    ],
)
def test_ways_to_log_in(method: AuthMethod, provider: str | None, word: str) -> None:
    assert login_of(Credential(auth_method=method, provider=provider)) == word


def test_the_account_of_the_environment(kiro: Kiro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRO_API_KEY", "ksk_simulated_demo_key")
    assert kiro("accounts", "list").out.splitlines()[1].split() == [
        "-",
        "KIRO_API_KEY",
        "api-key",
        "-",
        "active",
        "-",
        "0",
    ]
    assert kiro("balance").out.startswith("KIRO_API_KEY (key@example.com): KIRO PRO, 0 of 1,000")
    assert kiro("refresh").out == "KIRO_API_KEY: nothing to do, an API key does not expire\n"
    result = kiro("accounts", "disable", "--", "-1")
    assert result.code == 1
    assert "Unset KIRO_API_KEY" in result.err
    assert not kiro.path.exists()
