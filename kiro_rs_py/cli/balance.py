"""``balance``: credits used and left, of every account and in all."""

from __future__ import annotations

from typing import Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.cli.shared import account_config, common_of

DEFAULT_PAUSE = 60.0
SHORTEST_PAUSE = 30.0
"""Between two looks of ``--watch``: the service is asked once for each account each time (operations §5.8)."""


def balance(
    seconds: Annotated[
        float | None, typer.Argument(metavar="[SECONDS]", help="With --watch: the pause, 60 if not given.")
    ] = None,
    ids: Annotated[
        list[int] | None,
        typer.Option("--id", metavar="N", help="Only this account; may be repeated.", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again until Ctrl-C.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Show plan, credits used and left, and when they start again.

    Trial and bonus credits are included. Disabled accounts are left out unless --id names them. Ends with 6 if some
    account could not be asked.

    \b
    Examples:
      kiro-rs-py balance
      kiro-rs-py balance --id 2 --json
      kiro-rs-py balance --watch 300
    """
    from kiro_rs_py.cli.balances import Balances, ask_balances, repeat, show
    from kiro_rs_py.cli.session import Session, run_command

    if seconds is not None and not watch:
        raise typer.BadParameter("SECONDS go with --watch.", param_hint="SECONDS")
    if seconds is not None and not SHORTEST_PAUSE <= seconds <= 86_400:
        raise typer.BadParameter(f"Use {SHORTEST_PAUSE:g} to 86400 seconds.", param_hint="SECONDS")
    settings = account_config(common_of(config, credentials, log_level, log_format))

    async def look() -> Balances:
        session = Session(settings)
        async with session.pool() as pool:
            return await ask_balances(session, pool, tuple(ids or ()))

    async def work() -> int:
        if watch:
            await repeat(look, lambda found: show(found, as_json=as_json, again=True), seconds or DEFAULT_PAUSE)
        found = await look()
        show(found, as_json=as_json)
        return ExitCode.SOME_ACCOUNTS_FAILED if found.failed else ExitCode.DONE

    raise typer.Exit(run_command(work))
