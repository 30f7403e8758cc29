"""Starts ``kiro-rs-py serve`` as a process and talks to it, as a user would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MODULE = (sys.executable, "-m", "kiro_rs_py")


@dataclass
class Served:
    """A running ``serve``; ``told`` is what it printed, up to the last line of its announcement."""

    process: subprocess.Popen[str]
    told: str

    @property
    def url(self) -> str:
        return self.told.split()[2]

    @property
    def key(self) -> str:
        found = re.search(r"ANTHROPIC_AUTH_TOKEN=(\S+)", self.told)
        assert found
        return found[1]

    def say(self, prompt: str, key: str | None = None) -> str:
        """The text of the answer to one message."""
        body = {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": [{"role": "user", "content": prompt}]}
        request = urllib.request.Request(
            f"{self.url}/v1/messages", json.dumps(body).encode(), {"x-api-key": key or self.key}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return str(json.load(response)["content"][0]["text"])

    def end(self, signal_number: int) -> tuple[int, str]:
        """Send the signal; the exit code, and what was written to stderr."""
        self.process.send_signal(signal_number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def serving(*args: str, program: Sequence[str] = MODULE, cwd: Path | None = None, **environ: str) -> Iterator[Served]:
    """Run ``serve`` with ``args`` until the block ends, at the latest."""
    process = subprocess.Popen(
        [*program, "serve", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, **environ},
    )
    with process:
        try:
            told = ""
            assert process.stdout
            for line in process.stdout:
                told += line
                if line.startswith("Ctrl-C"):
                    break
            assert told, process.communicate()[1]
            yield Served(process, told)
        finally:
            process.kill()
