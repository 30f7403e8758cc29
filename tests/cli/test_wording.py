from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kiro_rs_py.cli.wording import (
    describe_day,
    describe_expiry,
    describe_span,
    name_of,
    parse_duration,
    printable,
    with_login_remedy,
)
from kiro_rs_py.upstream.credential import Credential

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("label", "email", "name"),
    [
        (None, None, "#3"),
        (None, "me@example.com", "#3 me@example.com"),
        ("work", None, "#3 work"),
        ("work", "me@example.com", "#3 work (me@example.com)"),
        ("a\x1b[31mb", None, "#3 a?[31mb"),
    ],
)
def test_names(label: str | None, email: str | None, name: str) -> None:
    assert name_of(Credential(id=3, label=label, email=email)) == name


def test_nothing_steers_the_terminal() -> None:
    assert printable("ü\r\n\u202e") == "ü???"


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        ("", "It needs a new login. Log in again with `kiro-rs-py login`."),
        ("The token is gone.", "The token is gone. Log in again with `kiro-rs-py login`."),
        ("The token is gone. Log in again.", "The token is gone. Log in again with `kiro-rs-py login`."),
        ("Locked; only its owner can clear that with them.", "Locked; only its owner can clear that with them."),
    ],
)
def test_every_cause_has_one_remedy(cause: str, sentence: str) -> None:
    assert with_login_remedy(cause) == sentence


def test_an_account_without_a_number() -> None:
    assert name_of(Credential(id=-1, label="KIRO_API_KEY", email="me@example.com")) == "KIRO_API_KEY (me@example.com)"
    assert name_of(Credential(id=-1)) == "#-1"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), (" 2H ", 7200), ("1d", 86_400), ("0s", 0), ("999999999d", 315_360_000)],
)
def test_spans_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "m", "-5m", "1.5h", "15 minutes", "1234567890s"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="a number and a unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3661, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_spans_are_described(seconds: int, words: str) -> None:
    assert describe_span(timedelta(seconds=seconds)) == words


def test_moments_are_described() -> None:
    assert describe_expiry(None, NOW) == "-"
    assert describe_expiry(NOW, NOW) == "expired"
    assert describe_expiry(NOW + timedelta(minutes=5), NOW) == "in 5 min"
    assert describe_day(None) == "-"
    assert describe_day(datetime.fromisoformat("2026-08-31T23:30:00-02:00")) == "2026-09-01"
