"""The quick answers: what needs neither Typer nor rich is given before they are imported.

Importing Typer takes four times as long as starting Python. ``--version``, ``count-tokens`` in its plain forms and,
from the zipapp, help pages do not wait for it. Whatever is not recognised here at first sight goes to Typer, which
alone decides what is right and wrong. No pathlib here either: it is a tenth of such an answer.
"""

from __future__ import annotations

import os

_FLAGS = {"--breakdown": "breakdown", "--json": "as_json"}
_VALUES = {"--text": "text", "--model": "model"}

# Help pages rendered by scripts/build_zipapp.sh; absent in a checkout, where Typer renders them.
PAGES = os.path.join(os.path.dirname(__file__), "help_pages")
_PAGE_COLUMNS = 80


def answer_at_once(args: list[str]) -> int | None:
    """The exit code if ``args`` were answered here, None if Typer has to look at them."""
    if "_KIRO_RS_PY_COMPLETE" in os.environ:
        return None
    match args:
        case ["--version"] | ["-V"]:
            from kiro_rs_py import __version__

            print(f"kiro-rs-py {__version__}")
            return 0
        case ["count-tokens", *rest]:
            return _count_tokens(rest)
        case [*words, "--help" | "-h"]:
            return _help(words)
        case []:
            return _help([])
    return None


def _help(words: list[str]) -> int | None:
    if not all(word.replace("-", "").isalpha() for word in words) or _columns() < _PAGE_COLUMNS:
        return None
    try:
        with open(os.path.join(PAGES, f"{'-'.join(words) or 'index'}.txt"), encoding="utf-8") as page:
            text = page.read()
    except OSError:
        return None
    print(text, end="")
    return 0


def _columns() -> int:
    """Like :func:`shutil.get_terminal_size`, whose module is slow to import."""
    try:
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(1).columns or _PAGE_COLUMNS
    except (OSError, ValueError):
        return _PAGE_COLUMNS


def _count_tokens(args: list[str]) -> int | None:
    """``count-tokens`` with exactly the spellings above and one source; anything else is Typer's."""
    given: dict[str, str | bool] = {}
    rest = iter(args)
    for arg in rest:
        if arg in _FLAGS:
            given[_FLAGS[arg]] = True
        elif arg in _VALUES and _VALUES[arg] not in given:
            value = next(rest, None)
            if value is None or value.startswith("-"):
                return None
            given[_VALUES[arg]] = value
        elif "file" not in given and (arg == "-" or not arg.startswith("-")):
            given["file"] = arg
        else:
            return None
    if ("file" in given) == ("text" in given):
        return None
    from kiro_rs_py.cli.counting import print_count

    print_count(**given)  # type: ignore[arg-type]  # the two tables above name its parameters
    return 0
