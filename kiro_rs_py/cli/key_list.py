"""What ``keys`` prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kiro_rs_py.cli.account_names import printable
from kiro_rs_py.cli.durations import describe_day, describe_expiry
from kiro_rs_py.cli.terminal import print_json, print_table
from kiro_rs_py.serve.client_keys import utc_now
from kiro_rs_py.serve.key_view import entry_of

if TYPE_CHECKING:
    from datetime import datetime

    from kiro_rs_py.serve.client_keys import ClientKey

COLUMNS = ("id", "key", "name", "state", "expires", "last used", "requests", "models")


def show(keys: Sequence[ClientKey], *, as_json: bool) -> None:
    """The list, the oldest key first."""
    now = utc_now()
    ordered = sorted(keys, key=lambda key: key.created_at)
    if as_json:
        print_json([entry_of(key, now) for key in ordered])
    elif ordered:
        print_table(COLUMNS, [row(key, now) for key in ordered])
    else:
        print("No key was created yet. `kiro-rs-py keys create NAME` makes one.", file=sys.stderr)


def row(key: ClientKey, now: datetime) -> tuple[str, ...]:
    """The cells of one key."""
    return (
        key.id,
        f"{printable(key.prefix)}…",
        printable(key.name),
        key.state_at(now),
        describe_expiry(key.expires_at, now),
        describe_day(key.last_used_at),
        str(key.requests),
        ", ".join(map(printable, key.models)) if key.models else "all",
    )


def print_created(key: ClientKey, secret: str, *, as_json: bool) -> None:
    """The key itself alone on stdout, so that it can be piped; what goes with it on stderr."""
    if as_json:
        print_json({"key": entry_of(key, utc_now()), "secret": secret})
        return
    print(f"{key.id} ({printable(key.name)}) is shown this once:", file=sys.stderr)
    print(secret)
