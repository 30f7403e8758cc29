"""How accounts are called when the command line talks about them."""

from __future__ import annotations

from typing import Protocol


class Named(Protocol):
    """A credential, or the status of one."""

    @property
    def id(self) -> int: ...
    @property
    def label(self) -> str | None: ...
    @property
    def email(self) -> str | None: ...


def name_of(account: Named) -> str:
    """``#3 work (me@example.com)``: the id, and what is known of label and e-mail.

    An account that lives in memory only has no number that anybody could use, but a label.
    """
    words = [] if account.id < 0 and account.label else [f"#{account.id}"]
    if account.label:
        words.append(printable(account.label))
    if account.email:
        email = printable(account.email)
        words.append(f"({email})" if account.label else email)
    return " ".join(words)


def printable(text: str) -> str:
    """Text of others without what would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


# How the sentences of the pool end that say already what to do.
_REMEDIES = ("og in again", "reate a new", "only its owner", "Only its owner", "Copy the whole")


def with_login_remedy(cause: str) -> str:
    """A sentence about an account that cannot be used, with what to do about it if it does not say so itself."""
    said = cause.strip().rstrip(".")
    if any(words in said for words in _REMEDIES):
        return f"{said}."
    return f"{said or 'It needs a new login'}. Log in again with `kiro-rs-py login`."
