"""A whole proxy in front of a simulated Kiro, in a thread of its own, so that a test can drive a browser meanwhile."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.run import serve
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator

KEY = "kiro-test-key-0123456789"
ADMIN_KEY = "admin-test-key-0123456789"
PATIENCE = 30.0

ACCOUNTS = (
    Account(
        name="ana", plan="KIRO PRO+", used=500, profile_arn="arn:aws:codewhisperer:us-east-1:000000000001:profile/A"
    ),
    Account(name="ben", method="idc", provider="BuilderId", plan="KIRO FREE", used=20),
    Account(name="cleo", provider="Github", plan="KIRO PRO", used=990),
)


@dataclass
class House:
    """``simulator`` may be looked at; :meth:`run` does something in its thread."""

    url: str
    path: Path
    simulator: Simulator
    token: trio.lowlevel.TrioToken = field(repr=False)

    def entries(self) -> list[dict[str, Any]]:
        """The credentials file."""
        entries: list[dict[str, Any]] = json.loads(self.path.read_text())
        return entries

    def say(self, prompt: str = "<<SAY hello>>", **fields: Any) -> None:
        """One message through the proxy; the answer does not matter."""
        body = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 99,
            "messages": [{"role": "user", "content": prompt}],
            **fields,
        }
        request = urllib.request.Request(f"{self.url}/v1/messages", json.dumps(body).encode(), {"x-api-key": KEY})
        try:
            urllib.request.urlopen(request, timeout=PATIENCE).read()
        except urllib.error.HTTPError as error:
            error.close()

    def approve(self, user_code: str, account: str) -> None:
        """Somebody confirms a device code."""
        trio.from_thread.run_sync(self.simulator.oidc.approve, user_code, account, trio_token=self.token)

    def deny(self, user_code: str) -> None:
        trio.from_thread.run_sync(self.simulator.oidc.deny, user_code, trio_token=self.token)


@contextmanager
def open_house(
    folder: Path,
    accounts: Sequence[Account] = ACCOUNTS,
    *,
    signed_in: Sequence[str] | None = None,
    port: int = 0,
    simulator: Simulator | None = None,
) -> Iterator[House]:
    """``signed_in`` names the accounts that are in the credentials file (default: all). With ``simulator`` and
    ``port`` a house is opened again where it stood, with the file it left."""
    # Copies: what a test does to an account must not outlive it.
    copies = [replace(account) for account in accounts]
    simulator, again = simulator or Simulator(accounts=copies), simulator is not None
    simulator.oidc.interval = 0.05
    path = folder / "credentials.json"
    if not again:
        names = [account.name for account in accounts] if signed_in is None else signed_in
        entries: list[JsonObject] = [
            {"id": number, "priority": number, **simulator.credential_json(name)}
            for number, name in enumerate(names, 1)
        ]
        path.touch(mode=0o600)
        path.write_text(json.dumps(entries))
    ready: SimpleQueue[tuple[str, trio.Event, trio.lowlevel.TrioToken] | BaseException] = SimpleQueue()

    async def main() -> None:
        stop = trio.Event()
        async with open_simulator(simulator) as kiro, trio.open_nursery() as nursery:
            config = Config(
                port=port,
                api_key=KEY,
                admin_api_key=ADMIN_KEY,
                credentials_path=path,
                upstream_url=kiro.url,
                shutdown_grace_seconds=0.0,
            )
            address = await nursery.start(partial(serve, config, stop=stop, handle_signals=False))
            ready.put((address.url, stop, trio.lowlevel.current_trio_token()))

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as error:
            ready.put(error)
            raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    opened = ready.get(timeout=PATIENCE)
    if isinstance(opened, BaseException):
        raise opened
    url, stop, token = opened
    try:
        yield House(url, path, simulator, token)
    finally:
        trio.from_thread.run_sync(stop.set, trio_token=token)
        thread.join()
