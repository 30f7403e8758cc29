"""The Typer application: which commands there are, and the options before them."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from kiro_rs_py import __version__
from kiro_rs_py.cli import accounts, config_commands, keys
from kiro_rs_py.cli.balance import balance
from kiro_rs_py.cli.count_tokens import count_tokens
from kiro_rs_py.cli.decode import decode
from kiro_rs_py.cli.doctor import doctor
from kiro_rs_py.cli.front import COMPLETE_VARIABLE
from kiro_rs_py.cli.import_token import import_token
from kiro_rs_py.cli.login import login
from kiro_rs_py.cli.models import models
from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.refresh import refresh
from kiro_rs_py.cli.run import run
from kiro_rs_py.cli.serve import serve
from kiro_rs_py.cli.shared import OPTIONS_BEFORE, Common
from kiro_rs_py.cli.terminal import print_json

PROGRAM = "kiro-rs-py"

_HELP = f"""Use your own Kiro subscription from Claude Code and every other Anthropic-compatible client.

Try it without an account: `{PROGRAM} serve --demo`. For real: `{PROGRAM} config init`, `{PROGRAM} login`,
`{PROGRAM} serve`.

Settings come from a flag, else the environment (KIRO_RS_PORT for port), else the configuration file, which is
./config.toml, ./config.json or the one `{PROGRAM} config path` names.

\b
Examples:
  {PROGRAM} serve --demo
  {PROGRAM} serve -c /etc/kiro/config.toml --port 8990
  {PROGRAM} count-tokens request.json --breakdown
  {PROGRAM} config check
"""

# No rich help and no rich tracebacks: drawing them costs 85 ms of 60 (stack.md A5).
app = typer.Typer(
    name=PROGRAM,
    help=_HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def before_command(
    context: typer.Context,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
    only_version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep the options given before the command. Given without a command they mean ``serve``, as kiro-rs has it."""
    OPTIONS_BEFORE.set(Common(config, credentials, log_level, log_format))
    if context.invoked_subcommand is not None:
        return
    if config is None and credentials is None:
        print(context.get_help())
        raise typer.Exit
    serve()


app.command("serve")(serve)
app.command("run", context_settings={"allow_interspersed_args": False})(run)
app.command("login")(login)
app.command("import-token")(import_token)
app.command("refresh")(refresh)
app.command("balance")(balance)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.command("count-tokens")(count_tokens)
app.command("models")(models)
app.command("decode")(decode)
app.command("doctor")(doctor)


@app.command("version")
def version(as_json: JsonOption = False) -> None:
    """Print the version, Python's version and the platform.

    \b
    Examples:
      kiro-rs-py version
      kiro-rs-py version --json
    """
    import platform

    python, system = platform.python_version(), platform.platform(terse=True)
    if as_json:
        print_json({"version": __version__, "python": python, "platform": system})
    else:
        print(f"{PROGRAM} {__version__} (Python {python}, {system})")


app.add_typer(config_commands.app, name="config")


def _complete_plainly() -> None:
    """Typer takes rich's markup out of the help that zsh and fish show. Ours has none, and what that needs of rich, to
    draw Markdown, is not in the zipapp."""
    import typer._completion_classes

    typer._completion_classes._sanitize_help_text = lambda text: text


def run_app(args: list[str]) -> int:
    """Run one command line and return its exit code.

    :raises KiroError: for the caller to report.
    """
    if COMPLETE_VARIABLE in os.environ:
        _complete_plainly()
    try:
        app(args=args, prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
