"""The configuration file: where it is, and what it holds as plain keys and values. Reads; never writes."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path

from kiro_rs_py.errors import ConfigError

FILE_NAMES = ("config.toml", "config.json")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where files are looked for: the working directory, and the user's configuration and data directories."""

    working: Path
    user_config: Path
    user_data: Path


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One configuration file as found: ``pairs`` is its content with the keys as written."""

    path: Path
    pairs: dict[str, object]
    readable_by_others: bool


def find_config_file(named: Path | None, folders: Folders) -> Path | None:
    """The configuration file to read: ``named`` (``-c``), else in the working directory, else in the user's
    configuration directory; None if there is none.

    :raises ConfigError: ``named`` does not exist, or a folder cannot be searched. A file hidden by permissions is not
        the same as no file (operations §2.1 has it as a trap).
    """
    candidates = [named] if named else [f / name for f in (folders.working, folders.user_config) for name in FILE_NAMES]
    for candidate in candidates:
        try:
            if stat.S_ISREG(candidate.stat().st_mode) or named:
                return candidate
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as exc:
            raise ConfigError([f"{candidate}: cannot be read: {exc.strerror}."]) from exc
    if named:
        raise ConfigError([f"{named}: there is no such file. `kiro-rs-py config init -c {named}` writes one."])
    return None


def read_config_file(path: Path) -> ConfigFile:
    """Parse a TOML or JSON file; the format is known by the suffix, else by the first character.

    :raises ConfigError: unreadable, not UTF-8, not of its format, a key given twice, or no table of keys.
    """
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as exc:
        raise ConfigError([f"{path}: cannot be read: {exc.strerror}."]) from exc
    try:
        # Editors on Windows put a byte order mark in front; neither parser takes it.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {exc.start})."]) from exc
    pairs = _parse_json(path, text) if _is_json(path, text) else _parse_toml(path, text)
    return ConfigFile(path, pairs, bool(mode & (stat.S_IRGRP | stat.S_IROTH)))


def _is_json(path: Path, text: str) -> bool:
    match path.suffix.lower():
        case ".json":
            return True
        case ".toml":
            return False
        case _:
            return text.lstrip().startswith("{")


def _parse_toml(path: Path, text: str) -> dict[str, object]:
    import tomllib  # here, since `count-tokens` looks for such a file and mostly finds none

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # not only TOMLDecodeError: of numbers of thousands of digits
        raise ConfigError([f"{path}: is not valid TOML: {exc}."]) from exc


def _parse_json(path: Path, text: str) -> dict[str, object]:
    twice: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            twice.extend(sorted({name for name in names if names.count(name) > 1}))
        return table

    try:
        document = json.loads(text, object_pairs_hook=unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise ConfigError([f"{path}: is not valid JSON: {exc}."]) from exc
    if twice:
        raise ConfigError([f'{path}: the key "{name}" is given twice.' for name in twice])
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: must hold one JSON object."])
    return document


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is no JSON number")


def beside(credentials: Path, kind: str) -> Path:
    """A file of our own that goes with the credentials: ``credentials.json`` → ``credentials.state.toml``."""
    return credentials.with_name(f"{credentials.stem}.{kind}.toml")


def find_credentials_file(config_path: Path | None, folders: Folders) -> Path:
    """Where the credentials are when nothing names them: beside the config file, else in the user's data directory.

    Without a config file the working directory stands for its folder, as in kiro-rs. If neither place has the file
    yet, it is the first, unless that is the user's configuration directory, where secrets that change do not belong.
    """
    beside = (config_path.parent if config_path else folders.working) / "credentials.json"
    stored = folders.user_data / "credentials.json"
    if _is_there(beside):
        return beside
    if _is_there(stored) or config_path is None or config_path.parent == folders.user_config:
        return stored
    return beside


def _is_there(path: Path) -> bool:
    """A file hidden by permissions is there: its reader says so, instead of us quietly taking another."""
    try:
        return path.exists()
    except OSError:
        return True
