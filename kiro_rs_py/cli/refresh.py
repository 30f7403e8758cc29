"""``refresh``: new access tokens before the old ones expire, from cron or by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.cli.shared import account_config, common_of
from kiro_rs_py.cli.terminal import print_json
from kiro_rs_py.cli.wording import parse_duration


def refresh(
    if_expiring: Annotated[
        str, typer.Option("--if-expiring", metavar="TIME", help="Refresh what expires within this time: 90s, 15m, 2h.")
    ] = "15m",
    everything: Annotated[bool, typer.Option("--all", help="Refresh every account, however fresh it is.")] = False,
    ids: Annotated[
        list[int] | None,
        typer.Option("--id", metavar="N", help="Refresh this account; may be repeated.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only what went wrong.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Refresh access tokens, for cron and by hand.

    Safe next to a running `serve` and next to a second `refresh`: only one of them asks, the others take over what
    it got. While the credentials file cannot be written, no refresh token is sent, since a new one would be lost. Ends
    with 0 if all is well or nothing was to do, 6 if some account failed, 4 if the credentials file cannot be used.

    \b
    Examples:
      kiro-rs-py refresh
      kiro-rs-py refresh --all
      kiro-rs-py refresh --id 2 --json
      */10 * * * *  kiro-rs-py refresh --quiet
    """
    from kiro_rs_py.cli.refreshing import Result, Wanted, refresh_accounts
    from kiro_rs_py.cli.session import Session, run_command

    try:
        within = parse_duration(if_expiring)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--if-expiring") from exc
    settings = account_config(common_of(config, credentials, log_level, log_format), quiet=quiet)
    wanted = Wanted(tuple(ids or ()), everything=everything, within=within)

    def tell(results: list[Result]) -> None:
        if as_json:
            print_json([result.to_json() for result in results])
        for result in results:
            result.print(quiet=quiet, as_json=as_json)

    async def work() -> int:
        # Told before the pool is left: that new tokens could not be saved is found out there, and ends the command.
        async with Session(settings).pool() as pool:
            results, broken = await refresh_accounts(pool, wanted)
            tell(results)
            failed = any(result.failed for result in results)
            if failed and pool.unsaved_because is not None:
                return ExitCode.BAD_CREDENTIALS
        return ExitCode.SOME_ACCOUNTS_FAILED if broken or failed else ExitCode.DONE

    raise typer.Exit(run_command(work))
