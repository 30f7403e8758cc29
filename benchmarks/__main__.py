"""Every benchmark in one command: ``python -m benchmarks [--quick] [--json]``.

Prints the date, the versions and the machine, then each table as it is ready; with ``--json`` one document at the end.
Each benchmark can also be run by itself, see README.md. ``--quick`` leaves out large loads and repeats little: it
shows that all works, not how fast.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

PACKAGES = ("trio", "hypercorn", "h11", "httpx")
# Module and its arguments; those of the second list in place of the first with --quick.
BENCHMARKS: tuple[tuple[str, list[str], list[str]], ...] = (
    ("bench_codec", [], []),
    ("bench_events", [], []),
    ("bench_convert", [], []),
    ("bench_transport", [], []),
    ("bench_startup", [], ["--rounds", "3"]),
    ("bench_proxy", [], ["--quick"]),
)


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    options = parser.parse_args()
    document: dict[str, Any] = {"about": about()}
    if not options.json:
        print("\n".join(f"{name}: {value}" for name, value in document["about"].items()))
    for module, usual, quick in BENCHMARKS:
        start = time.perf_counter()
        arguments = (quick if options.quick else usual) + (["--json"] if options.json else [])
        # A process of its own for each: what one leaves in memory must not slow down the next.
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        if options.json:
            document[module] = json.loads(output)
        else:
            print(f"\n=== {module} ({time.perf_counter() - start:.0f} s)\n\n{output}", end="", flush=True)
    if options.json:
        print(json.dumps(document, indent=2))


def about() -> dict[str, str]:
    """When, with what, on what."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "kiro-rs-py": version("kiro-rs-py"),
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores",
    }


if __name__ == "__main__":
    main()
