"""The commands that change stored accounts."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta

import pytest

from kiro_rs_py.cli.wording import login_of
from kiro_rs_py.upstream.credential import AuthMethod, Credential
from kiro_rs_py.upstream.document import StoredCredentials
from kiro_rs_py.upstream.state import AccountRecord, SavedStanding, StateStore
from kiro_rs_py.upstream.store import CredentialStore
from tests.cli.simulated import Kiro, Terminal


@pytest.fixture
def two(kiro: Kiro) -> Kiro:
    """Two accounts in the file."""
    kiro.store(kiro.simulator.credential_json("demo"), kiro.simulator.credential_json("builder", label="spare"))
    return kiro


def test_disable_and_enable(two: Kiro) -> None:
    result = two("accounts", "disable", "2", "1", "2")
    assert (result.code, result.err) == (0, "")
    assert result.out == "#2 spare (builder@example.com): disabled\n#1 demo@example.com: disabled\n"
    assert [entry["disabledReason"] for entry in two.stored()] == ["Manual", "Manual"]
    assert two("accounts", "list").out.count("disabled") == 2
    assert two("accounts", "enable", "1").code == 0
    assert ["disabled" in entry for entry in two.stored()] == [False, True]


def test_enabling_forgives(two: Kiro) -> None:
    two.simulator.grants.revoke(two.simulator.accounts["demo"])
    two("refresh", "--id", "1")
    assert "reauth_required" in two("accounts", "list").out
    two("accounts", "enable", "1")
    assert "reauth_required" not in two("accounts", "list").out


def test_priority(two: Kiro) -> None:
    assert two("accounts", "priority", "2", "7").out == "#2 spare (builder@example.com): priority 7\n"
    assert two.stored()[1]["priority"] == 7
    two("accounts", "priority", "2", "0")
    assert "priority" not in two.stored()[1]


def test_rename(two: Kiro) -> None:
    assert two("accounts", "rename", "1", " main ").out == "#1 demo@example.com: label main\n"
    assert two.stored()[0]["label"] == "main"
    assert two("accounts", "rename", "1", "").out == "#1 main (demo@example.com): label taken away\n"
    assert "label" not in two.stored()[0]


def test_remove_without_a_terminal_needs_yes(two: Kiro) -> None:
    result = two("accounts", "remove", "1")
    assert result.code == 2
    assert "add --yes" in result.err
    assert len(two.stored()) == 2
    assert two("accounts", "remove", "1", "--yes").out == "#1 demo@example.com: removed\n"
    assert [entry["id"] for entry in two.stored()] == [2]
    assert two.path.with_name("credentials.json.bak").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 1), ("", 1, 2), ("no", 1, 2)])
def test_remove_asks_on_a_terminal(two: Kiro, answer: str, code: int, left: int) -> None:
    with Terminal("accounts", "remove", "2") as terminal:
        terminal.wait_for(r"#2 spare \(builder@example.com\)")
        terminal.wait_for(r"\[y/N\]")
        terminal.type(answer)
        ended, seen = terminal.end()
    assert (ended, len(two.stored())) == (code, left)
    assert ("Nothing was removed." in seen) is (code == 1)


def test_remove_left_by_ctrl_c(two: Kiro) -> None:
    with Terminal("accounts", "remove", "2") as terminal:
        terminal.wait_for(r"\[y/N\] ")
        code, seen = terminal.end(signal.SIGINT)
    assert (code, len(two.stored())) == (130, 2)
    assert seen.endswith("[y/N] \r\n")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["enable", "9"], 1, "There is no account #9."),
        (["remove", "1", "9", "--yes"], 1, "There is no account #9."),
        (["priority", "9", "1"], 1, "There is no account #9."),
        (["priority", "1", "-1"], 2, "-1"),
        (["priority", "1", "high"], 2, "high"),
        (["rename", "9", "x"], 1, "There is no account #9."),
        (["rename", "1", "x" * 65], 2, "at most 64"),
        (["rename", "1", "a\x1bb"], 2, "printable"),
        (["disable"], 2, "ID"),
        (["disable", "one"], 2, "one"),
    ],
)
def test_bad_arguments_change_nothing(two: Kiro, args: list[str], code: int, words: str) -> None:
    before = two.path.read_bytes()
    result = two("accounts", *args)
    assert (result.code, words in result.err) == (code, True)
    assert two.path.read_bytes() == before


@pytest.mark.parametrize("command", ["enable 1", "remove 1 --yes", "rename 1 x", "priority 1 1"])
def test_no_account_at_all(kiro: Kiro, command: str) -> None:
    result = kiro("accounts", *command.split())
    assert result.code == 4
    assert "There is no account." in result.err


@pytest.mark.parametrize("command", ["enable 2", "priority 2 1", "remove 2 --yes"])
def test_an_account_that_is_removed_meanwhile(two: Kiro, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the list and the change, somebody else is quicker."""
    look = CredentialStore.read

    async def read_and_lose(store: CredentialStore) -> StoredCredentials:
        found = await look(store)
        two.store(two.stored()[0])
        return found

    monkeypatch.setattr(CredentialStore, "read", read_and_lose)
    result = two("accounts", *command.split())
    assert result.code == 1
    assert "Account #2 was removed meanwhile." in result.err


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
