from __future__ import annotations

import getpass
import sys
from pathlib import Path

import pytest
import typer

from kiro_rs_py.cli.import_sources import find_source, usual_places
from kiro_rs_py.errors import UnusableSource

KEY = "ksk_0123456789abcdef"
TOKEN = "aorAAAAAG" + "r" * 120


@pytest.fixture
def person(home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Somebody at a terminal, with nothing in the usual places."""
    monkeypatch.setattr("kiro_rs_py.cli.import_sources.stdin_is_terminal", lambda: True)
    return monkeypatch


def answers(person: pytest.MonkeyPatch, *lines: str, hidden: str = "") -> None:
    waiting = list(lines)
    person.setattr(sys.stdin, "readline", lambda: waiting.pop(0), raising=False)
    person.setattr(getpass, "getpass", lambda prompt, stream: hidden)


def test_what_there_is(home: Path) -> None:
    assert usual_places(home, {}) == []
    (home / ".aws" / "sso" / "cache").mkdir(parents=True)
    (home / ".aws" / "sso" / "cache" / "kiro-auth-token.json").write_text("{}")
    database = home / "elsewhere.sqlite3"
    database.touch()
    places = usual_places(home, {"KIRO_API_KEY": f" {KEY} ", "KIROCLI_DB_PATH": str(database)})
    assert [place.source for place in places] == ["kiro-ide", "kiro-cli", "api-key"]
    assert KEY not in "".join(place.description for place in places)
    assert places[2].read().entries[0]["kiroApiKey"] == KEY
    with pytest.raises(UnusableSource):
        places[0].read()
    with pytest.raises(UnusableSource):
        places[1].read()


def test_one_of_the_usual_places_by_number(person: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answers(person, "\n", "seven\n", "0\n", "1\n")
    found = find_source(None, None, {"KIRO_API_KEY": KEY})
    assert found.source == "api-key"
    shown = capsys.readouterr().err
    assert "1  an API key in the environment (KIRO_API_KEY)" in shown
    assert shown.count("Import which? [1-2]") == 4


def test_a_hidden_answer(person: pytest.MonkeyPatch) -> None:
    answers(person, "1\n", hidden=TOKEN)
    assert find_source(None, None, {}).source == "token"
    assert find_source(None, "token", {}).source == "token"
    answers(person, hidden=KEY)
    assert find_source(None, "api-key", {}).source == "api-key"


def test_leaving(person: pytest.MonkeyPatch) -> None:
    answers(person, "")
    with pytest.raises(KeyboardInterrupt):
        find_source(None, None, {})

    def end_of_input(prompt: str, stream: object) -> str:
        raise EOFError

    person.setattr(getpass, "getpass", end_of_input)
    with pytest.raises(KeyboardInterrupt):
        find_source(None, "token", {})


def test_what_is_asked_for_is_not_there(home: Path) -> None:
    with pytest.raises(UnusableSource, match="Sign in to Kiro IDE first"):
        find_source(None, "kiro-ide", {})
    with pytest.raises(UnusableSource, match="Run 'kiro-cli login'"):
        find_source(None, "kiro-cli", {})
    with pytest.raises(typer.BadParameter, match="Name the file"):
        find_source(None, "kiro-rs", {})


def test_a_path_may_begin_with_a_tilde(home: Path) -> None:
    (home / "key").write_text(KEY)
    assert find_source("~/key", None, {}).source == "api-key"


@pytest.mark.parametrize(
    ("content", "words"), [(b"\xff\xfe\xff", "is no text"), (b" " * (16 * 2**20 + 1), "more than 16 MiB")]
)
def test_stdin_that_is_no_token(content: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from io import BytesIO, TextIOWrapper

    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))
    with pytest.raises(UnusableSource, match=words):
        find_source("-", None, {})
