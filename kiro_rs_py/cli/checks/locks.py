"""The locks on the credentials: does somebody hold one who should have let go."""

from __future__ import annotations

from collections.abc import Sequence

from kiro_rs_py.cli.account_names import name_of
from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.config import Config
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.locks import LOOK_SECONDS, LockState, look_at_lock
from kiro_rs_py.upstream.store import CredentialStore

TOPIC = "locks"


def check_locks(config: Config, accounts: Sequence[Credential], *, seconds: float = LOOK_SECONDS) -> list[Finding]:
    """Waits up to ``seconds`` for each lock that is held."""
    store = CredentialStore(config.credentials_path)
    found = [_finding(look_at_lock(store.lock_path(), seconds=seconds), f"{config.credentials_path}")]
    for account in accounts:
        if not account.in_memory_only:
            state = look_at_lock(store.lock_path(account.id), seconds=seconds)
            found.append(_finding(state, f"The refresh of account {name_of(account)}", account))
    found = [finding for finding in found if finding.level != "ok"]
    return found or [Finding("ok", TOPIC, "Nobody holds a lock for long.")]


def _finding(state: LockState, what: str, account: Credential | None = None) -> Finding:
    if state.held:
        fix = "End that process" + (f": `kill {state.pid}`" if state.pid else "") + ", or wait if it is busy."
        return Finding("error", TOPIC, f"{what} is locked by {state}.", fix)
    if state.left_over and account is not None:
        message = f"{what} was interrupted half way: its newest token may be lost."
        fix = f"`kiro-rs-py refresh --id {account.id}`; if that is refused, `kiro-rs-py login`."
        return Finding("warning", TOPIC, message, fix)
    return Finding("ok", TOPIC, what)
