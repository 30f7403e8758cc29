from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from kiro_rs_py.cli.balance_view import plain_lines, show, to_json
from kiro_rs_py.cli.balances import Balance, Balances
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.usage import Overage, Usage, UsagePart

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
RESET = datetime(2026, 9, 1, tzinfo=UTC)
RICH = Usage(
    parts=(
        UsagePart("plan", "plan", 1250.25, 1000),
        UsagePart("bonus", "Welcome\x1b[0m", 12.5, 100, datetime(2026, 8, 20, tzinfo=UTC)),
    ),
    resets_at=RESET,
    subscription_title="KIRO PRO",
    overage=Overage(250.25, 10_000, 10.01, "USD"),
)
FOUND = Balances(
    (
        Balance(Credential(id=1, label="work", email="me@example.com"), RICH),
        Balance(Credential(id=2), Usage()),
        Balance(Credential(id=3), failure="It is gone."),
    ),
    NOW,
    disabled=2,
)


def test_plain_lines() -> None:
    assert plain_lines(FOUND) == [
        "#1 work (me@example.com): KIRO PRO, 1,262.75 of 1,100 credits used, 0 left, resets 2026-09-01",
        "    plan: 1,250.25 of 1,000",
        "    Welcome?[0m: 12.5 of 100, until 2026-08-20",
        "    overage: 250.25 of 10,000, 10.01 USD",
        "#2: unknown plan, 0 of 0 credits used, 0 left, resets -",
        "total: 1,262.75 of 1,100 credits used, 0 left",
        "2 disabled accounts left out",
    ]


def test_json() -> None:
    found = to_json(FOUND)
    assert found["total"] == {"currentUsage": 1262.75, "usageLimit": 1100, "remaining": 0}
    accounts = found["accounts"]
    assert isinstance(accounts, list)
    assert accounts[2] == {"id": 3, "email": None, "error": "It is gone."}


def test_one_of_several_looks(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, as_json=False, again=True)
    shown = capsys.readouterr()
    assert shown.out.startswith("2026-08-01T12:00:00Z\n#1 work")
    assert shown.err == "error: #3: It is gone.\n"
    show(FOUND, as_json=True, again=True)
    assert json.loads(capsys.readouterr().out) == to_json(FOUND)


@pytest.mark.parametrize("again", [False, True])
def test_drawn(again: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    show(FOUND, as_json=False, again=again)
    out = capsys.readouterr().out
    assert "1,262.75 / 1,100" in out
    assert "overage: 250.25 of 10,000" in out
    assert ("Ctrl-C ends" in out) is again
    nothing = Balances((Balance(Credential(id=3), failure="It is gone."),), NOW)
    show(nothing, as_json=False)
    assert capsys.readouterr() == ("", "error: #3: It is gone.\n")
