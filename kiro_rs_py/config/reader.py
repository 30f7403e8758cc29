"""From flags, environment and file to one checked :class:`Config`: flag > environment > file > default.

Nothing is fixed up silently and nothing stops at the first mistake: all problems are collected and raised as one
:class:`~kiro_rs_py.errors.ConfigError`; what is odd but harmless becomes a warning.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiro_rs_py.config import values
from kiro_rs_py.config.files import ConfigFile, Folders, find_config_file, find_credentials_file, read_config_file
from kiro_rs_py.config.keys import IGNORED, KEYS, Key, spellings
from kiro_rs_py.config.settings import Config
from kiro_rs_py.config.values import nearest
from kiro_rs_py.errors import ConfigError

PREFIX = "KIRO_RS_"

# Variables with our prefix that are no settings: the log filter, and the config file itself.
OTHER_VARIABLES = ("KIRO_RS_LOG", "KIRO_RS_CONFIG")

# kiro-rs names one of these two at random at each start (operations §2.2).
SYSTEM_VERSIONS = ("darwin#24.6.0", "win32#10.0.22631")
DRAWN = "default (one of two, new at each start)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a configuration is made from.

    ``config`` and ``credentials`` are the paths given as flags, ``flags`` other settings given as flags (name → value,
    None for absent), ``environ`` the environment.
    """

    folders: Folders
    config: Path | None = None
    credentials: Path | None = None
    flags: Mapping[str, object] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The checked settings; ``sources`` says for each where its value came from, ``path`` is the file read."""

    config: Config
    sources: Mapping[str, str]
    path: Path | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What could be made of the settings, and all that is wrong with them.

    ``wrong`` names the settings whose values cannot be used; ``settings`` has weaker ones in their place.
    ``readable``: there is no file, or its content is known.
    """

    settings: Effective
    problems: tuple[str, ...]
    wrong: frozenset[str]
    readable: bool


@dataclass(slots=True)
class _Collected:
    """Values found so far, weakest source first, and what was wrong on the way."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, key: Key, problem: str) -> None:
        self.problems.append(problem)
        self.wrong.add(key.name)

    def take(self, key: Key, value: object, folder: Path, *, where: str, source: str, is_file: bool = False) -> None:
        """Check one value, or the secret that stands in a file of that name.

        ``where`` begins the sentence of a problem, ``source`` goes to ``config show``.
        """
        try:
            if is_file and (value := _secret_in(value, folder)) is None:
                return
            checked = key.kind.check(value, folder)
        except ValueError as exc:
            problem = f"{where} {exc}"
            self.refuse(key, problem if problem.endswith("?") else f"{problem}.")
            return
        if checked is None and key.kind is values.access_key and value != "":
            # As in kiro-rs, whose files have it (operations §1.3, step 12).
            self.warnings.append(f"{where} is blank, which counts as not set.")
        if checked is not None:
            self.values[key.name] = checked
            self.sources[key.name] = source


def _secret_in(value: object, folder: Path) -> str | None:
    """The secret in the file that ``value`` names; None if it names none. Raises ValueError as kinds of values do."""
    path = values.path.check(value, folder)
    if path is None:
        return None
    try:
        content = Path(str(path)).read_text(encoding="utf-8-sig").strip()
    except OSError as exc:
        raise ValueError(f"names {exc.filename}, which cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ValueError("names a file that is not UTF-8 text") from exc
    if not content:
        raise ValueError(f"names {path}, which is empty")
    return content


def read_config(inputs: Inputs) -> Effective:
    """Find, read, merge and check.

    :raises ConfigError: with every problem of every source.
    """
    examined = examine_config(inputs)
    if examined.problems:
        raise ConfigError(examined.problems)
    return examined.settings


def examine_config(inputs: Inputs) -> Examined:
    """:func:`read_config` for those who want to go on after a problem; nothing is raised."""
    collected = _Collected()
    readable = True
    path = _named_config(inputs)
    try:
        path = find_config_file(path, inputs.folders)
        if path is not None:
            _take_file(collected, read_config_file(path))
    except ConfigError as exc:
        collected.problems.extend(exc.problems)
        readable = False
    _take_environment(collected, inputs.environ, inputs.folders.working)
    _take_flags(collected, inputs)
    _fill_defaults(collected, path, inputs.folders)
    config = Config(**collected.values)
    if not collected.problems:
        collected.warnings.extend(_odd_together(config))
    effective = Effective(config=config, sources=collected.sources, path=path, warnings=tuple(collected.warnings))
    return Examined(
        settings=effective, problems=tuple(collected.problems), wrong=frozenset(collected.wrong), readable=readable
    )


def _named_config(inputs: Inputs) -> Path | None:
    if inputs.config is not None:
        return inputs.config
    variable = inputs.environ.get("KIRO_RS_CONFIG")
    return inputs.folders.working / variable if variable else None


def _take_file(collected: _Collected, file: ConfigFile) -> None:
    """Every key of the file: known, unknown, in two spellings at once."""
    accepted = spellings()
    seen: dict[str, str] = {}
    for written, value in file.pairs.items():
        where = f"{file.path}: {written}"
        if written not in accepted:
            _note_unknown(collected, written, file.path)
            continue
        key, is_file = accepted[written]
        if value is None:
            continue  # JSON's null, which kiro-rs writes for what is not set (operations §2.3)
        if key.name in seen:
            collected.refuse(key, f"{where} says the same as {seen[key.name]}; keep one of them.")
            continue
        seen[key.name] = written
        collected.take(key, value, file.path.parent, where=where, source=str(file.path), is_file=is_file)
    if file.readable_by_others and any(KEYS[name].secret for name in seen):
        collected.warnings.append(exposure_of(file.path))


def exposure_of(path: Path) -> str:
    """The warning about a file of secrets that other users can read."""
    return f"{path} holds secrets and can be read by other users. Run `chmod 600 {path}`."


def _note_unknown(collected: _Collected, written: str, path: Path) -> None:
    if written in IGNORED:
        collected.warnings.append(f"{path}: {written} has no effect here and is ignored.")
        return
    snake = "_" in written or path.suffix.lower() == ".toml"
    meant = nearest(written, [name for name in spellings() if (name.islower() if snake else "_" not in name)])
    hint = f'; did you mean "{meant}"?' if meant else "; `kiro-rs-py config init` writes a file with all keys."
    collected.problems.append(f'{path}: unknown key "{written}"{hint}')


def _take_environment(collected: _Collected, environ: Mapping[str, str], working: Path) -> None:
    """``KIRO_RS_<KEY>``; for secrets also ``KIRO_RS_<KEY>_FILE``. Empty counts as unset, as compose files need it."""
    known = set(OTHER_VARIABLES)
    for key in KEYS.values():
        known.add(key.env)
        text = environ.get(key.env)
        if text or (text is not None and key.name == "thinking_suffix"):
            collected.take(key, key.kind.from_text(text), working, where=key.env, source=f"environment {key.env}")
        if not key.secret:
            continue
        variable = f"{key.env}_FILE"
        known.add(variable)
        if environ.get(variable):
            if text:
                collected.refuse(key, f"{key.env} and {variable} are both set; keep one of them.")
                continue
            source = f"environment {variable}"
            collected.take(key, environ[variable], working, where=variable, source=source, is_file=True)
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            meant = nearest(name, known)
            hint = f"; did you mean {meant}?" if meant else "."
            collected.warnings.append(f"The environment variable {name} is no setting{hint}")


def _take_flags(collected: _Collected, inputs: Inputs) -> None:
    for name, value in inputs.flags.items():
        if value is not None:
            flag = "--" + name.replace("_", "-")
            collected.take(KEYS[name], value, inputs.folders.working, where=flag, source=f"flag {flag}")
    if inputs.credentials is not None:
        collected.values["credentials_path"] = inputs.folders.working / inputs.credentials
        collected.sources["credentials_path"] = "flag --credentials"


def _fill_defaults(collected: _Collected, path: Path | None, folders: Folders) -> None:
    """What no source gave. Two defaults are found out rather than fixed: the credentials file and the system token."""
    if "credentials_path" not in collected.values:
        collected.values["credentials_path"] = find_credentials_file(path, folders)
    if "system_version" not in collected.values:
        collected.values["system_version"] = SYSTEM_VERSIONS[os.urandom(1)[0] % len(SYSTEM_VERSIONS)]
        collected.sources["system_version"] = DRAWN
    for name in KEYS:
        collected.sources.setdefault(name, "default")


def _odd_together(config: Config) -> Iterator[str]:
    """Warnings of settings that only mean something together; none of these stops kiro-rs, so none stops us."""
    if bool(config.proxy_username) != bool(config.proxy_password):
        yield "proxy_username and proxy_password are used only when both are set."
    if config.proxy_username and not config.proxy_url:
        yield "proxy_username has no effect without proxy_url."
    if config.machine_id and not _is_machine_id(config.machine_id):
        yield "machine_id is neither 64 hex digits nor a UUID and is ignored."


def _is_machine_id(text: str) -> bool:
    """Whether the normalisation of operations §3.6 accepts it."""
    digits = text.strip()
    if len(digits) != 64:
        digits = digits.replace("-", "")
    return len(digits) in (32, 64) and all(digit in "0123456789abcdefABCDEF" for digit in digits)
