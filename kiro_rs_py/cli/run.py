"""``run -- claude …``: a client with a proxy of its own, for as long as it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, DemoOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.shared import common_of


def run(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="The client and its arguments.", show_default=False)
    ],
    cc: Annotated[
        bool, typer.Option("--cc", help="Use the /cc routes: answers come whole, with exact input token numbers.")
    ] = False,
    demo: DemoOption = False,
    log_file: Annotated[
        Path | None,
        typer.Option("--log-file", metavar="PATH", help="Append the log to this file.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Run a client with the proxy behind it.

    Uses the proxy that runs at the configured address, if it takes your api_key, else starts one on a free port that
    ends with the client. The client alone gets ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN; variables that would lead
    it elsewhere are kept from it. Its exit code is the one you see. Without --log-file only errors are logged, to leave
    the screen to the client.

    \b
    Examples:
      kiro-rs-py run -- claude
      kiro-rs-py run --demo -- claude -p "Say hello"
      kiro-rs-py run --cc --log-file proxy.log -- claude --model claude-opus-4-6
    """
    from kiro_rs_py.cli.own_proxy import find_program, run_client

    common = common_of(config, credentials, log_level, log_format)
    found = [find_program(command[0]), *command[1:]]
    raise typer.Exit(run_client(found, common, cc=cc, demo=demo, log_file=log_file))
