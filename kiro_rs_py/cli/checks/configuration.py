"""The configuration: can it be read, can it serve, is it private."""

from __future__ import annotations

from kiro_rs_py.cli.checks.findings import Finding, Level, finding_of
from kiro_rs_py.config.reader import Effective, Inputs, exposure_of, read_config
from kiro_rs_py.config.serving import serving_problems
from kiro_rs_py.convert.models import catalog_from_settings
from kiro_rs_py.errors import ConfigError

TOPIC = "configuration"
_CORRECT = "Correct it; `kiro-rs-py config check` looks again."


def check_configuration(inputs: Inputs) -> tuple[list[Finding], Effective | None]:
    """All problems of all sources, and the settings if they can be read at all."""
    try:
        settings = read_config(inputs)
    except ConfigError as error:
        return [finding_of("error", TOPIC, problem, _CORRECT) for problem in error.problems], None
    found = [_place(settings)]
    for warning in settings.warnings:
        exposed = settings.path is not None and warning == exposure_of(settings.path)
        level: Level = "error" if exposed else "warning"
        found.append(finding_of(level, "permissions" if exposed else TOPIC, warning, _CORRECT))
    problems, warnings = serving_problems(settings.config)
    found += [finding_of("error", TOPIC, problem, _CORRECT) for problem in problems]
    found += [finding_of("warning", TOPIC, warning, "Give it a key of its own.") for warning in warnings]
    try:
        catalog_from_settings(settings.config.models)
    except ConfigError as error:
        found += [finding_of("error", TOPIC, problem, _CORRECT) for problem in error.problems]
    return found, settings


def _place(settings: Effective) -> Finding:
    if settings.path is None:
        made = "`kiro-rs-py config init` writes one."
        return Finding("note", TOPIC, "There is no configuration file; defaults and environment count.", made)
    return Finding("ok", TOPIC, f"{settings.path} can be read.")
