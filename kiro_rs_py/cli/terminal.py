"""Results on stdout: tables and colour on a terminal, plain lines and JSON for programs. Questions on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


def is_fancy() -> bool:
    """Whether stdout is a terminal that can draw; ``NO_COLOR`` and a dumb terminal ask for plain lines."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_json(value: object) -> None:
    """One indented JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: drawn by rich on a terminal, else lines of aligned columns that ``awk`` can split."""
    if is_fancy():
        from rich.console import Console
        from rich.table import Table

        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*row)
        Console(highlight=False, markup=False, emoji=False).print(table)
        return
    widths = [max(map(_cells, texts)) for texts in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        padded = (text + " " * (width - _cells(text)) for text, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def _cells(text: str) -> int:
    """How many columns of a terminal the text takes: Chinese and the like two a character, accents none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


@contextmanager
def prompting() -> Iterator[None]:
    """Around a question to the person: Ctrl-C, or Ctrl-D in its place, gives up and ends the prompt's line."""
    try:
        yield
    except (KeyboardInterrupt, EOFError):
        print(file=sys.stderr)
        raise KeyboardInterrupt from None


def tell(line: str = "") -> None:
    """A line for the person at the terminal, on stderr: results go to stdout."""
    print(line, file=sys.stderr, flush=True)


def stdin_is_terminal() -> bool:
    """Whether a person may be asked; False also where there is no stdin at all, as under some supervisors."""
    stdin: object = sys.stdin
    return stdin is not None and sys.stdin.isatty()
