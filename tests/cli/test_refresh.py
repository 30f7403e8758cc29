"""The command: which accounts, what is printed, how it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kiro_rs_py.simulator.accounts import Account
from tests.cli.simulated import Kiro, Terminal


def refreshed(kiro: Kiro) -> int:
    return kiro.simulator.counts["/refreshToken"] + kiro.simulator.counts["/token"]


def test_only_what_expires_soon(kiro: Kiro) -> None:
    expiring, fresh = kiro.simulator.credential_json("demo", expired=True), kiro.simulator.credential_json("builder")
    kiro.store(expiring, fresh, kiro.simulator.credential_json("key"))
    result = kiro("refresh")
    assert result.code == 0
    assert result.out.splitlines() == [
        "#1 demo@example.com: refreshed, expires in 59 min",
        "#2 builder@example.com: nothing to do, expires in 59 min",
        "#3 key@example.com: nothing to do, an API key does not expire",
    ]
    assert result.err == ""
    assert refreshed(kiro) == 1
    assert kiro.stored()[0]["refreshToken"] != expiring["refreshToken"]
    assert kiro.stored()[1]["refreshToken"] == fresh["refreshToken"]
    assert kiro("refresh", "--if-expiring", "2h").out.count("refreshed") == 2
    assert refreshed(kiro) == 3
    assert kiro.simulator.reuses == 0


def test_all_and_by_id(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo"), kiro.simulator.credential_json("builder", disabled=True))
    result = kiro("refresh", "--all", "--json")
    assert [(entry["id"], entry["result"]) for entry in json.loads(result.out)] == [(1, "refreshed"), (2, "disabled")]
    assert json.loads(result.out)[0]["expiresAt"].endswith("+00:00")
    assert "left out, it is disabled" in kiro("refresh").out
    assert kiro("refresh", "--id", "2", "--id", "2").out == "#2 builder@example.com: refreshed, expires in 59 min\n"
    assert refreshed(kiro) == 2


def test_quiet(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo", expired=True))
    for _ in range(2):
        result = kiro("refresh", "--quiet")
        assert (result.code, result.out, result.err) == (0, "", "")


def test_quiet_about_settings_too(kiro: Kiro) -> None:
    """A crontab mails every line: kiro-rs leaves its config.json readable by all."""
    kiro.store(kiro.simulator.credential_json("demo"))
    path = kiro.home / "config.json"
    path.write_text('{"apiKey": "sk-3f9c27d1b8a64e05", "adminApiKey": " ", "extractThinking": true}')
    path.chmod(0o644)
    assert "can be read by other users" in kiro("-c", str(path), "refresh").err
    result = kiro("-c", str(path), "refresh", "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_a_bad_entry_is_nobodys_concern_who_names_another(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo"), {"refreshToken": 7})
    result = kiro("refresh", "--id", "1")
    assert (result.code, result.out) == (0, "#1 demo@example.com: refreshed, expires in 59 min\n")
    assert kiro("refresh").code == 6


def test_a_refused_token_is_told_once_and_not_asked_again(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo", expired=True), kiro.simulator.credential_json("builder"))
    kiro.simulator.grants.revoke(kiro.simulator.accounts["demo"])
    result = kiro("refresh", "--quiet")
    assert result.code == 6
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert result.err.startswith("error: #1 demo@example.com: The token service no longer accepts the refresh token")
    assert "og in again" in result.err
    assert refreshed(kiro) == 1
    assert kiro("refresh", "--quiet").code == 6
    assert refreshed(kiro) == 1  # cron does not ask a hundred times for what will never be
    assert kiro("refresh", "--id", "1").code == 6
    assert refreshed(kiro) == 2  # a person who insists does
    assert json.loads(kiro("refresh", "--json").out)[0]["result"] == "reauth_required"


def test_trouble_at_the_service(kiro: Kiro) -> None:
    entry = kiro.simulator.credential_json("demo", expired=True)
    kiro.store(entry)
    kiro.simulator.fail_next("/refreshToken", 429, headers={"retry-after": "9"})
    result = kiro("refresh")
    assert result.code == 6
    assert result.err == "error: #1 demo@example.com: The token service asks for a pause (429). Try again later.\n"
    assert kiro.stored()[0]["refreshToken"] == entry["refreshToken"]
    assert kiro("refresh").code == 0


def test_a_token_that_is_still_good_does_not_hide_the_failure(kiro: Kiro) -> None:
    kiro.simulator.accounts["demo"].access_lifetime = 300
    kiro.store(kiro.simulator.credential_json("demo"))
    kiro.simulator.fail_next("/refreshToken", 429)
    assert kiro("refresh").code == 6


def test_entries_that_cannot_be_used(kiro: Kiro) -> None:
    good = kiro.simulator.credential_json("demo", expired=True)
    kiro.store(good, {"authMethod": "carrier-pigeon", "refreshToken": "x" * 120}, {"refreshToken": "aor..."})
    result = kiro("refresh")
    assert result.code == 6
    assert "#1 demo@example.com: refreshed" in result.out
    assert "entry 2: authMethod is unknown" in result.err
    assert (
        "error: #3: refreshToken has been truncated (6 characters). Copy the whole token from its source." in result.err
    )


def test_a_registration_that_ends_soon_is_told(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("builder", clientSecretExpiresAt=1_000_000_000))
    assert "warning: #1 builder@example.com: its client registration ends on 2001-09-09" in kiro("refresh").err


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--if-expiring", "soon"], 2, "a number and a unit"),
        (["--id", "seven"], 2, "seven"),
        (["--id", "9"], 1, "There is no account #9. `kiro-rs-py accounts list` shows them."),
    ],
)
def test_bad_options(kiro: Kiro, args: list[str], code: int, words: str) -> None:
    kiro.store(kiro.simulator.credential_json())
    result = kiro("refresh", *args)
    assert result.code == code
    assert words in result.err
    assert refreshed(kiro) == 0


@pytest.mark.parametrize(
    ("text", "words"), [(None, "There is no account"), ("[]", "no account"), ("{", "not valid JSON")]
)
@pytest.mark.parametrize("command", ["refresh", "balance"])
def test_no_account_at_all(kiro: Kiro, command: str, text: str | None, words: str) -> None:
    if text is not None:
        kiro.store()
        kiro.path.write_text(text)
    result = kiro(command)
    assert result.code == 4
    assert words in result.err
    assert result.err.startswith("error: ")


def test_an_unreachable_service(kiro: Kiro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRO_RS_UPSTREAM_URL", "http://127.0.0.1:9")
    kiro.store(kiro.simulator.credential_json("demo", expired=True))
    result = kiro("refresh")
    assert result.code == 6
    assert "could not be reached" in result.err
    assert "127.0.0.1" not in result.err


def test_many_accounts_a_few_at_a_time(kiro: Kiro) -> None:
    for number in range(9):
        kiro.simulator.accounts[f"a{number}"] = Account(name=f"a{number}")
    entries = [kiro.simulator.credential_json(f"a{number}", expired=True) for number in range(9)]
    kiro.store(*entries)
    result = kiro("refresh")
    assert result.code == 0
    assert [line.partition(" ")[0] for line in result.out.splitlines()] == [f"#{number}" for number in range(1, 10)]
    assert len({entry["refreshToken"] for entry in kiro.stored()} | {entry["refreshToken"] for entry in entries}) == 18


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_lose_the_token_that_is_under_way(kiro: Kiro, number: signal.Signals) -> None:
    before = kiro.simulator.credential_json("demo", expired=True)
    kiro.store(before)
    hold = kiro.simulator.hold_next("/refreshToken")
    with Terminal("refresh") as terminal:
        kiro.wait_for(hold)
        terminal.process.send_signal(number)
        kiro.release(hold)
        code, seen = terminal.end()
    assert code == 130
    assert "Traceback" not in seen
    assert kiro.stored()[0]["refreshToken"] == kiro.simulator.grants.refreshes[-1].issued
    assert kiro.stored()[0]["refreshToken"] != before["refreshToken"]


@pytest.mark.parametrize(
    "command", ["refresh --all", "balance", "accounts list --json", "import-token export.json", "login --json"]
)
def test_no_secret_even_at_debug(kiro: Kiro, command: str) -> None:
    """The fixture looks for secrets in all that is printed and logged; here there is a lot of it, failures included."""
    kiro.simulator.oidc.approve_as = "builder"
    accounts = [kiro.simulator.credential_json(name, expired=name == "demo") for name in ("demo", "builder")]
    kiro.store(*accounts, kiro.simulator.credential_json("key"), {"refreshToken": "aorAAAAAG" + "x" * 120})
    (kiro.home / "work" / "export.json").write_text(json.dumps(kiro.simulator.credential_json("demo")))
    kiro.simulator.fail_next("/getUsageLimits", 400, {"message": f"odd {accounts[0]['refreshToken']}"})
    result = kiro("--log-level", "debug", *command.split())
    assert result.code in (0, 6)
    assert result.out


def test_a_full_disk_costs_no_token(kiro: Kiro) -> None:
    entry = kiro.simulator.credential_json("demo", expired=True)
    kiro.store(entry)
    kiro.path.with_name(f".{kiro.path.name}.refresh-1.lock").touch()
    with file_size_limit(16):
        result = kiro("refresh")
    assert result.code == 4
    assert "cannot be written: File too large" in result.err
    assert refreshed(kiro) == 0
    assert kiro("refresh").out == "#1 demo@example.com: refreshed, expires in 59 min\n"
    assert kiro.simulator.reuses == 0


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may become larger than this."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
