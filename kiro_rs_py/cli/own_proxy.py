"""What ``run`` does: finds or starts a proxy, runs the client, lets the proxy drain."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio
import typer

from kiro_rs_py.cli.child import Child, with_signals
from kiro_rs_py.cli.claude_code import child_environment, find_settings, overruling
from kiro_rs_py.cli.outcome import warn
from kiro_rs_py.cli.serving import put_request_ids_into_the_log
from kiro_rs_py.cli.shared import Common, environment_accounts, is_log_level_named, open_settings, start_logging
from kiro_rs_py.cli.terminal import tell
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import is_hashed
from kiro_rs_py.config.template import fresh_key
from kiro_rs_py.errors import CredentialFileError, KiroError
from kiro_rs_py.serve.listener import ServerAddress
from kiro_rs_py.upstream.credential import Credential

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""What shells answer."""


def find_program(name: str) -> str:
    """The file that ``name`` stands for. Raises typer.Exit with a shell's exit code after telling why there is none."""
    found = shutil.which(name)
    if found is not None:
        return found
    if Path(name).is_file():
        tell(f"error: {name} is not executable.")
        tell(f"hint: `chmod +x {name}` makes it so.")
        raise typer.Exit(NOT_EXECUTABLE)
    tell(f"error: {name}: there is no such command.")
    tell(
        "hint: Claude Code is installed with `npm install -g @anthropic-ai/claude-code`."
        if name == "claude"
        else "hint: Install it, or give the path of its file."
    )
    raise typer.Exit(NOT_FOUND)


def run_client(command: Sequence[str], common: Common, *, cc: bool, demo: bool, log_file: Path | None) -> int:
    """Run ``command`` with a proxy behind it; its exit code.

    Raises ConfigError, CredentialFileError when the proxy would have no account, KiroError for a log file that cannot
    be written.
    """
    _warn_of_settings(command[0])
    if demo:
        start_logging(common)
    proxy = open_demo_proxy() if demo else _account_proxy(common)
    _set_log(common, log_file)
    child = Child(command)

    async def work() -> None:
        async with proxy as place:
            url = f"{place.url}/cc" if cc else place.url
            try:
                await child.run(child_environment(os.environ, url, place.key))
            except OSError as error:
                tell(f"error: {command[0]} cannot be run: {error.strerror}.")
                child.code = NOT_EXECUTABLE

    return trio.run(with_signals, child, work)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxy is, and the key it takes."""

    url: str
    key: str = field(repr=False)


@asynccontextmanager
async def open_demo_proxy() -> AsyncIterator[Place]:
    """:func:`open_proxy` with a simulated Kiro behind it."""
    from kiro_rs_py.cli.demo import open_demo

    async with open_demo("127.0.0.1", 0) as config, open_proxy(config) as place:
        yield place


def _account_proxy(common: Common) -> AbstractAsyncContextManager[Place]:
    """The proxy that runs already, or one for the length of the block."""
    from kiro_rs_py.cli.neighbour import find_neighbour
    from kiro_rs_py.upstream.store import CredentialStore

    config = open_settings(common).config
    running = Place(ServerAddress(config.host, config.port).url, config.api_key)
    host = urlsplit(running.url).hostname or ""
    # Of a hashed key nobody knows what to send: neither to the proxy that runs nor to one of our own.
    key = "" if is_hashed(config.api_key) else config.api_key
    neighbour = find_neighbour(host, config.port, key) if key and config.port else None
    if neighbour is not None and neighbour.takes_key:
        return nullcontext(running)
    accounts = environment_accounts(os.environ)
    if not accounts and not CredentialStore(config.credentials_path).load().credentials:
        raise CredentialFileError("There is no account. `kiro-rs-py login` adds one; --demo needs none.")
    key = key or fresh_key()
    # For one client on this machine: an administration nobody knows the port of would help nobody.
    own = replace(config, host="127.0.0.1", port=0, api_key=key, admin_api_key="", admin_listen=None)
    return open_proxy(own, accounts)


@asynccontextmanager
async def open_proxy(config: Config, extra_credentials: Sequence[Credential] = ()) -> AsyncIterator[Place]:
    """A proxy for the length of the block; requests under way at its end get the usual grace.

    Raises what :func:`~kiro_rs_py.serve.run.serve` does.
    """
    from kiro_rs_py.serve.run import serve

    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        start = partial(serve, config, stop=stop, handle_signals=False, extra_credentials=extra_credentials)
        address: ServerAddress = await nursery.start(start)
        try:
            yield Place(address.url, config.api_key)
        finally:
            stop.set()


def _set_log(common: Common, log_file: Path | None) -> None:
    """Into the file, or nothing but errors: the terminal is the client's."""
    put_request_ids_into_the_log()
    if log_file is not None:
        try:
            descriptor = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise KiroError(f"{log_file} cannot be written: {error.strerror}. Name another file.") from error
        stream = os.fdopen(descriptor, "a", encoding="utf-8")
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(stream)
    elif not is_log_level_named(common):
        logging.getLogger().setLevel(logging.ERROR)


def _warn_of_settings(program: str) -> None:
    """Claude Code's own settings win over what it is given."""
    if not Path(program).name.startswith("claude"):
        return
    for settings in find_settings(os.environ, Path.home(), Path.cwd()):
        if names := overruling(settings):
            warn([f"{settings.path} sets {', '.join(names)}, which wins over the proxy of `run`. Remove it there."])
