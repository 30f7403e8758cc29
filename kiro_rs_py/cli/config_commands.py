"""``config``: init, check, show, hash-key, path."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption
from kiro_rs_py.cli.outcome import warn
from kiro_rs_py.cli.shared import common_of, inputs_of, open_settings
from kiro_rs_py.cli.terminal import print_json, print_table, prompting, stdin_is_terminal
from kiro_rs_py.errors import ConfigError, KiroError

if TYPE_CHECKING:
    from kiro_rs_py.config.reader import Inputs

_HELP = """Write, check and explain the configuration.

\b
Examples:
  kiro-rs-py config init
  kiro-rs-py config check
"""

app = typer.Typer(name="config", help=_HELP, no_args_is_help=True, rich_markup_mode=None)


@app.command("init")
def init(
    config: ConfigOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing file; the old one is kept as .bak.")
    ] = False,
) -> None:
    """Write a commented config.toml with fresh random keys.

    Nobody but you can read it.
    Without -c it goes to your user configuration directory, where every later command finds it from any folder.

    \b
    Examples:
      kiro-rs-py config init
      kiro-rs-py config init -c ./config.toml
    """
    from kiro_rs_py.config.template import fresh_key, render_template
    from kiro_rs_py.upstream.atomic import replace_file

    inputs = inputs_of(common_of(config))
    path = inputs.config or inputs.folders.user_config / "config.toml"
    if path.suffix.lower() == ".json":
        raise KiroError(f"{path}: init writes TOML, so that it can explain each key. Name a .toml file.")
    if path.exists() and not force:
        raise KiroError(f"{path} exists already. --force replaces it, with new keys, and keeps the old one as .bak.")
    try:
        replace_file(path, render_template(api_key=fresh_key(), admin_api_key=fresh_key()).encode())
    except OSError as exc:
        raise KiroError(f"{path} cannot be written: {exc.strerror}. Name another place with -c.") from exc
    print(path)
    _explain_next_step(inputs, path)


def _explain_next_step(inputs: Inputs, path: Path) -> None:
    """Tell on stderr how to go on, and when another file would be read instead of the new one."""
    from kiro_rs_py.config.files import find_config_file

    option = f" -c {path}" if inputs.config is not None else ""
    if inputs.config is None:
        with suppress(ConfigError):  # this folder cannot be looked into: nothing is read from it
            read = find_config_file(None, inputs.folders)
            if read is not None and read != path:
                print(f"note: in this folder {read} is read first; use `-c {path}`.", file=sys.stderr)
    print(f"Next: `kiro-rs-py login{option}`, then `kiro-rs-py serve{option}`.", file=sys.stderr)


@app.command("check")
def check(config: ConfigOption = None, credentials: CredentialsOption = None, as_json: JsonOption = False) -> None:
    """Check what `serve` needs; list all problems at once.

    Ends with 0 if it can serve, 3 if the configuration is wrong, 4 if the credentials file is.

    \b
    Examples:
      kiro-rs-py config check
      kiro-rs-py config check -c config.json && kiro-rs-py serve -c config.json
    """
    from kiro_rs_py.cli.checking import check_all

    found = check_all(inputs_of(common_of(config, credentials)))
    problems = [*found.config_problems, *found.credential_problems]
    if as_json:
        print_json({"ok": not problems, "problems": problems, "warnings": found.warnings})
        raise typer.Exit(found.exit_code)
    warn(found.warnings)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(found.exit_code)
    print(f"{found.place}: no problems.")


@app.command("show")
def show(config: ConfigOption = None, credentials: CredentialsOption = None, as_json: JsonOption = False) -> None:
    """Show every setting and where its value comes from.

    Secrets are masked.

    \b
    Examples:
      kiro-rs-py config show
      KIRO_RS_PORT=9000 kiro-rs-py config show --json
    """
    from kiro_rs_py.config.keys import KEYS, masked

    settings = open_settings(common_of(config, credentials))
    rows = [(name, masked(key, getattr(settings.config, name)), settings.sources[name]) for name, key in KEYS.items()]
    if as_json:
        print_json(
            {
                "config_file": str(settings.path) if settings.path else None,
                "settings": {name: {"value": value, "source": source} for name, value, source in rows},
            }
        )
        return
    print_table(("setting", "value", "source"), [(name, _plain(value), source) for name, value, source in rows])


def _plain(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case list():
            return ", ".join(map(str, value)) or "-"
        case float():
            return f"{value:g}"
        case dict():
            return json.dumps(value, ensure_ascii=False) if value else "-"
        case _:
            return str(value)


@app.command("hash-key")
def hash_key(admin: Annotated[bool, typer.Option("--admin", help="It is the admin_api_key.")] = False) -> None:
    """Print the line that holds a key's hash in its place.

    Asks for the key without showing it, or reads it from stdin. Keep the key where your clients take it from: the
    hash does not give it back.

    \b
    Examples:
      kiro-rs-py config hash-key
      pass show kiro/proxy | kiro-rs-py config hash-key
    """
    from kiro_rs_py.config.access_keys import hashed

    print(f'{"admin_api_key" if admin else "api_key"} = "{hashed(_read_key())}"')


def _read_key() -> str:
    """The key, fit for a header. What it is worth can be said only now, when it is seen: a weak one is warned of.

    :raises typer.BadParameter: there is none, or it cannot be one.
    """
    import getpass

    from kiro_rs_py.config.access_keys import is_hashed
    from kiro_rs_py.config.serving import weakness_of
    from kiro_rs_py.config.values import visible_text

    with prompting():
        text = getpass.getpass("Key (hidden): ", stream=sys.stderr) if stdin_is_terminal() else sys.stdin.readline()
    try:
        key = visible_text.check(text.strip(), Path())
    except ValueError as exc:
        raise typer.BadParameter(f"A key {exc}.", param_hint="the key") from None
    if not isinstance(key, str):
        raise typer.BadParameter("There is none.", param_hint="the key")
    if is_hashed(key):
        raise typer.BadParameter("That is a hash already.", param_hint="the key")
    if weakness := weakness_of(key):
        # A fast hash does not slow a guesser down: only a long random key is safe in a file that others may read.
        warn([f"This key is {weakness}: it can be guessed from its hash. `kiro-rs-py config init` makes better ones."])
    return key


@app.command("path")
def path(config: ConfigOption = None, credentials: CredentialsOption = None, as_json: JsonOption = False) -> None:
    """Show which configuration and credentials files are used.

    \b
    Examples:
      kiro-rs-py config path
      ls -l "$(kiro-rs-py config path --json | jq -r .credentials)"
    """
    from kiro_rs_py.config.reader import examine_config

    inputs = inputs_of(common_of(config, credentials))
    settings = examine_config(inputs).settings  # which files are used can be said whatever is wrong with them
    new = inputs.folders.user_config / "config.toml"
    files = {"config": settings.path or new, "credentials": settings.config.credentials_path}
    if as_json:
        print_json({name: str(file) for name, file in files.items()})
        return
    print_table(
        ("file", "path", "state"),
        [(name, str(file), "found" if file.exists() else "not there yet") for name, file in files.items()],
    )
