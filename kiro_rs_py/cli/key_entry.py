"""Where ``config hash-key`` takes a key from: a hidden prompt, or stdin."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import typer

from kiro_rs_py.cli.outcome import warn
from kiro_rs_py.cli.session import stdin_is_terminal
from kiro_rs_py.cli.terminal import prompting
from kiro_rs_py.config.access_keys import is_hashed
from kiro_rs_py.config.serving import weakness_of
from kiro_rs_py.config.values import visible_text


def read_key() -> str:
    """The key, fit for a header. What it is worth can be said only now, when it is seen: a weak one is warned of.

    :raises typer.BadParameter: there is none, or it cannot be one.
    """
    with prompting():
        text = getpass.getpass("Key (hidden): ", stream=sys.stderr) if stdin_is_terminal() else sys.stdin.readline()
    try:
        key = visible_text.check(text.strip(), Path())
    except ValueError as exc:
        raise typer.BadParameter(f"A key {exc}.", param_hint="the key") from None
    if not isinstance(key, str):
        raise typer.BadParameter("There is none.", param_hint="the key")
    if is_hashed(key):
        raise typer.BadParameter("That is a hash already.", param_hint="the key")
    if weakness := weakness_of(key):
        # A fast hash does not slow a guesser down: only a long random key is safe in a file that others may read.
        warn([f"This key is {weakness}: it can be guessed from its hash. `kiro-rs-py config init` makes better ones."])
    return key
