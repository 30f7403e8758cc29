"""Kills a process that writes the credentials file, again and again; run by test_crash.py as a program of its own.

A child announces each token on a pipe, writes it, and reports it saved. After SIGKILL the file must hold a whole
token, no older than the last one reported and no newer than the last one announced: one that the token service, which
has issued the announced and not yet forgotten the one before, accepts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import signal
import stat
import sys
import time
from pathlib import Path
from typing import NoReturn

from kiro_rs_py.upstream.store import CredentialStore

KEY = b"the token service's own"


def issue(number: int) -> str:
    """The token of that number, which nobody can make up or cut."""
    return f"aor{number:08d}-{hmac.new(KEY, str(number).encode(), hashlib.sha512).hexdigest()}"


def number_of(token: str) -> int:
    """Raises AssertionError for anything the token service has not issued."""
    number = int(token[3:11])
    assert hmac.compare_digest(token, issue(number)), "not a token of ours"
    return number


def write_for_ever(path: Path, number: int, pipe: int) -> NoReturn:
    store = CredentialStore(path)
    while True:
        number += 1
        os.write(pipe, f"announced {number}\n".encode())
        members = {"refreshToken": issue(number), "label": "x" * (number % 700)}
        store.update_now(lambda document, members=members: document.patch(1, members))  # type: ignore[misc]
        os.write(pipe, f"saved {number}\n".encode())


def kill_once(path: Path, number: int, pause: float) -> tuple[int, int]:
    """Fork a writer, kill it after ``pause`` seconds. The last numbers saved and announced."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        write_for_ever(path, number, writing)
    os.close(writing)
    time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    last = {"saved": number, "announced": number}
    with os.fdopen(reading) as lines:
        for line in lines:
            word, _, written = line.strip().partition(" ")
            last[word] = int(written)
    return last["saved"], last["announced"]


def check(path: Path, saved: int, announced: int) -> int:
    """The number of the token in the file."""
    document = json.loads(path.read_bytes())
    entry = document[0] if isinstance(document, list) else document
    number = number_of(entry["refreshToken"])
    assert saved <= number <= announced, (saved, number, announced)
    assert entry["future"] == {"kept": ["é", 1, None]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    backup = path.with_name(f"{path.name}.bak")
    if backup.exists():
        json.loads(backup.read_bytes())
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    stored = CredentialStore(path).load()
    assert [credential.id for credential in stored.credentials] == [1]
    return number


def main(folder: Path, kills: int, shape: str) -> None:
    path = folder / "credentials.json"
    entry = {"id": 1, "refreshToken": issue(0), "future": {"kept": ["é", 1, None]}}
    text = json.dumps([entry] if shape == "list" else entry, indent=2)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, text.encode())
    os.close(descriptor)
    dice = random.Random(20260213)
    number = interrupted = leftovers = 0
    for _ in range(kills):
        saved, announced = kill_once(path, number, dice.uniform(0.001, 0.030))
        number = check(path, saved, announced)
        interrupted += saved != announced
        leftovers += any(folder.glob(".*.tmp"))
    CredentialStore(path).update_now(lambda document: document.patch(1, {"label": None}))
    remaining = sorted(item.name for item in folder.iterdir())
    print(json.dumps({"kills": kills, "writes": number, "interrupted": interrupted, "leftovers": leftovers,
                      "remaining": remaining}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
