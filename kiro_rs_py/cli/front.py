"""The quick answers: what needs neither Typer nor rich is given before they are imported.

Importing Typer takes four times as long as starting Python. ``--version``, ``count-tokens`` and ``serve`` in their
plain forms and, from the zipapp, help pages do not wait for it. Whatever is not recognised here at first sight goes to
Typer, which alone decides what is right and wrong. No pathlib here either: it is a tenth of such an answer.
"""

from __future__ import annotations

import os

COMPLETE_VARIABLE = "_KIRO_RS_PY_COMPLETE"
"""In the environment when the shell asks for completions."""

# What is recognised, in full and once each. --log-level is not: only Typer knows how to refuse a wrong one.
_COUNT_FLAGS = ("--breakdown", "--json")
_COUNT_VALUES = ("--text", "--model")
_SERVE_FLAGS = ("--demo",)
_SERVE_PATHS = ("--config", "-c", "--credentials", "--dump")
_SERVE_VALUES = (*_SERVE_PATHS, "--host", "--port", "--log-format")

# Help pages rendered by scripts/build_zipapp.sh; absent in a checkout, where Typer renders them.
PAGES = os.path.join(os.path.dirname(__file__), "help_pages")
_PAGE_COLUMNS = 80


def answer_at_once(args: list[str]) -> int | None:
    """The exit code if ``args`` were answered here, None if Typer has to look at them."""
    if COMPLETE_VARIABLE in os.environ:
        return None
    match args:
        case ["--version"] | ["-V"]:
            from kiro_rs_py import __version__

            print(f"kiro-rs-py {__version__}")
            return 0
        case ["count-tokens", *rest]:
            return _count_tokens(rest)
        case ["serve", *rest] if not {"-h", "--help"}.intersection(rest):
            return _serve(rest)
        case [*words, "--help" | "-h"]:
            return _help(words)
        case []:
            return _help([])
    return None


def _help(words: list[str]) -> int | None:
    if not all(word.replace("-", "").isalpha() for word in words) or _columns() < _PAGE_COLUMNS:
        return None
    try:
        # No word of a command has the character that joins them.
        with open(os.path.join(PAGES, f"{'_'.join(words) or '_'}.txt"), encoding="utf-8") as page:
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
    plain = _plain(args, _COUNT_FLAGS, _COUNT_VALUES)
    if plain is None:
        return None
    given, words = plain
    if len(words) + ("--text" in given) != 1:
        return None
    from kiro_rs_py.cli.counting import print_count

    print_count(
        file=words[0] if words else None,
        text=given.get("--text"),
        model=given.get("--model"),
        breakdown="--breakdown" in given,
        as_json="--json" in given,
    )
    return 0


def _serve(args: list[str]) -> int | None:
    plain = _plain(args, _SERVE_FLAGS, _SERVE_VALUES)
    if plain is None:
        return None
    given, words = plain
    port, log_format = given.get("--port"), given.get("--log-format")
    if words or ("-c" in given and "--config" in given) or log_format not in (None, "text", "json"):
        return None
    if port is not None and not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65_535):
        return None
    # Typer has its own words for a file that is there and cannot be read.
    if not all(os.access(given[name], os.R_OK) for name in _SERVE_PATHS if name in given):
        return None
    from pathlib import Path

    from kiro_rs_py.cli.serving import run_proxy
    from kiro_rs_py.cli.shared import Common

    paths = {name: Path(given[name]) for name in _SERVE_PATHS if name in given}
    common = Common(
        config=paths.get("--config") or paths.get("-c"),
        credentials=paths.get("--credentials"),
        log_format=log_format,  # type: ignore[arg-type]  # one of the two, see above
    )
    run_proxy(
        common,
        host=given.get("--host"),
        port=None if port is None else int(port),
        demo="--demo" in given,
        dump=paths.get("--dump"),
    )
    return 0


def _plain(args: list[str], flags: tuple[str, ...], values: tuple[str, ...]) -> tuple[dict[str, str], list[str]] | None:
    """The options by their spelling (a flag's value is empty) and the words between them; None if in any doubt."""
    given: dict[str, str] = {}
    words = []
    rest = iter(args)
    for arg in rest:
        if arg in flags:
            given[arg] = ""
        elif arg in values and arg not in given:
            value = next(rest, None)
            if value is None or value.startswith("-"):
                return None
            given[arg] = value
        elif arg == "-" or not arg.startswith("-"):
            words.append(arg)
        else:
            return None
    return given, words
