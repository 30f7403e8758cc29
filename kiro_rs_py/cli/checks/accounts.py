"""The credentials file and each account in it, as far as the files tell; nobody is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kiro_rs_py.cli.checks.findings import Finding, finding_of
from kiro_rs_py.cli.shared import environment_accounts
from kiro_rs_py.cli.wording import describe_span, name_of
from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError, CredentialFileError
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.proxy import effective_proxy
from kiro_rs_py.upstream.state import SavedStanding, StateStore
from kiro_rs_py.upstream.store import CredentialStore

TOPIC = "accounts"
SOON = timedelta(days=7)
_LOGIN = "Log in again with `kiro-rs-py login`."
_SUPPORT = "Ask the provider's support; when it is open again, `kiro-rs-py accounts enable {}`."
_ENOUGH_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Accounts:
    """``all`` usable entries, those from the environment included."""

    findings: list[Finding]
    all: list[Credential]


def check_accounts(config: Config, environ: Mapping[str, str], now: datetime) -> Accounts:
    path = config.credentials_path
    found = [*_file_findings(path)]
    accounts: list[Credential] = []
    try:
        accounts += environment_accounts(environ)
    except ConfigError as error:
        found += [finding_of("error", TOPIC, problem) for problem in error.problems]
    try:
        stored = CredentialStore(path).peek()
    except CredentialFileError as error:
        found.append(finding_of("error", "credentials", str(error), "Correct the file."))
        return Accounts(found, accounts)
    accounts += stored.credentials
    for problem in stored.problems:
        fix = f"Correct {path}; until then this account is left out."
        found.append(Finding("error", "credentials", f"{path}, {problem}.", fix))
    if not accounts:
        found.append(Finding("error", TOPIC, "There is no account.", "`kiro-rs-py login` adds one."))
    standings = {number: record.standing for number, record in StateStore.beside(path).load().accounts.items()}
    for account in accounts:
        found.append(_account(account, standings.get(account.id), config, now))
    return Accounts(found, accounts)


# --- the file -------------------------------------------------------------------------------------------------------


def _file_findings(path: Path) -> list[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError:
        return []  # whoever reads it says why
    found: list[Finding] = []
    target = Path(os.path.realpath(path))
    if os.name != "nt" and stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"{path} holds tokens and other users can read or change it ({stat.filemode(mode)})."
        found.append(Finding("error", "permissions", message, f"`chmod 600 {path}`"))
    if not os.access(target, os.W_OK):
        message = f"{path} cannot be written, so renewed tokens would be lost."
        fix = f"Give it and its folder to the user who runs this program: `chown` and `chmod u+rw {target}`."
        found.append(Finding("error", "permissions", message, fix))
    elif not os.access(target.parent, os.W_OK):
        message = f"The folder of {path} cannot be written, so the file can only be rewritten in place."
        fix = f"Give it to the user who runs this program: `chown` and `chmod u+rwx {target.parent}`."
        found.append(Finding("warning", "permissions", message, fix))
    elif _is_mount_point(target):
        message = f"{path} is mounted as a single file, so it can only be rewritten in place."
        found.append(Finding("warning", "credentials", message, "Mount its folder instead."))
    free = os.statvfs(target.parent) if hasattr(os, "statvfs") else None
    if free is not None and free.f_bavail * free.f_frsize < _ENOUGH_BYTES:
        message = f"The disk with {path} is full, so renewed tokens would be lost."
        found.append(Finding("error", "credentials", message, "Free some space."))
    return found or [Finding("ok", "credentials", f"{path} is private and can be written.")]


def _is_mount_point(path: Path) -> bool:
    """Also for files, and also on one file system: a container's bind mount."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return False
    return any(len(words := line.split()) > 4 and words[4] == str(path) for line in lines)


# --- one account ----------------------------------------------------------------------------------------------------


def _account(account: Credential, saved: SavedStanding | None, config: Config, now: datetime) -> Finding:
    """The gravest thing there is to say about it."""
    name = f"Account {name_of(account)}"
    if account.disabled:
        return Finding("note", TOPIC, f"{name} is disabled.", f"`kiro-rs-py accounts enable {account.id}`")
    problem = account.problem()
    if problem is not None:
        return finding_of("error", TOPIC, f"{name}: {problem}", _LOGIN)
    try:
        effective_proxy(config, account)
    except ConfigError as error:
        return finding_of("error", "proxy", f"{name}: {error}", "Correct its proxyUrl.")
    standing = saved if saved is not None and saved.fingerprint == account.fingerprint else None
    if standing is not None and standing.state not in ("cooling", "exhausted"):
        fix = _SUPPORT.format(account.id) if standing.state == "suspended" else _LOGIN
        return finding_of("error", TOPIC, f"{name}: {standing.cause}", fix)
    ends = account.client_secret_expires_at
    if ends is not None and ends <= now:
        message = f"{name}: its client registration expired on {ends:%Y-%m-%d}, so its token cannot be refreshed."
        return Finding("error", TOPIC, message, _LOGIN)
    if ends is not None and ends - now <= SOON:
        message = f"{name}: its client registration ends in {describe_span(ends - now)}."
        return Finding("warning", TOPIC, message, _LOGIN)
    if standing is not None and (standing.until is None or standing.until > now):
        until = "" if standing.until is None else f" It is asked again on {standing.until:%Y-%m-%d %H:%M} UTC."
        fix = "Wait, or add another account: `kiro-rs-py login`."
        return Finding("warning", TOPIC, f"{name}: {standing.cause}{until}", fix)
    return Finding("ok", TOPIC, f"{name}: {_token(account, now)}")


def _token(account: Credential, now: datetime) -> str:
    if account.auth_method == "api_key":
        return "an API key, which does not expire."
    if account.expires_at is not None and account.is_valid(now):
        return f"its token is good for {describe_span(account.expires_at - now)}."
    return "its token is over; the next request renews it."
