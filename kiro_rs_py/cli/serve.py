"""``serve``: run the proxy, for real or against the embedded simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, DemoOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.shared import common_of


def serve(
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    host: Annotated[str | None, typer.Option("--host", help="Listen on this address.", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="PORT",
            min=0,
            max=65_535,
            help="Listen on this port; 0 takes a free one.",
            show_default=False,
        ),
    ] = None,
    demo: DemoOption = False,
    dump: Annotated[
        Path | None,
        typer.Option(
            "--dump",
            metavar="DIR",
            help="Write redacted answers of Kiro into this folder, for `decode` and bug reports.",
            show_default=False,
        ),
    ] = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Run the proxy until Ctrl-C or SIGTERM.

    Prints the base URL and settings to paste into clients. Needs an api_key (`kiro-rs-py config init` makes one) and
    an account (`kiro-rs-py login`, or an API key in KIRO_API_KEY); --demo needs neither.

    \b
    Examples:
      kiro-rs-py serve --demo
      kiro-rs-py serve
      kiro-rs-py serve --host 0.0.0.0 --port 8990 --log-format json
      kiro-rs-py serve --dump dumps
    """
    common = common_of(config, credentials, log_level, log_format)

    from kiro_rs_py.cli.serving import run_proxy

    run_proxy(common, host=host, port=port, demo=demo, dump=dump)
