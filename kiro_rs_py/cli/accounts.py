"""``accounts``: list, enable, disable, priority, rename, remove."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption
from kiro_rs_py.cli.shared import Common

if TYPE_CHECKING:
    from kiro_rs_py.errors import NotFound
    from kiro_rs_py.upstream.pool import CredentialPool

_HELP = """List and change the stored accounts.

A running `serve` takes changes over within seconds.

\b
Examples:
  kiro-rs-py accounts list
  kiro-rs-py accounts disable 2
"""

T = TypeVar("T")

app = typer.Typer(name="accounts", help=_HELP, no_args_is_help=True, rich_markup_mode=None)

IdArgument = Annotated[int, typer.Argument(metavar="ID", help="The account's number in `accounts list`.")]
IdsArgument = Annotated[list[int], typer.Argument(metavar="ID...", help="The accounts' numbers in `accounts list`.")]


@app.command("list")
def list_accounts(
    context: typer.Context,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """List all accounts with their state.

    Reads the files only: nobody is asked, no token is refreshed and none is shown.

    \b
    Examples:
      kiro-rs-py accounts list
      kiro-rs-py accounts list --json
    """
    from kiro_rs_py.cli.account_list import show

    async def work(pool: CredentialPool) -> None:
        show(pool, as_json=as_json)

    _with_pool(Common(config, credentials).over(context), work)


@app.command("enable")
def enable(
    context: typer.Context,
    ids: IdsArgument,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Use accounts again.

    Also forgets automatic states, such as a pause or a used-up quota.

    \b
    Examples:
      kiro-rs-py accounts enable 2
      kiro-rs-py accounts enable 2 3
    """
    _switch(Common(config, credentials).over(context), ids, disabled=False)


@app.command("disable")
def disable(
    context: typer.Context,
    ids: IdsArgument,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Take accounts out of use without removing them.

    \b
    Examples:
      kiro-rs-py accounts disable 2
    """
    _switch(Common(config, credentials).over(context), ids, disabled=True)


def _switch(common: Common, ids: list[int], *, disabled: bool) -> None:
    async def work(pool: CredentialPool) -> None:
        from kiro_rs_py.cli.account_names import name_of

        for credential_id in _known(pool, ids):
            try:
                await pool.set_disabled(credential_id, disabled)
            except LookupError:
                raise _gone(credential_id) from None
            print(f"{name_of(pool.credential(credential_id))}: {'disabled' if disabled else 'enabled'}")

    _with_pool(common, work)


@app.command("priority")
def priority(
    context: typer.Context,
    credential_id: IdArgument,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=0, max=2**32 - 1, help="0 is used first.")],
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Set how early an account is used; 0 is first.

    \b
    Examples:
      kiro-rs-py accounts priority 2 10
    """
    _patch(Common(config, credentials).over(context), credential_id, "priority", number or None, f"priority {number}")


@app.command("rename")
def rename(
    context: typer.Context,
    credential_id: IdArgument,
    label: Annotated[str, typer.Argument(metavar="LABEL", help='Any text; "" takes the label away.')],
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Give an account a label of your own.

    \b
    Examples:
      kiro-rs-py accounts rename 2 work
      kiro-rs-py accounts rename 2 ""
    """
    text = label.strip()
    if len(text) > 64 or not text.isprintable():
        raise typer.BadParameter("Use at most 64 printable characters.", param_hint="LABEL")
    done = f"label {text}" if text else "label taken away"
    _patch(Common(config, credentials).over(context), credential_id, "label", text or None, done)


def _patch(common: Common, credential_id: int, member: str, value: int | str | None, done: str) -> None:
    async def work(pool: CredentialPool) -> None:
        from kiro_rs_py.cli.account_names import name_of

        _known(pool, [credential_id])
        before = name_of(pool.credential(credential_id))
        try:
            await pool.edit(lambda document: document.patch(credential_id, {member: value}))
        except LookupError:
            raise _gone(credential_id) from None
        print(f"{before}: {done}")

    _with_pool(common, work)


@app.command("remove")
def remove(
    context: typer.Context,
    ids: IdsArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Remove accounts and their tokens for good.

    The previous file is kept as .bak. The login itself stays valid at the provider until it expires there.

    \b
    Examples:
      kiro-rs-py accounts remove 2
      kiro-rs-py accounts remove 2 3 --yes
    """
    common = Common(config, credentials).over(context)
    if not yes:
        _confirm(common, ids)

    async def work(pool: CredentialPool) -> None:
        from kiro_rs_py.cli.account_names import name_of

        for credential_id in _known(pool, ids):
            name = name_of(pool.credential(credential_id))
            try:
                await pool.edit(lambda document, gone=credential_id: document.remove(gone))  # type: ignore[misc]
            except LookupError:
                raise _gone(credential_id) from None
            print(f"{name}: removed")

    _with_pool(common, work)


def _confirm(common: Common, ids: list[int]) -> None:
    """Ask the person at the terminal; without one, --yes is the answer."""
    from kiro_rs_py.cli.session import stdin_is_terminal
    from kiro_rs_py.cli.terminal import prompting

    if not (stdin_is_terminal() and sys.stderr.isatty()):
        raise typer.BadParameter("There is no terminal to ask on; add --yes.", param_hint="--yes")

    async def names(pool: CredentialPool) -> list[str]:
        from kiro_rs_py.cli.account_names import name_of

        return [name_of(pool.credential(credential_id)) for credential_id in _known(pool, ids)]

    for name in _with_pool(common, names):
        print(name, file=sys.stderr)
    with prompting():
        print("Remove for good? [y/N] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        print("Nothing was removed.", file=sys.stderr)
        raise typer.Exit(1)


def _known(pool: CredentialPool, ids: list[int]) -> list[int]:
    """The ids, each once. Raises NotFound before anything is changed if one is not there, or not in the file."""
    from kiro_rs_py.cli.session import chosen
    from kiro_rs_py.errors import NotFound

    for status in chosen(pool, ids):
        if status.in_memory_only and status.id in ids:
            raise NotFound("This account comes from the environment. Unset KIRO_API_KEY to be without it.")
    return list(dict.fromkeys(ids))


def _gone(credential_id: int) -> NotFound:
    from kiro_rs_py.errors import NotFound

    return NotFound(f"Account #{credential_id} was removed meanwhile. `kiro-rs-py accounts list` shows what is left.")


def _with_pool(common: Common, function: Callable[[CredentialPool], Awaitable[T]]) -> T:
    from kiro_rs_py.cli.session import account_config, open_offline_pool, run_command

    settings = account_config(common)

    async def work() -> T:
        async with open_offline_pool(settings) as pool:
            return await function(pool)

    return run_command(work)
