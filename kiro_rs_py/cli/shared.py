"""What every command takes from its options and from the environment. Imports no Typer, so that the front can serve
without it (see :mod:`front`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kiro_rs_py.config import Config
    from kiro_rs_py.config.reader import Effective, Inputs
    from kiro_rs_py.upstream.credential import Credential

LogFormat = Literal["text", "json"]

KEY_VARIABLE = "KIRO_API_KEY"


@dataclass(frozen=True, slots=True)
class Common:
    """The options that all commands share."""

    config: Path | None = None
    credentials: Path | None = None
    log_level: str | None = None
    log_format: LogFormat | None = None


OPTIONS_BEFORE: ContextVar[Common] = ContextVar("OPTIONS_BEFORE")
"""What was given before the command."""


def common_of(
    config: Path | None = None,
    credentials: Path | None = None,
    log_level: str | None = None,
    log_format: LogFormat | None = None,
) -> Common:
    """A command's own options, completed from those given before it, be they among its own or not."""
    before = OPTIONS_BEFORE.get()
    return Common(
        config or before.config,
        credentials or before.credentials,
        log_level or before.log_level,
        log_format or before.log_format,
    )


def inputs_of(common: Common, **flags: object) -> Inputs:
    """Everything the configuration is read from, on this machine and for this user."""
    from kiro_rs_py.cli.folders import user_folders
    from kiro_rs_py.config.reader import Inputs

    return Inputs(
        folders=user_folders(),
        config=common.config,
        credentials=common.credentials,
        flags={"log_format": common.log_format, **flags},
        environ=os.environ,
    )


def open_settings(common: Common, *, quiet: bool = False, **flags: object) -> Effective:
    """Read the settings and set up logging by them; warnings about them go to stderr, unless ``quiet``.

    :raises ConfigError: with all problems.
    """
    from kiro_rs_py.cli.outcome import warn
    from kiro_rs_py.config.keys import KEYS
    from kiro_rs_py.config.reader import read_config

    effective = read_config(inputs_of(common, **flags))
    config = effective.config
    secrets = (getattr(config, key.name) for key in KEYS.values() if key.secret)
    start_logging(common, config.log_format, secrets=tuple(filter(None, secrets)))
    if not quiet:
        warn(effective.warnings)
    return effective


def account_config(common: Common, *, quiet: bool = False) -> Config:
    """The settings of a command about accounts. It tells its results itself, so the log says little unless asked.

    ``quiet``: no word about odd settings either.
    """
    import logging

    config = open_settings(common, quiet=quiet).config
    if not is_log_level_named(common):
        logging.getLogger().setLevel(logging.WARNING)
        # What it has to say about a failed refresh is the command's own line.
        logging.getLogger("kiro_rs_py.upstream.rotation").setLevel(logging.CRITICAL)
    return config


def is_log_level_named(common: Common) -> bool:
    """Whether anybody has said how much is to be logged."""
    return bool(common.log_level or os.environ.get("KIRO_RS_LOG") or os.environ.get("RUST_LOG"))


def start_logging(common: Common, form: LogFormat | None = None, *, secrets: tuple[str, ...] = ()) -> None:
    """Set up logging by ``--log-level`` or the environment, in ``form`` or what ``--log-format`` says.

    :raises typer.BadParameter: ``--log-level`` is no filter.
    """
    from kiro_rs_py.cli.logs import choose_log_filter, set_up_logging
    from kiro_rs_py.cli.outcome import warn

    try:
        chosen, warning = choose_log_filter(common.log_level, os.environ)
    except ValueError as exc:
        import typer

        raise typer.BadParameter(str(exc), param_hint="--log-level") from exc
    warn([warning] if warning else [])
    set_up_logging(chosen, form or common.log_format or "text", secrets=secrets)


def environment_accounts(environ: Mapping[str, str]) -> tuple[Credential, ...]:
    """The account in :data:`KEY_VARIABLE`, which lives in memory only (operations §11.2), or none; a variable that is
    set but empty counts as unset.

    Raises ConfigError, which does not repeat it, for something that is no API key.
    """
    key = environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return ()
    from kiro_rs_py.errors import ConfigError
    from kiro_rs_py.upstream.credential import Credential
    from kiro_rs_py.upstream.sources import API_KEY

    if not API_KEY.fullmatch(key):
        raise ConfigError([f"{KEY_VARIABLE} is no API key of Kiro; those begin with ksk_. Correct or unset it."])
    return (Credential(id=-1, auth_method="api_key", kiro_api_key=key, label=KEY_VARIABLE),)
