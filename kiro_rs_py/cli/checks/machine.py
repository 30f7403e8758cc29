"""This machine: who holds the locks on the credentials, who listens at our address, and is the clock right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import trio

from kiro_rs_py import __version__
from kiro_rs_py.cli.checks.findings import Finding, finding_of
from kiro_rs_py.cli.neighbour import find_neighbour
from kiro_rs_py.cli.wording import describe_span, name_of
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import is_hashed
from kiro_rs_py.errors import BindError
from kiro_rs_py.serve.listener import ServerAddress, bind, bind_admin
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.locks import LOOK_SECONDS, LockState, look_at_lock
from kiro_rs_py.upstream.store import CredentialStore

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Half of the margin that tokens are refreshed ahead of their end."""


# --- locks ----------------------------------------------------------------------------------------------------------


def check_locks(config: Config, accounts: Sequence[Credential], *, seconds: float = LOOK_SECONDS) -> list[Finding]:
    """Waits up to ``seconds`` for each lock that is held."""
    store = CredentialStore(config.credentials_path)
    found = [_lock_finding(look_at_lock(store.lock_path(), seconds=seconds), f"{config.credentials_path}")]
    for account in accounts:
        if not account.in_memory_only:
            state = look_at_lock(store.lock_path(account.id), seconds=seconds)
            found.append(_lock_finding(state, f"The refresh of account {name_of(account)}", account))
    found = [finding for finding in found if finding.level != "ok"]
    return found or [Finding("ok", "locks", "Nobody holds a lock for long.")]


def _lock_finding(state: LockState, what: str, account: Credential | None = None) -> Finding:
    if state.held:
        fix = "End that process" + (f": `kill {state.pid}`" if state.pid else "") + ", or wait if it is busy."
        return Finding("error", "locks", f"{what} is locked by {state}.", fix)
    if state.left_over and account is not None:
        message = f"{what} was interrupted half way: its newest token may be lost."
        fix = f"`kiro-rs-py refresh --id {account.id}`; if that is refused, `kiro-rs-py login`."
        return Finding("warning", "locks", message, fix)
    return Finding("ok", "locks", what)


# --- the address ----------------------------------------------------------------------------------------------------


async def check_port(config: Config) -> Finding:
    """Listens for a moment to find out."""
    try:
        bound = bind(config.host, config.port)
    except BindError as error:
        return await _taken(config, error)
    bound.close()
    where = f"{config.host}:{bound.address.port}" if config.port else f"a free port of {config.host}"
    return Finding("ok", "port", f"Nobody listens on {where} yet.")


async def check_admin_address(config: Config) -> list[Finding]:
    """The administration's own address, if it has one. Listens for a moment, too."""
    if config.admin_listen is None:
        return []
    try:
        bind_admin(config.admin_listen).close()
    except BindError as error:
        host = urlsplit(ServerAddress(config.host, config.port).url).hostname or ""
        neighbour = await trio.to_thread.run_sync(find_neighbour, host, config.port)
        if neighbour is not None and neighbour.is_ours:
            return [Finding("ok", "port", f"{config.admin_listen} is taken, as it should be while the proxy runs.")]
        return [finding_of("error", "port", str(error), "Choose another in admin_listen.")]
    return [Finding("ok", "port", f"Nobody listens on {config.admin_listen} yet.")]


async def _taken(config: Config, error: BindError) -> Finding:
    url = ServerAddress(config.host, config.port).url
    host = urlsplit(url).hostname or ""
    hashed = is_hashed(config.api_key)
    key = "" if hashed else config.api_key
    neighbour = await trio.to_thread.run_sync(find_neighbour, host, config.port, key)
    if neighbour is None or not neighbour.is_ours:
        return finding_of("error", "port", str(error), "Choose another port with --port.")
    who = f"kiro-rs-py {neighbour.version} runs on {url}"
    if not neighbour.takes_key and not hashed:
        fix = "Stop it, or give it and this configuration the same api_key, or choose another port."
        return Finding("error", "port", f"{who}, but with another api_key.", fix)
    if neighbour.version != __version__:
        return Finding("note", "port", f"{who}; this is {__version__}.", "Restart it to use this version.")
    if hashed:
        return Finding("ok", "port", f"{who}. Of the api_key only the hash is known, so it was not tried.")
    return Finding("ok", "port", f"{who} and takes the api_key.")


# --- the clock ------------------------------------------------------------------------------------------------------


def check_clock(now: datetime, skews: Sequence[float], files: Sequence[Path]) -> Finding:
    """``skews`` are what reached hosts told, in seconds ahead; without any, a file from the future tells too.

    Expiry times mean nothing on a wrong clock.
    """
    fix = "Set the clock: `timedatectl set-ntp true`, or your system's settings."
    if skews:
        skew = timedelta(seconds=sorted(skews)[len(skews) // 2])
        if abs(skew) >= CLOCK_TOLERANCE:
            where = "ahead" if skew > timedelta(0) else "behind"
            return Finding("error", "clock", f"This computer's clock is {describe_span(abs(skew))} {where}.", fix)
        return Finding("ok", "clock", "This computer's clock agrees with Kiro's.")
    for path in files:
        try:
            changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError:
            continue
        if changed - now >= CLOCK_TOLERANCE:
            message = f"{path} was changed {describe_span(changed - now)} from now: this computer's clock is behind."
            return Finding("error", "clock", message, fix)
    message = "No host told the time; the clock was compared with the files only."
    return Finding("note", "clock", message, "Run it again when Kiro's hosts can be reached.")
