"""Write docs/cli.md: what every command's --help says, behind an introduction.

.venv/bin/python scripts/write_cli_reference.py            # after a change of a command
.venv/bin/python scripts/write_cli_reference.py --check    # ends with 1 if the file is out of date
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
PROGRAM = "kiro-rs-py"
WIDTH = "80"

INTRODUCTION = """\
# Command line

What each command's `--help` says, in one place. This page is written by `scripts/write_cli_reference.py`.

`kiro-rs-py` is one file that needs Python 3.11 or newer and nothing else. At its first start it unpacks itself into the
user's cache folder (`$SHIV_ROOT` if that is set; a private folder of the temporary directory if the cache cannot be
written), where a new version leaves the three newest of the older ones. That folder may be deleted at any time. In a
development environment the same program is `python -m kiro_rs_py`.

## In general

* **Results go to stdout, everything else to stderr**: logs, warnings, questions, progress. Commands that print facts
  have `--json`. On a terminal there are tables and colour, else plain lines; `NO_COLOR=1` asks for plain lines there
  too.
* **Common options** may stand before or after the command: `-c/--config`, `--credentials`, `--log-level`,
  `--log-format`. Options without a command mean `serve`: `kiro-rs-py -c config.json` works as it does with kiro-rs.
* **An error** is one sentence and, where there is one, a remedy, on stderr. There are no tracebacks unless the log
  level is debug.
* **Ctrl-C** ends every command cleanly.

## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed at run time |
| 2 | wrong use: unknown option, missing argument |
| 3 | bad configuration; all problems are listed |
| 4 | bad credentials file, or nothing usable in what is to be imported |
| 5 | cannot listen on the address |
| 6 | some accounts failed |
| 130 | interrupted |

## Environment

| variable | meaning |
|---|---|
| `KIRO_RS_CONFIG` | the configuration file, as `-c` |
| `KIRO_RS_…` | any setting, such as `KIRO_RS_PORT`; see [configuration.md](configuration.md) |
| `KIRO_RS_LOG`, `RUST_LOG` | the log level, as `--log-level`; the first one that is set counts |
| `KIRO_API_KEY` | a Kiro API key (`ksk_…`): an account that is in no file |
| `NO_COLOR` | no colour and no tables on a terminal |
| `SHIV_ROOT` | where the one-file program unpacks itself; by default the user's cache folder |

A log level is `debug`, `info`, `warning`, `error` or `off`, or a list that names parts of the program:
`info,upstream=debug`. The parts are the rooms of [architecture.md](architecture.md).

## Shell completion

`kiro-rs-py --install-completion` sets it up for the shell it is called from. For a package or a system-wide
installation there are files in `packaging/completions`:

| shell | file | goes to, for example |
|---|---|---|
| bash | `kiro-rs-py.bash` | `/usr/share/bash-completion/completions/kiro-rs-py` |
| zsh | `_kiro-rs-py` | a directory of `$fpath`, such as `/usr/local/share/zsh/site-functions` |
| fish | `kiro-rs-py.fish` | `~/.config/fish/completions` |

"""


def commands() -> Iterator[list[str]]:
    """The words of every command and group, in the order of the help pages: ``[]``, ``["serve"]``, …"""
    import typer.main

    from kiro_rs_py.cli.app import app

    def walk(words: list[str], command: object) -> Iterator[list[str]]:
        yield words
        for name, child in getattr(command, "commands", {}).items():
            yield from walk([*words, name], child)

    return walk([], typer.main.get_command(app))


def help_of(words: list[str]) -> str:
    """What ``kiro-rs-py WORDS --help`` prints."""
    from kiro_rs_py.cli.app import run_app

    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        run_app([*words, "--help"])
    return page.getvalue().rstrip()


def render() -> str:
    """The whole page."""
    os.environ["COLUMNS"] = WIDTH
    pages = [f"## {' '.join([PROGRAM, *words])}\n\n```text\n{help_of(words)}\n```\n" for words in commands()]
    return INTRODUCTION + "\n".join(pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    text = render()
    if not parser.parse_args().check:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        sys.exit("docs/cli.md is out of date: run scripts/write_cli_reference.py")


if __name__ == "__main__":
    main()
