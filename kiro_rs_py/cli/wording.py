"""How accounts, spans of time and days are called when the command line talks about them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiro_rs_py.upstream.credential import Credential
    from kiro_rs_py.upstream.pool import CredentialStatus

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=3650)

# How the sentences of the pool end that say already what to do.
_REMEDIES = ("og in again", "reate a new", "only its owner", "Only its owner", "Copy the whole")


def name_of(account: Credential | CredentialStatus) -> str:
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


def login_of(credential: Credential) -> str:
    """The way it logs in, in one word."""
    if credential.auth_method == "api_key":
        return "api-key"
    word = printable(credential.provider or credential.auth_method).lower()
    return "builder-id" if word == "builderid" else word


def printable(text: str) -> str:
    """Text of others without what would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def with_login_remedy(cause: str) -> str:
    """A sentence about an account that cannot be used, with what to do about it if it does not say so itself."""
    said = cause.strip().rstrip(".")
    if said.endswith("Log in again"):
        return f"{said} with `kiro-rs-py login`."
    if any(words in said for words in _REMEDIES):
        return f"{said}."
    return f"{said or 'It needs a new login'}. Log in again with `kiro-rs-py login`."


def parse_duration(text: str) -> timedelta:
    """``15m`` → 15 minutes; the unit is s, m, h or d.

    :raises ValueError: with a sentence.
    """
    match = re.fullmatch(r"(\d{1,9})([smhd])", text.strip().lower())
    if match is None:
        raise ValueError(f'"{text}" is no span of time; write a number and a unit, such as 90s, 15m, 2h or 1d.')
    return min(timedelta(seconds=int(match[1]) * _SECONDS[match[2]]), _LONGEST)


def describe_span(span: timedelta) -> str:
    """``3 d 4 h``, ``59 min``, ``20 s``: the two largest units at most; a span that is over is ``0 s``."""
    seconds = max(0, int(span.total_seconds()))
    if seconds >= 86_400:
        return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def describe_expiry(moment: datetime | None, now: datetime) -> str:
    """``in 59 min``, ``expired``, or ``-`` when nobody knows or nothing expires."""
    if moment is None:
        return "-"
    return f"in {describe_span(moment - now)}" if moment > now else "expired"


def describe_day(moment: datetime | None) -> str:
    """The date in UTC, which is what quotas go by, or ``-``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d") if moment else "-"
