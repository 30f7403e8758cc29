"""A simulated Kiro in a thread, so that the command line can have this process's main thread and its own event loop."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.app import Hold, Simulator
from kiro_rs_py.simulator.server import open_simulator
from tests.cli.conftest import Result, RunCli

MODULE = (sys.executable, "-m", "kiro_rs_py")
PATIENCE = 60.0


@contextmanager
def simulator_in_thread(simulator: Simulator) -> Iterator[tuple[str, trio.lowlevel.TrioToken]]:
    """Serve it; the base URL, and the token to do something in its event loop."""
    ready: SimpleQueue[tuple[str, trio.Event, trio.lowlevel.TrioToken]] = SimpleQueue()

    async def main() -> None:
        async with open_simulator(simulator) as running:
            stop = trio.Event()
            ready.put((running.url, stop, trio.lowlevel.current_trio_token()))
            await stop.wait()

    thread = threading.Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    url, stop, token = ready.get(timeout=PATIENCE)
    try:
        yield url, token
    finally:
        trio.from_thread.run_sync(stop.set, trio_token=token)
        thread.join()


@dataclass
class Kiro:
    """The command line with a simulated Kiro behind it, and the credentials file it works on.

    Every run is searched for secrets.
    """

    simulator: Simulator
    url: str
    home: Path
    cli: RunCli = field(repr=False)
    token: trio.lowlevel.TrioToken = field(repr=False)

    def __call__(self, *args: str, stdin: str = "") -> Result:
        """Run one command line in this process."""
        result = self.cli(*args, stdin=stdin)
        self.check_secrets(result.out + result.err)
        assert "Traceback" not in result.err
        assert "This is a bug" not in result.err
        return result

    @property
    def path(self) -> Path:
        return self.home / ".local" / "share" / "kiro-rs-py" / "credentials.json"

    def stored(self) -> list[dict[str, Any]]:
        """The accounts in the file."""
        found: list[dict[str, Any]] = json.loads(self.path.read_text()) if self.path.exists() else []
        return found

    def store(self, *entries: JsonObject) -> None:
        """Write the credentials file."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.touch(mode=0o600)
        self.path.write_text(json.dumps([{"id": number, **entry} for number, entry in enumerate(entries, 1)]))

    def wait_for(self, hold: Hold) -> None:
        """Until the held request has arrived."""
        trio.from_thread.run(hold.arrived.wait, trio_token=self.token)

    def release(self, hold: Hold) -> None:
        """Let the held request be answered."""
        trio.from_thread.run_sync(hold.release.set, trio_token=self.token)

    def check_secrets(self, text: str) -> None:
        """No token, no client secret, no API key in ``text``."""
        assert not re.search(r"ao[ar]AAAAAG", text), text
        for registration in list(self.simulator.oidc.registrations.values()):
            assert registration.client_secret not in text
        for account in self.simulator.accounts.values():
            assert not account.api_key or account.api_key not in text


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *args: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*MODULE, *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", **(environ or {})},
        )
        os.close(slave)
        self.seen = ""

    def wait_for(self, pattern: str) -> str:
        """Read until ``pattern`` was shown; what it matched."""
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.seen)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen!r}"
            assert self._read(deadline - time.monotonic()), f"ended without {pattern!r}: {self.seen!r}"
        return found[0]

    def type(self, line: str) -> None:
        self.press(f"{line}\n")

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self, signal_number: int | None = None) -> tuple[int, str]:
        """Wait for the end, after a signal if one is given; the exit code, and all that was shown."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        while self._read(PATIENCE):
            pass
        return self.process.wait(PATIENCE), self.seen

    def _read(self, seconds: float) -> bool:
        """Read a piece; False at the end."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        try:
            piece = os.read(self._master, 65_536) if ready else b""
        except OSError:  # how Linux says that the other side is gone
            piece = b""
        self.seen += piece.decode("utf-8", "replace")
        return bool(piece)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
