"""``accounts``: list, enable, disable, priority, rename, remove."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption
from kiro_rs_py.cli.shared import Common, account_config, common_of
from kiro_rs_py.cli.terminal import print_json, print_table, prompting, stdin_is_terminal
from kiro_rs_py.cli.wording import describe_expiry, describe_span, login_of, name_of, printable
from kiro_rs_py.errors import NotFound

if TYPE_CHECKING:
    from kiro_rs_py.convert.anthropic import JsonObject
    from kiro_rs_py.upstream.credential import Credential
    from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus

_HELP = """List and change the stored accounts.

A running `serve` takes changes over within seconds.

\b
Examples:
  kiro-rs-py accounts list
  kiro-rs-py accounts disable 2
"""

COLUMNS = ("id", "account", "login", "plan", "state", "expires", "priority")

T = TypeVar("T")

app = typer.Typer(name="accounts", help=_HELP, no_args_is_help=True, rich_markup_mode=None)

IdArgument = Annotated[int, typer.Argument(metavar="ID", help="The account's number in `accounts list`.")]
IdsArgument = Annotated[list[int], typer.Argument(metavar="ID...", help="The accounts' numbers in `accounts list`.")]


@app.command("list")
def list_accounts(
    as_json: JsonOption = False, config: ConfigOption = None, credentials: CredentialsOption = None
) -> None:
    """List all accounts with their state.

    Reads the files only: nobody is asked, no token is refreshed and none is shown.

    \b
    Examples:
      kiro-rs-py accounts list
      kiro-rs-py accounts list --json
    """

    async def snapshot(pool: CredentialPool) -> list[tuple[CredentialStatus, Credential]]:
        return [(status, pool.credential(status.id)) for status in pool.snapshot()]

    accounts = _with_pool(common_of(config, credentials), snapshot)
    now = datetime.now(UTC)
    if as_json:
        print_json([to_json(status, credential) for status, credential in accounts])
        return
    if not accounts:
        print("There is no account yet. `kiro-rs-py login` adds one, `kiro-rs-py import-token` too.", file=sys.stderr)
        return
    print_table(COLUMNS, [row(status, credential, now) for status, credential in accounts])
    for status, _ in accounts:
        if status.cause and status.state != "active":
            print(f"{name_of(status)}: {status.cause}", file=sys.stderr)


def row(status: CredentialStatus, credential: Credential, now: datetime) -> tuple[str, ...]:
    """The cells of one account."""
    names = [status.label, status.email]
    state: str = status.state
    if status.until is not None and status.state != "active":
        state += f" for {describe_span(status.until - now)}"
    return (
        "-" if status.in_memory_only else str(status.id),
        " ".join(printable(name) for name in names if name) or "-",
        login_of(credential),
        printable(status.subscription_title or "-"),
        state,
        describe_expiry(status.expires_at, now) if status.auth_method != "api_key" else "-",
        str(status.priority),
    )


def to_json(status: CredentialStatus, credential: Credential) -> JsonObject:
    """All but the secrets, in the words of the credentials file."""
    from kiro_rs_py.upstream.credential import format_time

    def time(moment: datetime | None) -> str | None:
        return format_time(moment) if moment else None

    return {
        "id": status.id,
        "label": status.label,
        "email": status.email,
        "authMethod": status.auth_method,
        "provider": credential.provider,
        "startUrl": credential.start_url,
        "region": credential.auth_region or credential.region,
        "subscriptionTitle": status.subscription_title,
        "priority": status.priority,
        "state": status.state,
        "cause": status.cause or None,
        "since": time(status.since),
        "until": time(status.until),
        "expiresAt": time(status.expires_at),
        "clientSecretExpiresAt": time(credential.client_secret_expires_at),
        "successCount": status.success_count,
        "failureCount": status.failure_count,
        "lastUsedAt": time(status.last_used_at),
    }


@app.command("enable")
def enable(ids: IdsArgument, config: ConfigOption = None, credentials: CredentialsOption = None) -> None:
    """Use accounts again.

    Also forgets automatic states, such as a pause or a used-up quota.

    \b
    Examples:
      kiro-rs-py accounts enable 2
      kiro-rs-py accounts enable 2 3
    """
    _change(common_of(config, credentials), ids, lambda pool, number: pool.set_disabled(number, False), "enabled")


@app.command("disable")
def disable(ids: IdsArgument, config: ConfigOption = None, credentials: CredentialsOption = None) -> None:
    """Take accounts out of use without removing them.

    \b
    Examples:
      kiro-rs-py accounts disable 2
    """
    _change(common_of(config, credentials), ids, lambda pool, number: pool.set_disabled(number, True), "disabled")


@app.command("priority")
def priority(
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
    _patch(common_of(config, credentials), credential_id, {"priority": number or None}, f"priority {number}")


@app.command("rename")
def rename(
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
    _patch(common_of(config, credentials), credential_id, {"label": text or None}, done)


def _patch(common: Common, credential_id: int, members: JsonObject, done: str) -> None:
    def patch(pool: CredentialPool, number: int) -> Awaitable[object]:
        return pool.edit(lambda document: document.patch(number, members))

    _change(common, [credential_id], patch, done)


@app.command("remove")
def remove(
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
    common = common_of(config, credentials)
    if not yes:
        _confirm(common, ids)

    _change(common, ids, lambda pool, number: pool.edit(lambda document: document.remove(number)), "removed")


def _confirm(common: Common, ids: list[int]) -> None:
    """Ask the person at the terminal; without one, --yes is the answer."""
    if not (stdin_is_terminal() and sys.stderr.isatty()):
        raise typer.BadParameter("There is no terminal to ask on; add --yes.", param_hint="--yes")

    async def names(pool: CredentialPool) -> list[str]:
        return [name_of(pool.credential(credential_id)) for credential_id in _known(pool, ids)]

    for name in _with_pool(common, names):
        print(name, file=sys.stderr)
    with prompting():
        print("Remove for good? [y/N] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        print("Nothing was removed.", file=sys.stderr)
        raise typer.Exit(1)


def _change(
    common: Common, ids: list[int], change: Callable[[CredentialPool, int], Awaitable[object]], done: str
) -> None:
    """Change each account and say so."""

    async def work(pool: CredentialPool) -> None:
        for number in _known(pool, ids):
            name = name_of(pool.credential(number))
            try:
                await change(pool, number)
            except LookupError:
                raise NotFound(
                    f"Account #{number} was removed meanwhile. `kiro-rs-py accounts list` shows what is left."
                ) from None
            print(f"{name}: {done}")

    _with_pool(common, work)


def _known(pool: CredentialPool, ids: list[int]) -> list[int]:
    """The ids, each once. Raises NotFound before anything is changed if one is not there, or not in the file."""
    from kiro_rs_py.cli.session import chosen

    for status in chosen(pool, ids):
        if status.in_memory_only and status.id in ids:
            raise NotFound("This account comes from the environment. Unset KIRO_API_KEY to be without it.")
    return list(dict.fromkeys(ids))


def _with_pool(common: Common, function: Callable[[CredentialPool], Awaitable[T]]) -> T:
    from kiro_rs_py.cli.session import open_offline_pool, run_command

    settings = account_config(common)

    async def work() -> T:
        async with open_offline_pool(settings) as pool:
            return await function(pool)

    return run_command(work)
