"""Child processes for tests that need another process, another user or another file system."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

NOBODY = 65534


def run_python(script: str, *arguments: str | Path, prefix: tuple[str, ...] = ()) -> object:
    """Run a script in a child and return the JSON it printed last; its standard error ends up in the test's report."""
    command = [*prefix, sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return cast("object", json.loads(done.stdout.splitlines()[-1]))


def run_mounted(mounts: str, script: str, folder: Path) -> object:
    """Run a script that finds ``folder`` as the shell commands in ``mounts`` have prepared it (as ``$1``).

    Mounts are seen by the child only. Skips the test where that needs rights this user has not.
    """
    unshare = ["unshare", "--mount"] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["unshare", "-r", "--mount"]
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("needs Linux and unshare")
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    shell = ("sh", "-c", f'set -e; {mounts}; shift; exec "$@"', "sh", str(folder))
    return run_python(script, folder, prefix=(*unshare, *shell))


def run_without_network(script: str) -> object:
    """Run a script on a machine with no network at all. Skips the test where that needs rights this user has not."""
    unshare = ("unshare", "-n") if hasattr(os, "geteuid") and os.geteuid() == 0 else ("unshare", "-rn")
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("needs Linux and unshare")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces are not allowed here")
    return run_python(script, prefix=unshare)


def run_unprivileged(script: str, folder: Path) -> object:
    """Run a script as a user whose permissions are checked; ``drop()`` in it, after its imports, makes it that user.

    ``folder`` and its files are given to that user; its parents must let everybody through.
    """
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX users")
    if os.geteuid() != 0:
        return run_python(f"drop = lambda: None\n{script}", folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    # Not subprocess's own way: the interpreter itself may lie where that user cannot go.
    drop = f"import os\ndrop = lambda: (os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY}))\n"
    return run_python(drop + script, folder)
