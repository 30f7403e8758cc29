"""``import-token``: bring in tokens that another program or another machine has."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.cli.shared import account_config, common_of
from kiro_rs_py.cli.terminal import print_json

SourceChoice = Literal["kiro-ide", "kiro-cli", "kam", "kiro-rs", "api-key", "token"]


def import_token(
    source: Annotated[
        str | None,
        typer.Argument(metavar="[SOURCE]", help="A file or folder, or - for stdin; nothing looks around."),
    ] = None,
    form: Annotated[
        SourceChoice | None,
        typer.Option("--from", help="What SOURCE is, or where to look without one.", show_default=False),
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Store without asking the service; nothing is sent.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Import tokens from a program, a file, stdin or a prompt.

    Understands Kiro IDE's token cache, kiro-cli's database, kiro-rs credentials, Kiro Account Manager exports, API
    keys (ksk_…) and bare refresh tokens (aor…), and recognises them by their content. Without SOURCE it looks for
    the first two and for KIRO_API_KEY, and asks. Tokens are checked with one refresh. No secret is ever shown.

    \b
    Examples:
      kiro-rs-py import-token
      kiro-rs-py import-token ~/.aws/sso/cache
      kiro-rs-py import-token accounts.json
      kiro-rs-py import-token --from token
      pass show kiro/key | kiro-rs-py import-token -
    """
    from kiro_rs_py.cli.import_sources import find_source
    from kiro_rs_py.cli.importing import import_accounts
    from kiro_rs_py.cli.session import Session, run_command

    settings = account_config(common_of(config, credentials, log_level, log_format))
    found = find_source(source, form)
    results = run_command(lambda: import_accounts(Session(settings), found, verify=not no_verify))
    if as_json:
        print_json([result.to_json() for result in results])
    for result in results:
        result.print(as_json=as_json)
    failed = [result for result in results if result.failed]
    if len(failed) == len(results):
        raise typer.Exit(ExitCode.FAILED)
    raise typer.Exit(ExitCode.SOME_ACCOUNTS_FAILED if failed else ExitCode.DONE)
