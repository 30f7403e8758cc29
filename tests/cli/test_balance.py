"""The command, from its options to its exit code."""

from __future__ import annotations

import json
import signal
import tomllib

import pytest

from tests.cli.simulated import Kiro, Terminal


def test_every_account_and_the_sum(kiro: Kiro) -> None:
    accounts = kiro.simulator.accounts
    accounts["demo"].used, accounts["demo"].trial = 120.5, (10, 500)
    accounts["builder"].used = 60
    kiro.store(kiro.simulator.credential_json("demo"), kiro.simulator.credential_json("builder"))
    result = kiro("balance")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("#1 demo@example.com: KIRO PRO+, 130.5 of 2,500 credits used, 2,369.5 left, resets 20")
    assert lines[1] == "    plan: 120.5 of 2,000"
    assert lines[2].startswith("    trial: 10 of 500, until 20")
    assert lines[3].startswith("#2 builder@example.com: KIRO FREE, 60 of 50 credits used, 0 left")
    assert lines[4] == "total: 190.5 of 2,550 credits used, 2,369.5 left"
    assert "\x1b" not in result.out
    stored = kiro.stored()
    assert [entry["subscriptionTitle"] for entry in stored] == ["KIRO PRO+", "KIRO FREE"]
    assert stored[0]["userId"] == "d-simulated.demo"
    state = tomllib.loads(kiro.path.with_name("credentials.state.toml").read_text())
    assert json.loads(state["balances"]["1"]["data"])["currentUsage"] == 130.5


def test_json_for_some(kiro: Kiro) -> None:
    kiro.store(*(kiro.simulator.credential_json(name) for name in ("demo", "builder", "key")))
    found = json.loads(kiro("balance", "--json", "--id", "3", "--id", "1").out)
    assert [entry["id"] for entry in found["accounts"]] == [1, 3]
    assert {
        "email",
        "subscriptionTitle",
        "currentUsage",
        "usageLimit",
        "remaining",
        "usagePercentage",
        "nextResetAt",
    } <= (found["accounts"][0].keys())
    assert found["total"]["usageLimit"] == 3000
    assert kiro.simulator.counts["/getUsageLimits"] == 2


def test_some_failed(kiro: Kiro) -> None:
    kiro.store(*(kiro.simulator.credential_json(name) for name in ("demo", "builder")))
    kiro.simulator.accounts["demo"].suspended = True
    result = kiro("balance")
    assert result.code == 6
    assert result.out.startswith("#2 builder@example.com")
    assert result.err.startswith("error: #1 demo@example.com: The provider has suspended this account.")
    found = json.loads(kiro("balance", "--json").out)
    assert "has locked this account" in found["accounts"][0]["error"]
    # It was remembered, so the provider is not asked again for all who look.
    assert kiro.simulator.counts["/getUsageLimits"] == 3
    assert json.loads(kiro("accounts", "list", "--json").out)[0]["state"] == "suspended"
    assert kiro("balance", "--id", "1").code == 6
    assert kiro.simulator.counts["/getUsageLimits"] == 4


def test_disabled_accounts_are_left_out_unless_named(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo"), kiro.simulator.credential_json("builder", disabled=True))
    assert kiro("balance").out.splitlines()[-1] == "1 disabled account left out"
    assert kiro("balance", "--id", "2").out.startswith("#2 builder@example.com: KIRO FREE")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["30"], 2, "SECONDS go with --watch"),
        (["--watch", "5"], 2, "Use 30 to 86400 seconds"),
        (["--watch", "often"], 2, "often"),
        (["--id", "9"], 1, "There is no account #9."),
    ],
)
def test_bad_options(kiro: Kiro, args: list[str], code: int, words: str) -> None:
    kiro.store(kiro.simulator.credential_json())
    result = kiro("balance", *args)
    assert (result.code, words in result.err) == (code, True)
    assert kiro.simulator.counts["/getUsageLimits"] == 0


def test_on_a_terminal_with_bars(kiro: Kiro) -> None:
    kiro.simulator.accounts["demo"].used = 500
    kiro.store(kiro.simulator.credential_json("demo"), kiro.simulator.credential_json("builder"))
    with Terminal("balance") as terminal:
        code, seen = terminal.end()
    assert code == 0
    assert "500 / 2,000" in seen
    assert "━" in seen
    assert "total: 500 of 2,050 credits used" in seen
    kiro.check_secrets(seen)


def test_no_colour_means_plain_lines(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo"))
    with Terminal("balance", environ={"NO_COLOR": "1"}) as terminal:
        code, seen = terminal.end()
    assert code == 0
    assert seen.startswith("#1 demo@example.com: KIRO PRO+, 0 of 2,000 credits used")
    assert "\x1b" not in seen


def test_watching_ends_with_ctrl_c(kiro: Kiro) -> None:
    kiro.store(kiro.simulator.credential_json("demo"))
    with Terminal("balance", "--watch") as terminal:
        terminal.wait_for("Ctrl-C ends")
        code, seen = terminal.end(signal.SIGINT)
    assert code == 130
    assert "Traceback" not in seen
