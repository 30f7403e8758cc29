"""Start-up: how long until help, version, a token count, and a listening server are there.

Yardstick: ``python3 -c pass`` with the same interpreter. Wall time, all candidates in turns, medians. Warm: each runs
once before. Run with ``python -m benchmarks.bench_startup [--zipapp FILE] [--rounds N] [--json]`` after
``scripts/build_zipapp.sh``; without the file only the installed program is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.timing import report

YARDSTICK = "python3 -c pass"
ROOT = Path(__file__).parent.parent


Timed = Callable[[], float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zipapp", type=Path, default=ROOT / "dist" / "kiro-rs-py")
    # Not the virtual environment's, which looks into every package installed there.
    parser.add_argument("--python", default=os.path.realpath(sys.executable), help="starts the zipapp")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs = {"venv": [str(Path(sys.executable).parent / "kiro-rs-py")]}
        if options.zipapp.exists():
            programs["zipapp"] = [options.python, str(options.zipapp)]
        medians = in_turns(candidates(options.python, programs, Path(folder)), options.rounds)
    print(report("Start-up, wall time", medians, YARDSTICK, as_json=options.json))


def candidates(python: str, programs: Mapping[str, Sequence[str]], folder: Path) -> dict[str, Timed]:
    """What is measured, for each way the program is installed; ``folder`` is its home and holds its files."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    request = folder / "request.json"
    request.write_text(json.dumps({"messages": [{"role": "user", "content": "How many legs does a spider have?"}]}))
    port = free_port()
    config = write_server_files(folder, port)
    timed: dict[str, Timed] = {YARDSTICK: partial(run, [python, "-c", "pass"], environ)}
    for name, program in programs.items():
        for args in (["--version"], ["--help"], ["count-tokens", str(request)], ["models"]):
            timed[f"{name} {args[0]}"] = partial(run, [*program, *args], environ)
        command = [*program, "serve", "-c", str(config)]
        timed[f"{name} serve: accepts"] = partial(serve, command, environ, port, answer=False)
        timed[f"{name} serve: answers"] = partial(serve, command, environ, port, answer=True)
    return timed


def in_turns(timed: Mapping[str, Timed], rounds: int) -> dict[str, float]:
    """Median seconds of each, after one warming call."""
    for candidate in timed.values():
        candidate()
    samples: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, candidate in timed.items():
            samples[name].append(candidate())
    return {name: statistics.median(values) for name, values in samples.items()}


def run(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """Seconds until the program has ended."""
    start = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def serve(command: Sequence[str], environ: Mapping[str, str], port: int, *, answer: bool) -> float:
    """Seconds until a connection is accepted or, with ``answer``, the first request on it is answered."""
    start = time.perf_counter()
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with connect(port, process) as connection:
            if answer:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                connection.recv(1)
            seconds = time.perf_counter() - start
        process.send_signal(signal.SIGTERM)
        # A signal before the handlers are set ends it at once, which is as good.
        process.wait()
    return seconds


def connect(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    while process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.001)
    sys.exit(f"error: the server ended with {process.returncode}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def write_server_files(folder: Path, port: int) -> Path:
    """A configuration and one account whose upstream is never asked."""
    config = folder / "config.json"
    settings = {"apiKey": "sk-3f9c27d1b8a64e05", "port": port, "upstreamUrl": "http://127.0.0.1:9"}
    account = {"refreshToken": "x" * 120, "accessToken": "x", "expiresAt": "2100-01-01T00:00:00Z"}
    config.write_text(json.dumps(settings))
    (folder / "credentials.json").write_text(json.dumps([account]))
    for path in (config, folder / "credentials.json"):
        path.chmod(0o600)
    return config


if __name__ == "__main__":
    main()
