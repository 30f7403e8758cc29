"""A server under load beside several loops of `refresh --all`, on accounts whose refresh tokens rotate.

    .venv/bin/python scripts/soak_refresh.py --seconds 600

The simulated token service revokes a login as soon as a spent refresh token comes back, so any race between the
processes shows: as a reuse, as a refused refresh, as an error for a client. Prints what it counted, and ends with 1 if
anything went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import trio

from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator

KEY = "soak-key-5f2c8e11d09b"
PROGRAM = (sys.executable, "-m", "kiro_rs_py")
ACCESS_LIFETIME = 4.0
"""Seconds; short, so that the server refreshes all the time too."""


@dataclass
class Figures:
    """What happened. ``wrong`` are sentences; none of them means that all is well."""

    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    refreshes: Counter[str] = field(default_factory=Counter)
    reuses: int = 0
    refresh_calls: int = 0
    wrong: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        return {
            "seconds": round(self.seconds, 1),
            "client_answers": dict(self.answers),
            "refresh_runs_by_exit_code": dict(self.runs),
            "refresh_calls": self.refresh_calls,
            "latest_refreshes_by_outcome": dict(self.refreshes),
            "reuses": self.reuses,
            "wrong_in_all": len(self.wrong),
            "wrong": self.wrong[:10],
        }


def accounts() -> list[Account]:
    return [
        Account(name="social-1", access_lifetime=ACCESS_LIFETIME),
        Account(name="social-2", access_lifetime=ACCESS_LIFETIME, provider="Github"),
        Account(name="builder", access_lifetime=ACCESS_LIFETIME, method="idc", provider="BuilderId"),
    ]


async def soak(seconds: float, *, loops: int = 4, clients: int = 4) -> Figures:
    figures = Figures()
    simulator = Simulator(accounts=accounts(), keep_requests=10)
    with tempfile.TemporaryDirectory(prefix="kiro-soak-") as name:
        folder = Path(name)
        async with open_simulator(simulator) as running:
            config = write_files(folder, running.url, simulator)
            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                server = await nursery.start(serve, config, folder)
                with trio.move_on_after(seconds):
                    async with trio.open_nursery() as load:
                        for _ in range(clients):
                            load.start_soon(ask_again_and_again, server.url, figures)
                        for _ in range(loops):
                            load.start_soon(refresh_again_and_again, config, figures)
                figures.seconds = trio.current_time() - began
                server.stop.set()
            judge(figures, simulator, folder)
    return figures


def write_files(folder: Path, upstream_url: str, simulator: Simulator) -> Path:
    config = folder / "config.json"
    settings = {"apiKey": KEY, "port": 0, "upstreamUrl": upstream_url, "loadBalancingMode": "balanced"}
    config.write_text(json.dumps(settings))
    config.chmod(0o600)
    credentials = folder / "credentials.json"
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps([simulator.credential_json(name) for name in simulator.accounts]))
    return config


@dataclass
class Server:
    url: str
    stop: trio.Event


async def serve(config: Path, folder: Path, task_status: trio.TaskStatus[Server]) -> None:
    """`serve` in a process of its own until ``stop`` is set; its log goes to a file, shown if it ends badly."""
    log = folder / "serve.log"
    command = [*PROGRAM, "serve", "-c", str(config), "--log-level", "warning"]
    with log.open("wb") as errors:
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout
    told = b""
    while b"\n" not in told:
        chunk = await process.stdout.receive_some()
        if not chunk:
            raise SystemExit(f"serve did not start:\n{log.read_text()}")
        told += chunk
    server = Server(told.split()[2].decode(), trio.Event())
    task_status.started(server)
    await server.stop.wait()
    process.send_signal(signal.SIGTERM)
    if await process.wait() != 0:
        raise SystemExit(f"serve ended with {process.returncode}:\n{log.read_text()}")
    if text := log.read_text():
        sys.stderr.write(f"The server's warnings:\n{text}")


async def ask_again_and_again(url: str, figures: Figures) -> None:
    body = {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": [{"role": "user", "content": "<<SAY fine>>"}]}
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": KEY}, timeout=60, trust_env=False) as client:
        while True:
            answer = await client.post("/v1/messages", json=body)
            good = answer.status_code == 200 and answer.json()["content"][0]["text"] == "fine"
            figures.answers["good" if good else str(answer.status_code)] += 1
            if not good:
                figures.wrong.append(f"a client got {answer.status_code}: {answer.text[:300]}")
            await trio.sleep(0.02)


async def refresh_again_and_again(config: Path, figures: Figures) -> None:
    command = [*PROGRAM, "refresh", "--all", "-c", str(config)]
    while True:
        # Not cut off in the middle: that is what a power cut does, and not what is looked at here.
        with trio.CancelScope(shield=True):
            ended = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        figures.runs[str(ended.returncode)] += 1
        if ended.returncode != 0:
            figures.wrong.append(f"refresh ended with {ended.returncode}: {ended.stderr.decode()[:300]}")
        await trio.lowlevel.checkpoint()


def judge(figures: Figures, simulator: Simulator, folder: Path) -> None:
    """No token lost: the file holds the newest of every account. None used twice, none refused."""
    figures.reuses = simulator.reuses
    figures.refreshes = Counter(refresh.outcome for refresh in simulator.grants.refreshes)
    figures.refresh_calls = simulator.counts["/refreshToken"] + simulator.counts["/token"]
    newest = {refresh.account: refresh.issued for refresh in simulator.grants.refreshes}
    stored = json.loads((folder / "credentials.json").read_text())
    for name, entry in zip(simulator.accounts, stored, strict=True):
        if name in newest and entry["refreshToken"] != newest[name]:
            figures.wrong.append(f"{name}: the file does not hold the newest token")
    if figures.reuses:
        figures.wrong.append(f"{figures.reuses} spent refresh tokens were used again")
    figures.wrong += [f"a refresh was {outcome}" for outcome in figures.refreshes if outcome != "rotated"]
    for what, count in (("answer", figures.answers["good"]), ("refresh run", figures.runs["0"])):
        if not count:
            figures.wrong.append(f"there was no good {what} at all")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--loops", type=int, default=4, help="loops of `refresh --all`")
    parser.add_argument("--clients", type=int, default=4, help="clients that ask without pause")
    options = parser.parse_args()
    os.environ.update(XDG_CONFIG_HOME="/nonexistent", XDG_DATA_HOME="/nonexistent")
    figures = trio.run(partial(soak, options.seconds, loops=options.loops, clients=options.clients))
    print(json.dumps(figures.to_json(), indent=2))
    sys.exit(bool(figures.wrong))


if __name__ == "__main__":
    main()
