"""Whether a command line that some file names is one of the program's."""

from __future__ import annotations

from collections.abc import Sequence

import typer
import typer.main


def is_command_line(app: typer.Typer, words: Sequence[str]) -> bool:
    """Whether ``words`` (the program's name first) name a command, and only options that this command has.

    Values are not looked at: what stands behind an option that takes one is skipped.
    """
    command: object = typer.main.get_command(app)
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word == "--":
            return True  # the rest is another program's
        options = _options_of(command)
        if word.startswith("-") and word != "-":
            name, has_value, _ = word.partition("=")
            if name not in options:
                return False
            if options[name] and not has_value and rest:
                rest.pop(0)
            continue
        children = getattr(command, "commands", None)
        if children is None:
            continue  # an argument
        if word not in children:
            return False
        command = children[word]
    return True


def _options_of(command: object) -> dict[str, bool]:
    """Every spelling of the command's options, and whether it takes a value."""
    found = {"-h": False, "--help": False}
    for parameter in getattr(command, "params", ()):
        for spelling in getattr(parameter, "opts", ()):
            if spelling.startswith("-"):
                found[spelling] = not getattr(parameter, "is_flag", False)
    return found
