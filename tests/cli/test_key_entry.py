"""``config hash-key``: where the key comes from, and what is said of it."""

from __future__ import annotations

import tomllib

import pytest

from kiro_rs_py.config.access_keys import hashed
from tests.cli.conftest import RunCli
from tests.cli.simulated import Terminal

KEY = "sk-9f3kQm7Lr2ZxWv8TnB5y"


@pytest.mark.parametrize(("args", "name"), [([], "api_key"), (["--admin"], "admin_api_key")])
def test_the_line_to_paste(cli: RunCli, args: list[str], name: str) -> None:
    result = cli("config", "hash-key", *args, stdin=f"{KEY}\n")
    assert (result.code, result.err) == (0, "")
    assert tomllib.loads(result.out) == {name: hashed(KEY)}


def test_a_weak_key_is_warned_of(cli: RunCli) -> None:
    result = cli("config", "hash-key", stdin="tooshort")
    assert result.code == 0
    assert "shorter than 16 characters" in result.err
    assert "tooshort" not in result.out + result.err


@pytest.mark.parametrize(
    ("text", "words"), [("", "There is none"), ("two words", "printable ASCII"), (hashed(KEY), "a hash already")]
)
def test_what_is_no_key(cli: RunCli, text: str, words: str) -> None:
    result = cli("config", "hash-key", stdin=text)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_a_person_is_asked_without_showing_the_answer() -> None:
    terminal = Terminal("config", "hash-key")
    terminal.wait_for("Key \\(hidden\\): ")
    terminal.type(KEY)
    code, seen = terminal.end()
    assert code == 0
    assert hashed(KEY) in seen
    assert KEY not in seen
