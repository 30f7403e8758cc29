"""Asking for balances, and showing them: bars on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import trio

from kiro_rs_py.cli.session import Session, chosen, for_each
from kiro_rs_py.cli.terminal import is_fancy, print_json
from kiro_rs_py.cli.wording import describe_day, name_of, printable, with_login_remedy
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import KiroError, NotFound, RefreshRejected
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.enrolment import ask_usage
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus
from kiro_rs_py.upstream.usage import Usage

if TYPE_CHECKING:
    from rich.console import RenderableType

BAR_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Balance:
    """One account: its usage, or the sentence why there is none."""

    credential: Credential
    usage: Usage | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Balances:
    """All that were asked, in the order of the file, and how many disabled ones were not."""

    items: tuple[Balance, ...]
    asked_at: datetime
    disabled: int = 0

    @property
    def failed(self) -> bool:
        return any(item.usage is None for item in self.items)


async def ask_balances(session: Session, pool: CredentialPool, ids: tuple[int, ...]) -> Balances:
    """Ask for the accounts of ``ids``, or for all that are neither disabled nor known to be locked by the provider.

    Raises NotFound for an unknown id, CredentialFileError when there is no account.
    """
    statuses = chosen(pool, ids)
    wanted = [status for status in statuses if ids or status.state != "disabled"]

    async def one(status: CredentialStatus) -> Balance:
        if status.state == "suspended" and not ids:
            return Balance(pool.credential(status.id), failure=status.cause)
        return await _ask(session, pool, status.id)

    items = await for_each(wanted, one)
    return Balances(tuple(items), datetime.now(UTC), len(statuses) - len(wanted))


async def _ask(session: Session, pool: CredentialPool, credential_id: int) -> Balance:
    before = pool.credential(credential_id)
    try:
        usage = await ask_usage(session.http, session.config, session.endpoints, pool, session.state, credential_id)
        return Balance(pool.credential(credential_id), usage)
    except RefreshRejected as error:
        return Balance(before, failure=with_login_remedy(str(error)))
    except KiroError as error:
        with suppress(NotFound):  # removed meanwhile
            pool.note_refusal(credential_id, error)
        return Balance(before, failure=str(error))


async def repeat(look: Callable[[], Awaitable[Balances]], show: Callable[[Balances], None], seconds: float) -> NoReturn:
    """Look and show, ``seconds`` apart, until cancelled."""
    while True:
        show(await look())
        await trio.sleep(seconds)


# --- showing --------------------------------------------------------------------------------------------------------


def show(found: Balances, *, as_json: bool, again: bool = False) -> None:
    """Print everything. ``again``: one look of several, so clear the terminal, and keep JSON on one line."""
    if as_json and again:
        print(json.dumps(to_json(found), ensure_ascii=False))
    elif as_json:
        print_json(to_json(found))
    elif is_fancy():
        _draw(found, again=again)
    else:
        if again:
            print(f"{found.asked_at:%Y-%m-%dT%H:%M:%SZ}")
        for line in plain_lines(found):
            print(line)
    for item in found.items:
        if item.usage is None:
            print(f"error: {name_of(item.credential)}: {item.failure}", file=sys.stderr)
    sys.stdout.flush()


def to_json(found: Balances) -> JsonObject:
    """Balances in kiro-rs's words (operations §5.7), failures by their sentence, and the sum."""
    accounts: list[Json] = []
    for item in found.items:
        if item.usage is None:
            accounts.append({"id": item.credential.id, "email": item.credential.email, "error": item.failure})
        else:
            accounts.append(item.usage.to_json(item.credential.id, email=item.credential.email))
    total = _Total(found)
    return {
        "accounts": accounts,
        "total": {"currentUsage": total.used, "usageLimit": total.limit, "remaining": total.remaining},
    }


def plain_lines(found: Balances) -> list[str]:
    """A line for each account, one for each of its parts if there are several, and one for the sum."""
    lines: list[str] = []
    for item in found.items:
        if item.usage is not None:
            lines.append(f"{name_of(item.credential)}: {_plan(item.usage)}, {_sentence(item.usage)}")
            lines += [f"    {part}" for part in _parts(item.usage)]
    lines += _last_lines(found)
    return lines


class _Total:
    """The sum over all accounts that answered."""

    def __init__(self, found: Balances) -> None:
        usages = [item.usage for item in found.items if item.usage is not None]
        self.count = len(usages)
        self.used = sum(usage.used for usage in usages)
        self.limit = sum(usage.limit for usage in usages)
        # Not the difference of the two: one account's overdraft is no other's loss.
        self.remaining = sum(usage.remaining for usage in usages)


def _last_lines(found: Balances) -> list[str]:
    total = _Total(found)
    lines = []
    if total.count > 1:
        left = _credits(total.remaining)
        lines.append(f"total: {_credits(total.used)} of {_credits(total.limit)} credits used, {left} left")
    if found.disabled:
        lines.append(f"{found.disabled} disabled account{'s' if found.disabled > 1 else ''} left out")
    return lines


def _plan(usage: Usage) -> str:
    return printable(usage.subscription_title or "unknown plan")


def _sentence(usage: Usage) -> str:
    used, limit, left = _credits(usage.used), _credits(usage.limit), _credits(usage.remaining)
    return f"{used} of {limit} credits used, {left} left, resets {describe_day(usage.resets_at)}"


def _parts(usage: Usage) -> list[str]:
    """What the sum is made of, if of more than the plan; and overage, which is not in it."""
    lines = []
    if len(usage.parts) > 1:
        for part in usage.parts:
            until = f", until {describe_day(part.expires_at)}" if part.expires_at else ""
            lines.append(f"{printable(part.name)}: {_credits(part.used)} of {_credits(part.limit)}{until}")
    if usage.overage is not None:
        over = usage.overage
        lines.append(
            f"overage: {_credits(over.used)} of {_credits(over.cap)}, {over.charges:.2f} {printable(over.currency)}"
        )
    return lines


def _credits(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def _draw(found: Balances, *, again: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False)
    if again:
        console.clear()
    table = Table("account", "plan", "", "used", "left", "resets", box=None, header_style="bold", pad_edge=False)
    for item in found.items:
        if item.usage is not None:
            table.add_row(*_cells(item, item.usage))
    if table.row_count:
        console.print(table)
    for line in _last_lines(found):
        console.print(line)
    if again:
        console.print(f"{found.asked_at:%H:%M:%S} UTC. Ctrl-C ends.", style="dim")


def _cells(item: Balance, usage: Usage) -> list[RenderableType]:
    from rich.progress_bar import ProgressBar

    colour = "green" if usage.percentage < 75 else "yellow" if usage.percentage < 95 else "red"
    bar = ProgressBar(
        total=100, completed=usage.percentage, width=BAR_WIDTH, complete_style=colour, finished_style=colour
    )
    used = f"{_credits(usage.used)} / {_credits(usage.limit)}"
    name = "\n".join([name_of(item.credential), *(f"  {part}" for part in _parts(usage))])
    return [name, _plan(usage), bar, used, _credits(usage.remaining), describe_day(usage.resets_at)]
