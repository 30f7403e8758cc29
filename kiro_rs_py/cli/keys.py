"""``keys``: list, create, enable, disable, revoke client keys."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption
from kiro_rs_py.cli.shared import Common, account_config, common_of
from kiro_rs_py.cli.terminal import print_json, print_table
from kiro_rs_py.cli.wording import describe_day, describe_expiry, parse_duration, printable
from kiro_rs_py.errors import KiroError, NotFound

if TYPE_CHECKING:
    from kiro_rs_py.serve.client_keys import ClientKey
    from kiro_rs_py.serve.key_file import KeyFile

_HELP = """Give each client a key of its own, beside the api_key.

Only hashes are stored. A running `serve` takes changes over within seconds.

\b
Examples:
  kiro-rs-py keys create laptop
  kiro-rs-py keys list
  kiro-rs-py keys revoke key_1a2b3c4d
"""

app = typer.Typer(name="keys", help=_HELP, no_args_is_help=True, rich_markup_mode=None)

COLUMNS = ("id", "key", "name", "state", "expires", "last used", "requests", "models")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The key's id in `keys list`.")]


@app.command("list")
def list_keys(as_json: JsonOption = False, config: ConfigOption = None, credentials: CredentialsOption = None) -> None:
    """List the created keys; api_key is not among them.

    A running server writes down once a minute how often they were used.

    \b
    Examples:
      kiro-rs-py keys list
      kiro-rs-py keys list --json
    """
    from kiro_rs_py.serve.client_keys import utc_now

    keys = sorted(_open(common_of(config, credentials)).load(), key=lambda key: key.created_at)
    now = utc_now()
    if as_json:
        from kiro_rs_py.serve.client_keys import entry_of

        print_json([entry_of(key, now) for key in keys])
    elif keys:
        print_table(COLUMNS, [row(key, now) for key in keys])
    else:
        print("No key was created yet. `kiro-rs-py keys create NAME` makes one.", file=sys.stderr)


def row(key: ClientKey, now: datetime) -> tuple[str, ...]:
    """The cells of one key."""
    return (
        key.id,
        f"{printable(key.prefix)}…",
        printable(key.name),
        key.state_at(now),
        describe_expiry(key.expires_at, now),
        describe_day(key.last_used_at),
        str(key.requests),
        ", ".join(map(printable, key.models)) if key.models else "all",
    )


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what uses it.")],
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="SPAN", help="Valid for so long, such as 30d.", show_default=False),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="MODEL", help="Good for this model only; may be repeated.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Create a key and print it, this once.

    \b
    Examples:
      kiro-rs-py keys create laptop
      kiro-rs-py keys create guest --expires 30d --model claude-sonnet-4-5
    """
    from kiro_rs_py.serve.client_keys import LONGEST_NAME, MOST_KEYS, is_key_name, new_client_key, utc_now

    if not is_key_name(name := name.strip()):
        raise typer.BadParameter(f"Use 1 to {LONGEST_NAME} printable characters.", param_hint="NAME")
    now = utc_now()
    span = _span(expires)
    expires_at = None if span is None else (now + span).replace(microsecond=0)
    key, secret = new_client_key(name, now, expires_at=expires_at, models=_checked(models))

    def add(keys: dict[str, ClientKey]) -> None:
        if len(keys) >= MOST_KEYS:
            raise KiroError(f"There are {MOST_KEYS} keys, which is the most. Revoke one first.")
        keys[key.id] = key

    _open(common_of(config, credentials)).update(add)
    if as_json:
        from kiro_rs_py.serve.client_keys import entry_of

        print_json({"key": entry_of(key, utc_now()), "secret": secret})
        return
    # The key itself is alone on stdout, so that it can be piped.
    print(f"{key.id} ({printable(key.name)}) is shown this once:", file=sys.stderr)
    print(secret)


@app.command("enable")
def enable(key_id: IdArgument, config: ConfigOption = None, credentials: CredentialsOption = None) -> None:
    """Let a disabled key in again.

    \b
    Examples:
      kiro-rs-py keys enable key_1a2b3c4d
    """
    _switch(common_of(config, credentials), key_id, enabled=True)


@app.command("disable")
def disable(key_id: IdArgument, config: ConfigOption = None, credentials: CredentialsOption = None) -> None:
    """Shut a key out until it is enabled again.

    \b
    Examples:
      kiro-rs-py keys disable key_1a2b3c4d
    """
    _switch(common_of(config, credentials), key_id, enabled=False)


@app.command("revoke")
def revoke(key_id: IdArgument, config: ConfigOption = None, credentials: CredentialsOption = None) -> None:
    """Delete a key for good; the others stay valid.

    \b
    Examples:
      kiro-rs-py keys revoke key_1a2b3c4d
    """

    def remove(keys: dict[str, ClientKey]) -> None:
        if keys.pop(key_id, None) is None:
            raise _unknown()

    _open(common_of(config, credentials)).update(remove)
    print(f"{key_id}: revoked")


def _switch(common: Common, key_id: str, *, enabled: bool) -> None:
    def change(keys: dict[str, ClientKey]) -> None:
        if key_id not in keys:
            raise _unknown()
        keys[key_id] = replace(keys[key_id], enabled=enabled)

    _open(common).update(change)
    print(f"{key_id}: {'enabled' if enabled else 'disabled'}")


def _unknown() -> NotFound:
    return NotFound("There is no key of that id. `kiro-rs-py keys list` shows them.")


def _span(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        span = parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--expires") from exc
    if not span:
        raise typer.BadParameter("It would be over at once.", param_hint="--expires")
    return span


def _checked(models: list[str] | None) -> list[str] | None:
    """The names that were given, None if none was."""
    from kiro_rs_py.serve.client_keys import MOST_MODELS, is_model_name

    if not models:
        return None
    if len(models) > MOST_MODELS or not all(map(is_model_name, models)):
        raise typer.BadParameter(f"Give at most {MOST_MODELS} names of models.", param_hint="--model")
    return list(dict.fromkeys(models))


def _open(common: Common) -> KeyFile:
    from kiro_rs_py.serve.key_file import KeyFile

    return KeyFile.beside(account_config(common).credentials_path)
