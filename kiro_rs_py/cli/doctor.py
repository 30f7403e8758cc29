"""``doctor``: what keeps the proxy, or a client of it, from working, and what to do about each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption
from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.cli.shared import common_of, inputs_of
from kiro_rs_py.cli.terminal import is_fancy, print_json
from kiro_rs_py.cli.wording import printable

if TYPE_CHECKING:
    from kiro_rs_py.cli.checks.findings import Finding


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody; look at this machine only.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Find what keeps the proxy or its clients from working.

    Configuration, permissions, accounts, locks, port, the variables and settings of Claude Code, then, unless
    --offline, the way to Kiro, its hosts and the clock. Changes nothing, refreshes nothing. Ends with 0 if nothing is
    broken, else with 1; each line that is not "ok" says what to do.

    \b
    Examples:
      kiro-rs-py doctor
      kiro-rs-py doctor --offline --json
    """
    from kiro_rs_py.cli.checks.examination import examine

    found = examine(inputs_of(common_of(config, credentials)), offline=offline)
    broken = any(finding.level == "error" for finding in found)
    if as_json:
        print_json({"ok": not broken, "findings": [finding.to_json() for finding in found]})
    else:
        _print(found)
    raise typer.Exit(ExitCode.FAILED if broken else ExitCode.DONE)


def _print(found: Sequence[Finding]) -> None:
    colours = {"ok": "32", "note": "36", "warning": "33", "error": "31"}
    for finding in found:
        level = f"{finding.level:<7}"
        if is_fancy():
            level = f"\x1b[{colours[finding.level]}m{level}\x1b[0m"
        print(f"{level}  {finding.topic}: {printable(finding.message)}")
        if finding.fix:
            print(f"         fix: {printable(finding.fix)}")
    counts = {level: sum(finding.level == level for finding in found) for level in ("error", "warning")}
    told = [f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items() if count]
    print(f"\n{', '.join(told) or 'Nothing is broken'}.")
