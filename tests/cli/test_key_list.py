"""What ``keys list`` shows of a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kiro_rs_py.cli.key_list import print_created, row, show
from kiro_rs_py.serve.client_keys import new_client_key

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_the_cells_of_a_key() -> None:
    key, secret = new_client_key("laptop", NOW)
    beginning = f"{secret[:12]}…"
    assert row(key, NOW) == (key.id, beginning, "laptop", "active", "-", "-", "0", "all")
    full = replace(
        key, name="a\x1bb", enabled=False, expires_at=NOW + timedelta(days=1), last_used_at=NOW, requests=3,
        models=("m", "n"),
    )  # fmt: skip
    assert row(full, NOW)[2:] == ("a?b", "disabled", "in 1 d 0 h", "2026-05-04", "3", "m, n")


def test_the_oldest_is_first(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = new_client_key("old", NOW)[0], new_client_key("new", NOW + timedelta(days=1))[0]
    show([new, old], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", old.id, new.id]


def test_only_the_key_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    key, secret = new_client_key("laptop", NOW)
    print_created(key, secret, as_json=False)
    told = capsys.readouterr()
    assert told.out == f"{secret}\n"
    assert secret not in told.err
