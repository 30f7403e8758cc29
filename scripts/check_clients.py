"""Drive real clients against `serve --demo`, at `/` and at `/cc`, and look for proof that their tools really ran.

    .venv/bin/python scripts/check_clients.py                     # all clients
    .venv/bin/python scripts/check_clients.py claude-code-2.1.330 # some of them

Clients come from npm and PyPI into a cache folder (--cache, default: the user's cache directory) and run headless
with a HOME of their own. Every check hides a random word where only the client's tool can find it and looks for that
word in the client's final answer; the demo's scripted model follows the <<CALL …>> directives of the prompt.
docs/clients.md has the results.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import platformdirs
from clients.agents import check_cline, check_opencode
from clients.bench import CheckFailed, Target, demo_server
from clients.claude_code import check_claude_code
from clients.python_suite import check_python_suite
from clients.sdks import (
    check_agent_sdk,
    check_ai_sdk,
    check_langchain,
    check_litellm,
    check_pydantic_ai,
    check_python_sdk,
    check_typescript_sdk,
)

Check = Callable[[Target], str]
"""Drives one client and says what it did; raises CheckFailed."""

CHECKS: dict[str, Check] = {
    "python-sdk-2.12.0": partial(check_python_sdk, "2.12.0"),
    "python-sdk-0.125.0": partial(check_python_sdk, "0.125.0"),
    "python-sdk-suite-2.12.0": partial(check_python_suite, "2.12.0"),
    "typescript-sdk-1.12.0": partial(check_typescript_sdk, "1.12.0"),
    "claude-code-2.1.330": partial(check_claude_code, "2.1.330", ["claude-sonnet-4-5", "claude-opus-5-5"]),
    "claude-code-2.0.76": partial(check_claude_code, "2.0.76", ["claude-sonnet-4-5"]),
    "claude-agent-sdk-0.3.330": partial(check_agent_sdk, "0.3.330"),
    "opencode-1.18.33": partial(check_opencode, "1.18.33"),
    "cline-3.0.65": partial(check_cline, "3.0.65"),
    "litellm-1.106.2": partial(check_litellm, "1.106.2"),
    "vercel-ai-7.0.173": partial(check_ai_sdk, "7.0.173", "4.0.105"),
    "langchain-anthropic-1.7.7": partial(check_langchain, "1.7.7"),
    "pydantic-ai-2.68.0": partial(check_pydantic_ai, "2.68.0"),
}
WITH_NODE = ("claude", "typescript", "opencode", "cline", "vercel")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"any of: {', '.join(CHECKS)}")
    parser.add_argument("--cache", type=Path, default=Path(platformdirs.user_cache_dir("kiro-rs-py")) / "clients")
    arguments = parser.parse_args()
    wanted: list[str] = arguments.clients or list(CHECKS)
    if unknown := set(wanted) - set(CHECKS):
        parser.error(f"no such client: {', '.join(sorted(unknown))}")
    if any(name.startswith(WITH_NODE) for name in wanted) and not shutil.which("npm"):
        parser.error(f"npm is needed for the clients whose names begin with {', '.join(WITH_NODE)}")
    arguments.cache.mkdir(parents=True, exist_ok=True)
    with demo_server(arguments.cache.resolve()) as target:
        passed = [check(name, path, target) for name in wanted for path in ("", "/cc")]
    print(f"{passed.count(True)} passed, {passed.count(False)} failed")
    return 0 if all(passed) else 1


def check(name: str, path: str, target: Target) -> bool:
    """One client at one path, and its line."""
    started = time.monotonic()
    try:
        outcome, told = "ok", CHECKS[name](Target(target.base_url + path, target.key, target.cache))
    except (CheckFailed, subprocess.SubprocessError) as error:
        outcome, told = "FAILED", str(error)
    print(f"{outcome:7} {name:26} {path or '/':4} {time.monotonic() - started:5.1f}s  {told}", flush=True)
    return outcome == "ok"


if __name__ == "__main__":
    sys.exit(main())
