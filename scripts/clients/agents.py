"""Other agents for the terminal, headless: each reads a file with its own shell tool."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from clients.bench import CheckFailed, Place, Target, call, environment, expect, new_word, npm_install, place, run


def check_opencode(version: str, target: Target) -> str:
    binary = native_program(npm_install(target.cache, f"opencode-{version}", f"opencode-ai@{version}"), "opencode")
    word = new_word()
    with place() as here:
        (here.work / "note.txt").write_text(f"nonce {word}\n")
        options = {"baseURL": f"{target.base_url}/v1", "apiKey": target.key}
        configuration = here.home / "opencode.json"
        configuration.write_text(json.dumps({"provider": {"anthropic": {"options": options}}, "autoupdate": False}))
        env = environment(here.home, OPENCODE_CONFIG=str(configuration), OPENCODE_DISABLE_MODELS_FETCH="1")
        # It puts quotes around arguments that hold spaces, and joins them with spaces.
        prompt = call("bash", command="cat note.txt", description="Read the note").split(" ")
        answer = run([binary, "run", "--model", "anthropic/claude-sonnet-4-5", *prompt], cwd=here.work, env=env)
    expect(word in answer, "the answer does not show what bash read", answer)
    return "shell tool"


def check_cline(version: str, target: Target) -> str:
    binary = native_program(npm_install(target.cache, f"cline-{version}", f"cline@{version}"), "cline")
    word = new_word()
    with place() as here:
        (here.work / "note.txt").write_text(f"nonce {word}\n")
        env = environment(here.home)
        write_cline_settings(here, target)
        prompt = call("run_commands", commands=["cat note.txt"])
        try:
            answer = run([binary, "--provider", "anthropic", "--json", prompt], cwd=here.work, env=env)
        finally:
            end_daemons(here.home)
    events = [json.loads(line) for line in answer.splitlines() if line.startswith("{")]
    texts = [str(event.get("text")) for event in events if event.get("type") == "run_result"]
    expect(any(word in text for text in texts), "the answer does not show what the command read", answer)
    return "shell tool"


def write_cline_settings(here: Place, target: Target) -> None:
    """Its ``auth`` command takes a base URL only for OpenAI's kind of provider; the file takes one for all."""
    settings = {
        "provider": "anthropic",
        "apiKey": target.key,
        "model": "claude-sonnet-4-5",
        "baseUrl": f"{target.base_url}/v1",
    }
    entry = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    path = here.home / ".cline" / "data" / "settings" / "providers.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 1, "lastUsedProvider": "anthropic", "providers": {"anthropic": entry}}))


def end_daemons(home: Path) -> None:
    """Cline leaves a process behind that serves later runs. Ours are those with our throwaway HOME."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"HOME={home}".encode() in variables:
            os.kill(int(process.name), signal.SIGTERM)


def native_program(modules: Path, name: str) -> str:
    """The program inside the package for this machine."""
    found = sorted(modules.glob(f"*linux-x64/bin/{name}")) + sorted(modules.glob(f"*/*linux-x64/bin/{name}"))
    if not found:
        raise CheckFailed(f"npm brought no {name} for this machine")
    return str(found[0])
