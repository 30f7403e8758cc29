"""Where ``import-token`` takes tokens from: a path, stdin, the usual places, a hidden prompt."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from kiro_rs_py.cli.shared import KEY_VARIABLE
from kiro_rs_py.cli.terminal import prompting, stdin_is_terminal, tell
from kiro_rs_py.errors import UnusableSource
from kiro_rs_py.upstream.sources import Found, SourceName, read_text
from kiro_rs_py.upstream.token_places import (
    MAX_SOURCE_BYTES,
    default_cli_databases,
    default_ide_folder,
    is_file,
    read_kiro_cli_database,
    read_kiro_ide,
    read_path,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere tokens lie; ``description`` for people, ``source`` for ``--from``."""

    source: SourceName
    description: str
    read: Callable[[], Found]


def find_source(named: str | None, form: SourceName | None, environ: Mapping[str, str] = os.environ) -> Found:
    """What is to be imported. Raises UnusableSource, and typer.BadParameter when the choice is the person's."""
    if named == "-":
        return _read_stdin(form)
    if named is not None:
        return read_path(Path(named).expanduser(), source=form)
    places = [place for place in usual_places(Path.home(), environ) if form in (None, place.source)]
    if form is None:
        return _choose(places)
    if places:
        tell(f"Found {places[0].description}.")
        return places[0].read()
    match form:
        case "token" | "api-key":
            return _prompt(form)
        case "kiro-ide":
            return read_kiro_ide(default_ide_folder(Path.home()))
        case "kiro-cli":
            return read_kiro_cli_database(default_cli_databases(Path.home(), environ)[0])
        case _:
            raise typer.BadParameter("Name the file to import, or - for stdin.", param_hint="SOURCE")


def usual_places(home: Path, environ: Mapping[str, str]) -> list[Place]:
    """What there is in the places where other programs keep their tokens."""
    places: list[Place] = []
    folder = default_ide_folder(home)
    if is_file(folder / "kiro-auth-token.json"):
        places.append(Place("kiro-ide", f"Kiro IDE's tokens in {folder}", lambda: read_kiro_ide(folder)))
    database = next((path for path in default_cli_databases(home, environ) if is_file(path)), None)
    if database is not None:
        places.append(Place("kiro-cli", f"kiro-cli's database {database}", lambda: read_kiro_cli_database(database)))
    key = environ.get(KEY_VARIABLE, "").strip()
    if key:
        description = f"an API key in the environment ({KEY_VARIABLE})"
        places.append(Place("api-key", description, lambda: read_text(key, source="api-key")))
    return places


def _choose(places: list[Place]) -> Found:
    """Let the person choose among what was found; a prompt is always a choice."""
    if not stdin_is_terminal():
        if not places:
            raise UnusableSource(
                f"Nothing to import: no Kiro IDE tokens, no kiro-cli database, no {KEY_VARIABLE}. "
                "Name a file, or - for stdin."
            )
        options = " or ".join(f"--from {place.source}" for place in places)
        raise typer.BadParameter(f"There is no terminal to ask on; choose with {options}.", param_hint="--from")
    for number, place in enumerate(places, 1):
        tell(f"  {number}  {place.description}")
    tell(f"  {len(places) + 1}  a token or an API key, typed or pasted here (hidden)")
    while True:
        with prompting():
            print(f"Import which? [1-{len(places) + 1}] ", end="", file=sys.stderr, flush=True)
            answer = sys.stdin.readline()
            if not answer:
                raise EOFError
        number = int(answer) if answer.strip().isdecimal() else 0
        if 1 <= number <= len(places):
            return places[number - 1].read()
        if number == len(places) + 1:
            return _prompt(None)


def _prompt(form: SourceName | None) -> Found:
    if not stdin_is_terminal():
        raise typer.BadParameter("There is no terminal to ask on; pipe the token in and name - as SOURCE.")
    what = "API key" if form == "api-key" else "Refresh token" if form == "token" else "Token or API key"
    with prompting():
        text = getpass.getpass(f"{what} (hidden): ", stream=sys.stderr)
    return read_text(text, source=form)


def _read_stdin(form: SourceName | None) -> Found:
    content = sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1)
    if len(content) > MAX_SOURCE_BYTES:
        raise UnusableSource(
            f"There are more than {MAX_SOURCE_BYTES >> 20} MiB on stdin. Pipe in what holds the tokens."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableSource("What came on stdin is no text. Name a database by its path.") from None
    return read_text(text, source=form)
