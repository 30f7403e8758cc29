"""``decode``: the frames of an AWS event stream, as Kiro answers with, made readable (operations §9.1)."""

from __future__ import annotations

from typing import Annotated

import typer

from kiro_rs_py.cli.options import JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.shared import common_of, start_logging
from kiro_rs_py.cli.terminal import is_fancy, print_json


def decode(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A file, - for stdin, or the bytes themselves as hex or base64.", show_default=False
        ),
    ],
    as_json: JsonOption = False,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Show the frames of a captured answer of Kiro.

    Headers, payloads and checksums of an AWS event stream. Reads what `serve --dump` writes and what others capture:
    binary, hex (also from xxd or hexdump -C) or base64, recognised by itself. Damage is named and skipped; the exit
    code is then 1.

    \b
    Examples:
      kiro-rs-py decode dumps/20260801T120000-req_011.eventstream
      kiro-rs-py decode --json answer.hex
      xxd answer.bin | kiro-rs-py decode -
      kiro-rs-py decode AAAAEAAAAAAFwkjrfZjI/w==
    """
    start_logging(common_of(log_level=log_level, log_format=log_format))

    from kiro_rs_py.cli.frames import json_of, lines_of, read_frames, summary_of
    from kiro_rs_py.codec.inspection import inspect

    pieces = list(inspect(read_frames(source)))
    if as_json:
        print_json([json_of(piece) for piece in pieces])
    else:
        fancy, frames = is_fancy(), 0
        for piece in pieces:
            frames += piece.prelude is not None
            for number, line in enumerate(lines_of(frames, piece)):
                print(_coloured(line, title=number == 0) if fancy else line)
            print()
        print(summary_of(pieces))
    if any(piece.problems for piece in pieces):
        raise typer.Exit(1)


def _coloured(line: str, *, title: bool) -> str:
    if title:
        return typer.style(line, bold=True)
    return typer.style(line, fg="red") if line.startswith("!") else line
