"""All checks in order; what one has found out is what the next looks at."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import trio

from kiro_rs_py.cli.checks.accounts import check_accounts
from kiro_rs_py.cli.checks.clients import check_clients
from kiro_rs_py.cli.checks.findings import Finding, Level, finding_of
from kiro_rs_py.cli.checks.machine import check_admin_address, check_clock, check_locks, check_port
from kiro_rs_py.cli.checks.network import check_network, check_way_out
from kiro_rs_py.cli.claude_code import find_settings
from kiro_rs_py.config.reader import Effective, Inputs, exposure_of, read_config
from kiro_rs_py.config.serving import serving_problems
from kiro_rs_py.convert.models import catalog_from_settings
from kiro_rs_py.errors import ConfigError

_CORRECT = "Correct it; `kiro-rs-py config check` looks again."


def examine(inputs: Inputs, *, offline: bool) -> list[Finding]:
    """Everything that was found. Without a configuration that can be read the rest is guesswork, and is not done."""
    # What the parts log about their troubles is said here in better words.
    logging.getLogger("kiro_rs_py").setLevel(logging.CRITICAL)
    return trio.run(_examine, inputs, offline)


async def _examine(inputs: Inputs, offline: bool) -> list[Finding]:
    now = datetime.now(UTC)
    found, settings = check_configuration(inputs)
    if settings is None:
        rest = "Accounts, port, clients and network were not looked at."
        return [*found, Finding("note", "configuration", rest, "Correct the configuration and run this again.")]
    config = settings.config
    accounts = check_accounts(config, inputs.environ, now)
    found += accounts.findings
    found += await trio.to_thread.run_sync(check_locks, config, accounts.all)
    found.append(await check_port(config))
    found += await check_admin_address(config)
    files = find_settings(inputs.environ, Path.home(), inputs.folders.working)
    with suppress(ConfigError):  # told above
        found += check_clients(config, inputs.environ, files, catalog_from_settings(config.models))
    way_out = check_way_out(config, accounts.all, inputs.environ)
    found += way_out
    skews: list[float] = []
    if offline or any(finding.level == "error" for finding in way_out):
        fix = "Run it again without --offline." if offline else "Correct the settings of the way out first."
        found.append(Finding("note", "network", "Nobody was asked: hosts, tokens and clock may still be wrong.", fix))
    else:
        asked, skews = await check_network(config, accounts.all, now)
        found += asked
    found.append(check_clock(now, skews, _files(settings)))
    return found


def _files(settings: Effective) -> list[Path]:
    return [path for path in (settings.config.credentials_path, settings.path) if path is not None]


def check_configuration(inputs: Inputs) -> tuple[list[Finding], Effective | None]:
    """All problems of all sources, and the settings if they can be read at all."""
    try:
        settings = read_config(inputs)
    except ConfigError as error:
        return [finding_of("error", "configuration", problem, _CORRECT) for problem in error.problems], None
    found = [_place(settings)]
    for warning in settings.warnings:
        exposed = settings.path is not None and warning == exposure_of(settings.path)
        level: Level = "error" if exposed else "warning"
        found.append(finding_of(level, "permissions" if exposed else "configuration", warning, _CORRECT))
    problems, warnings = serving_problems(settings.config)
    found += [finding_of("error", "configuration", problem, _CORRECT) for problem in problems]
    found += [finding_of("warning", "configuration", warning, "Give it a key of its own.") for warning in warnings]
    try:
        catalog_from_settings(settings.config.models)
    except ConfigError as error:
        found += [finding_of("error", "configuration", problem, _CORRECT) for problem in error.problems]
    return found, settings


def _place(settings: Effective) -> Finding:
    if settings.path is None:
        made = "`kiro-rs-py config init` writes one."
        return Finding("note", "configuration", "There is no configuration file; defaults and environment count.", made)
    return Finding("ok", "configuration", f"{settings.path} can be read.")
