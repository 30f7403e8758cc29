"""The address to listen on: free, or taken, and by whom."""

from __future__ import annotations

from urllib.parse import urlsplit

import trio

from kiro_rs_py import __version__
from kiro_rs_py.cli.checks.findings import Finding, finding_of
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import is_hashed
from kiro_rs_py.errors import BindError
from kiro_rs_py.serve.listener import ServerAddress, bind, bind_admin
from kiro_rs_py.upstream.neighbour import find_neighbour

TOPIC = "port"


async def check_port(config: Config) -> Finding:
    """Listens for a moment to find out."""
    try:
        bound = bind(config.host, config.port)
    except BindError as error:
        return await _taken(config, error)
    bound.close()
    where = f"{config.host}:{bound.address.port}" if config.port else f"a free port of {config.host}"
    return Finding("ok", TOPIC, f"Nobody listens on {where} yet.")


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
            return [Finding("ok", TOPIC, f"{config.admin_listen} is taken, as it should be while the proxy runs.")]
        return [finding_of("error", TOPIC, str(error), "Choose another in admin_listen.")]
    return [Finding("ok", TOPIC, f"Nobody listens on {config.admin_listen} yet.")]


async def _taken(config: Config, error: BindError) -> Finding:
    url = ServerAddress(config.host, config.port).url
    host = urlsplit(url).hostname or ""
    hashed = is_hashed(config.api_key)
    key = "" if hashed else config.api_key
    neighbour = await trio.to_thread.run_sync(find_neighbour, host, config.port, key)
    if neighbour is None or not neighbour.is_ours:
        return finding_of("error", TOPIC, str(error), "Choose another port with --port.")
    who = f"kiro-rs-py {neighbour.version} runs on {url}"
    if not neighbour.takes_key and not hashed:
        fix = "Stop it, or give it and this configuration the same api_key, or choose another port."
        return Finding("error", TOPIC, f"{who}, but with another api_key.", fix)
    if neighbour.version != __version__:
        return Finding("note", TOPIC, f"{who}; this is {__version__}.", "Restart it to use this version.")
    if hashed:
        return Finding("ok", TOPIC, f"{who}. Of the api_key only the hash is known, so it was not tried.")
    return Finding("ok", TOPIC, f"{who} and takes the api_key.")
