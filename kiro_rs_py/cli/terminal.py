"""Results on stdout: tables and colour on a terminal, plain lines and JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence


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
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
