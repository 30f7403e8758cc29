"""The options that all commands share, as given, and how they become settings and logging. Imports no Typer, so that
the front can serve without it (see :mod:`front`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import logging

    import typer

    from kiro_rs_py.config import Config
    from kiro_rs_py.config.reader import Effective, Inputs

LogFormat = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Common:
    """The shared options as given; those before the command count where the command has none of its own."""

    config: Path | None = None
    credentials: Path | None = None
    log_level: str | None = None
    log_format: LogFormat | None = None

    def over(self, context: typer.Context) -> Common:
        """These options, completed from those given before the command."""
        outer = context.find_root().obj
        if not isinstance(outer, Common):
            return self
        return Common(
            self.config or outer.config,
            self.credentials or outer.credentials,
            self.log_level or outer.log_level,
            self.log_format or outer.log_format,
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
    from kiro_rs_py.config.reader import read_config

    effective = read_config(inputs_of(common, **flags))
    config = effective.config
    start_logging(common, config.log_format, secrets=secrets_of(config))
    if not quiet:
        warn(effective.warnings)
    return effective


def secrets_of(config: Config) -> tuple[str, ...]:
    """The secrets among the settings, for the log to black out."""
    from kiro_rs_py.config.keys import KEYS

    found = (getattr(config, key.name) for key in KEYS.values() if key.secret)
    return tuple(secret for secret in found if secret)


def start_logging(common: Common, form: LogFormat, *, secrets: tuple[str, ...] = ()) -> logging.Handler:
    """Set up logging by ``--log-level`` or the environment.

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
    return set_up_logging(chosen, form, secrets=secrets)
