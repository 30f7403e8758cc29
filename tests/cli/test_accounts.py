"""The commands that change stored accounts."""

from __future__ import annotations

import signal

import pytest

from kiro_rs_py.upstream.document import StoredCredentials
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
