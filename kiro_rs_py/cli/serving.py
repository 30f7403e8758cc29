"""The work of ``serve``; imports no Typer, so that the front can call it (see :mod:`front`)."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kiro_rs_py.cli.shared import Common, environment_accounts, open_settings, start_logging

if TYPE_CHECKING:
    from kiro_rs_py.config import Config
    from kiro_rs_py.config.reader import Effective
    from kiro_rs_py.serve.listener import ServerAddress


def run_proxy(
    common: Common, *, host: str | None = None, port: int | None = None, demo: bool = False, dump: Path | None = None
) -> None:
    """Run the proxy until a signal ends it; with ``demo`` in front of the simulated Kiro.

    :raises KiroError: settings, accounts or address cannot be used.
    """
    # What is imported now stays; looking for garbage in it meanwhile is a tenth of the start.
    gc.disable()
    if demo:
        _serve_demo(common, host, port, dump)
    else:
        _serve_account(common, host, port, dump)


def _serve_account(common: Common, host: str | None, port: int | None, dump: Path | None) -> None:
    from kiro_rs_py.cli.outcome import warn
    from kiro_rs_py.config.access_keys import is_hashed
    from kiro_rs_py.config.reader import DRAWN
    from kiro_rs_py.config.serving import serving_problems
    from kiro_rs_py.errors import ConfigError
    from kiro_rs_py.serve.listener import bind_all

    def read() -> Effective:
        """Settings fit to serve with."""
        settings = open_settings(common, host=host, port=port, dump_dir=dump)
        problems, warnings = serving_problems(settings.config)
        if problems:
            raise ConfigError(problems)
        warn(warnings)
        return settings

    def read_again() -> Config:
        """At each SIGHUP; it sets the log up anew."""
        again = read()
        put_request_ids_into_the_log()
        if settings.sources["system_version"] == again.sources["system_version"] == DRAWN:
            return replace(again.config, system_version=settings.config.system_version)
        return again.config

    settings = read()
    accounts = environment_accounts(os.environ)
    # Before Trio and the rest are loaded: clients can connect, and wait for their answer.
    bound = bind_all(settings.config)

    import trio

    from kiro_rs_py.serve.run import serve as run_server

    def announce(address: ServerAddress) -> None:
        hashed = ", of which only the hash is known" if is_hashed(settings.config.api_key) else ""
        note = f"YOUR_API_KEY stands for your api_key{hashed} (from {settings.sources['api_key']})."
        if bound.admin is not None:
            note += f"\nThe administration has its own address: {bound.admin.address.url}"
        elif settings.config.admin_api_key.strip():
            note += f"\nAdmin page: {address.url}/admin"
        _announce(address.url, "YOUR_API_KEY", note)

    put_request_ids_into_the_log()
    gc.enable()
    configured = partial(run_server, settings.config, bound=bound, reload=read_again, extra_credentials=accounts)
    trio.run(partial(configured, on_ready=announce, sources=settings.sources))


def _serve_demo(common: Common, host: str | None, port: int | None, dump: Path | None) -> None:
    import trio

    from kiro_rs_py.cli.demo import serve_demo

    start_logging(common)
    put_request_ids_into_the_log()

    def announce(address: ServerAddress, config: Config) -> None:
        admin = f"Admin page: {address.url}/admin\nAdmin key:  {config.admin_api_key}\n\n"
        note = "This is a demo: a simulated Kiro answers, and the keys end with this process."
        _announce(address.url, config.api_key, f"{admin}{note}")

    gc.enable()
    trio.run(serve_demo, host or "127.0.0.1", port, announce, dump)


def put_request_ids_into_the_log() -> None:
    """To be done again whenever the log has been set up."""
    import logging

    from kiro_rs_py.serve.request_log import RequestIdFilter

    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())


def _announce(url: str, key: str, note: str) -> None:
    print(f"Listening on {url}\n\n{client_settings(url, key)}\n{note}\nCtrl-C stops it.", flush=True)


def client_settings(url: str, key: str) -> str:
    """The block that ``serve`` prints: Claude Code, the Python SDK and curl, for the base URL and key.

    Claude Code and the SDKs add ``/v1`` themselves; with a base URL that has it they ask for ``/v1/v1/messages``.
    """
    import shlex

    model = "claude-sonnet-4-5"
    quoted, header = shlex.quote(key), shlex.quote(f"x-api-key: {key}")
    request = f'{{"model": "{model}", "max_tokens": 1024, "messages": [{{"role": "user", "content": "Hello"}}]}}'
    return f"""\
Claude Code:
  export ANTHROPIC_BASE_URL={url}
  export ANTHROPIC_AUTH_TOKEN={quoted}
  claude

Python SDK (pip install anthropic):
  from anthropic import Anthropic
  client = Anthropic(base_url="{url}", api_key="{key}")
  message = client.messages.create(
      model="{model}", max_tokens=1024, messages=[{{"role": "user", "content": "Hello"}}]
  )
  print(message.content[0].text)

curl:
  curl {url}/v1/messages -H {header} -H "content-type: application/json" -d '{request}'

Clients that want the path in the base URL (opencode, Vercel AI SDK): {url}/v1
"""
