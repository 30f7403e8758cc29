"""``serve``: run the proxy, for real or against the embedded simulator."""

from __future__ import annotations

import gc
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kiro_rs_py.cli.options import (
    Common,
    ConfigOption,
    CredentialsOption,
    LogFormatOption,
    LogLevelOption,
    open_settings,
    start_logging,
)

if TYPE_CHECKING:
    from kiro_rs_py.config import Config
    from kiro_rs_py.config.reader import Effective
    from kiro_rs_py.serve.listener import ServerAddress


def serve(
    context: typer.Context,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    host: Annotated[str | None, typer.Option("--host", help="Listen on this address.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Listen on this port; 0 takes a free one.", show_default=False)
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Play against a simulated Kiro: no account, no configuration, no network.")
    ] = False,
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
    common = Common(config, credentials, log_level, log_format).over(context)
    # What is imported now stays; looking for garbage in it meanwhile is a tenth of the start.
    gc.disable()
    if demo:
        _serve_demo(common, host, port, dump)
    else:
        _serve_account(common, host, port, dump)


def _serve_account(common: Common, host: str | None, port: int | None, dump: Path | None) -> None:
    from kiro_rs_py.cli.environment_key import environment_accounts
    from kiro_rs_py.cli.outcome import warn
    from kiro_rs_py.config.serving import serving_problems
    from kiro_rs_py.errors import ConfigError
    from kiro_rs_py.serve.listener import bind

    def read() -> Effective:
        """Settings fit to serve with."""
        settings = open_settings(common, host=host, port=port, dump_dir=dump)
        problems, warnings = serving_problems(settings.config)
        if problems:
            raise ConfigError(problems)
        warn(warnings)
        return settings

    def read_again() -> Config:
        """At each SIGHUP; it sets the log up anew."""
        settings = read()
        _put_request_ids_into_the_log()
        return settings.config

    settings = read()
    accounts = environment_accounts(os.environ)
    # Before Trio and the rest are loaded: clients can connect, and wait for their answer.
    bound = bind(settings.config.host, settings.config.port)

    import trio

    from kiro_rs_py.serve.run import serve as run_server

    def announce(address: ServerAddress) -> None:
        _announce(address.url, "YOUR_API_KEY", f"YOUR_API_KEY stands for your api_key: {settings.sources['api_key']}.")

    _put_request_ids_into_the_log()
    gc.enable()
    configured = partial(run_server, settings.config, bound=bound, reload=read_again, extra_credentials=accounts)
    trio.run(partial(configured, on_ready=announce, sources=settings.sources))


def _serve_demo(common: Common, host: str | None, port: int | None, dump: Path | None) -> None:
    import trio

    from kiro_rs_py.cli.demo import serve_demo

    start_logging(common, common.log_format or "text")
    _put_request_ids_into_the_log()

    def announce(address: ServerAddress, config: Config) -> None:
        admin = f"Admin page: {address.url}/admin\nAdmin key:  {config.admin_api_key}\n\n"
        note = "This is a demo: a simulated Kiro answers, and the keys end with this process."
        _announce(address.url, config.api_key, f"{admin}{note}")

    gc.enable()
    trio.run(serve_demo, host or "127.0.0.1", port, announce, dump)


def _put_request_ids_into_the_log() -> None:
    import logging

    from kiro_rs_py.serve.request_log import RequestIdFilter

    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())


def _announce(url: str, key: str, note: str) -> None:
    from kiro_rs_py.cli.client_settings import client_settings

    print(f"Listening on {url}\n\n{client_settings(url, key)}\n{note}\nCtrl-C stops it.", flush=True)
    sys.stdout.flush()
