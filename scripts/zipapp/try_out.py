"""Run a built zipapp: ``--version`` and one conversation with the demo, from an empty folder, without the network.

try_out.py ARCHIVE
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def main(archive: Path) -> None:
    """Raise if the program does not answer, or does not end cleanly on SIGTERM."""
    with tempfile.TemporaryDirectory() as folder:
        print(subprocess.run([*program(archive), "--version"], check=True, **start(folder)).stdout.strip())
        complete(archive, folder)
        with subprocess.Popen([*program(archive), "serve", "--demo", "--port", "0"], **start(folder)) as server:
            try:
                converse(server.stdout or ())
                server.send_signal(signal.SIGTERM)
                code = server.wait(30)
            finally:
                server.kill()
        if code != 0:
            sys.exit(f"error: serve --demo ended with {code} after SIGTERM")


def program(archive: Path) -> list[str]:
    """Python as installed on the machine, not the virtual environment's: that one has what the archive may lack."""
    return [os.path.realpath(sys.executable), str(archive)]


def start(folder: str) -> dict[str, Any]:
    """How the program is started: from an empty folder that is its home too, with next to no environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": folder}
    return {"cwd": folder, "env": environment, "text": True, "stdout": subprocess.PIPE}


def complete(archive: Path, folder: str) -> None:
    """Let zsh ask how a command goes on: what it shows beside each is the one thing that needs all of Typer."""
    asked = start(folder)
    asked["env"] |= {"_KIRO_RS_PY_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "kiro-rs-py acc"}
    offered = subprocess.run(program(archive), check=True, **asked).stdout
    if "accounts" not in offered:
        sys.exit(f"error: zsh is offered {offered!r}")


def converse(lines: Iterable[str]) -> None:
    """Read base URL and key from what ``serve`` prints, send one message, print the answer."""
    settings: dict[str, str] = {}
    for line in lines:
        found = re.search(r"(ANTHROPIC_BASE_URL|ANTHROPIC_AUTH_TOKEN)=(\S+)", line)
        if found:
            settings[found[1]] = found[2]
        if len(settings) == 2:
            break
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "<<SAY it works>>"}],
    }
    request = urllib.request.Request(
        settings["ANTHROPIC_BASE_URL"] + "/v1/messages",
        json.dumps(body).encode(),
        {"x-api-key": settings["ANTHROPIC_AUTH_TOKEN"], "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        message = json.load(response)
    text = message["content"][0]["text"]
    if text.strip() != "it works":
        sys.exit(f"error: the demo answered {text!r}")
    print(f"The demo answers: {text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
