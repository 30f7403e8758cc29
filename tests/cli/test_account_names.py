from __future__ import annotations

import pytest

from kiro_rs_py.cli.account_names import name_of, printable, with_login_remedy
from kiro_rs_py.upstream.credential import Credential


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
        ("The token is gone. Log in again.", "The token is gone. Log in again."),
        ("Locked; only its owner can clear that with them.", "Locked; only its owner can clear that with them."),
    ],
)
def test_every_cause_has_one_remedy(cause: str, sentence: str) -> None:
    assert with_login_remedy(cause) == sentence


def test_an_account_without_a_number() -> None:
    assert name_of(Credential(id=-1, label="KIRO_API_KEY", email="me@example.com")) == "KIRO_API_KEY (me@example.com)"
    assert name_of(Credential(id=-1)) == "#-1"
