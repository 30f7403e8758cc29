"""Drive real clients against `serve --demo`, at `/` and at `/cc`, and look for proof that their tools really ran.

    .venv/bin/python scripts/check_clients.py                     # all clients
    .venv/bin/python scripts/check_clients.py claude-code-2.1.330 # some of them

Clients come from npm and PyPI into a cache folder (--cache, default: the user's cache directory) and run headless
with a HOME of their own. Every check hides a random word where only the client's tool can find it and looks for that
word in the client's final answer; the demo's scripted model follows the <<CALL …>> directives of the prompt.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parent.parent
STEP_SECONDS = 240


@dataclass(frozen=True)
class Target:
    """Where the proxy listens: `base_url` ends in `` or `/cc`."""

    base_url: str
    key: str


class CheckFailed(Exception):
    """A client did not do what it should have."""


def call(name: str, arguments: dict[str, object]) -> str:
    return f"<<CALL {name} {json.dumps(arguments)}>>"


def run(command: list[str], *, cwd: Path, env: dict[str, str]) -> str:
    """Run one client to its end and return what it printed; its own error text is part of a failure."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env | {"PWD": str(cwd)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
    )
    if done.returncode != 0:
        raise CheckFailed(f"{command[0]} exited {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """The caller's environment without anything that would steer an Anthropic client elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC_", "CLAUDE", "OPENCODE", "KIRO_"))}
    return kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), **extra}


# --- Claude Code ------------------------------------------------------------------------------------------------


def npm_install(cache: Path, name: str, *packages: str) -> Path:
    folder = cache / name
    if not (folder / "node_modules").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "init", "-y"], cwd=folder, check=True, capture_output=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *packages], cwd=folder, check=True)
    return folder / "node_modules"


def claude_binary(cache: Path, version: str) -> list[str]:
    modules = npm_install(cache, f"claude-code-{version}", f"@anthropic-ai/claude-code@{version}")
    native = modules / "@anthropic-ai" / "claude-code-linux-x64" / "claude"
    if native.exists():
        return [str(native)]
    return ["node", str(modules / "@anthropic-ai" / "claude-code" / "cli.js")]


def check_claude_code(version: str, cache: Path, target: Target) -> str:
    """Write a file and read it back through Bash, in one headless turn with two tool rounds."""
    command = claude_binary(cache, version)
    nonce = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        env = clean_environment(
            home,
            ANTHROPIC_BASE_URL=target.base_url,
            ANTHROPIC_AUTH_TOKEN=target.key,
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            DISABLE_AUTOUPDATER="1",
            IS_SANDBOX="1",
        )
        file = work / "note.txt"
        prompt = (
            call("Write", {"file_path": str(file), "content": f"nonce {nonce}\n"})
            + " "
            + call("Bash", {"command": f"cat {file}", "description": "Read the note"})
        )
        arguments = ["-p", prompt, "--model", "claude-sonnet-4-5", "--dangerously-skip-permissions"]
        answer = run([*command, *arguments], cwd=work, env=env)
        if not file.exists() or nonce not in file.read_text():
            raise CheckFailed(f"Write did not write the file; answer: {answer[-500:]}")
        if nonce not in answer:
            raise CheckFailed(f"the answer does not show what Bash read: {answer[-500:]}")
    return run([*command, "--version"], cwd=ROOT, env=env | {"HOME": tempfile.gettempdir()}).strip()


# --- SDKs -------------------------------------------------------------------------------------------------------


TYPESCRIPT_CHECK = """
import Anthropic from "@anthropic-ai/sdk";
const nonce = process.env.NONCE;
const client = new Anthropic();
const tools = [{ name: "lookup", description: "Look a word up",
  input_schema: { type: "object", properties: { word: { type: "string" } }, required: ["word"] } }];
const messages = [{ role: "user", content: `<<CALL lookup {"word":"x"}>>` }];
const ask = { model: "claude-sonnet-4-5", max_tokens: 500, tools, messages };
const first = await client.messages.stream(ask).finalMessage();
const use = first.content.find((block) => block.type === "tool_use");
if (first.stop_reason !== "tool_use" || use.input.word !== "x") throw new Error(JSON.stringify(first));
messages.push({ role: "assistant", content: first.content });
messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: nonce }] });
const second = await client.messages.create(ask);
console.log(second.content.map((block) => block.text ?? "").join(""));
const counted = await client.messages.countTokens({ model: "claude-sonnet-4-5", messages });
if (!(counted.input_tokens > 0)) throw new Error("count_tokens");
"""


def check_typescript_sdk(version: str, cache: Path, target: Target) -> str:
    modules = npm_install(cache, f"anthropic-sdk-ts-{version}", f"@anthropic-ai/sdk@{version}")
    nonce = secrets.token_hex(8)
    script = modules.parent / "check.mjs"
    script.write_text(TYPESCRIPT_CHECK)
    env = clean_environment(
        modules.parent, ANTHROPIC_BASE_URL=target.base_url, ANTHROPIC_API_KEY=target.key, NONCE=nonce
    )
    answer = run(["node", str(script)], cwd=modules.parent, env=env)
    if nonce not in answer:
        raise CheckFailed(f"the second answer does not show the tool result: {answer[-500:]}")
    return str(json.loads((modules / "@anthropic-ai" / "sdk" / "package.json").read_text())["version"])


PYTHON_CHECK = """
import os, anthropic
nonce = os.environ["NONCE"]
client = anthropic.Anthropic()
tools = [{"name": "lookup", "description": "Look a word up",
          "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}}]
messages = [{"role": "user", "content": '<<CALL lookup {"word":"x"}>>'}]
with client.messages.stream(model="claude-sonnet-4-5", max_tokens=500, tools=tools, messages=messages) as stream:
    first = stream.get_final_message()
use = next(block for block in first.content if block.type == "tool_use")
assert first.stop_reason == "tool_use" and use.input == {"word": "x"}, first
messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]})
messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": nonce}]})
second = client.messages.create(model="claude-sonnet-4-5", max_tokens=500, tools=tools, messages=messages)
print("".join(block.text for block in second.content if block.type == "text"))
assert client.messages.count_tokens(model="claude-sonnet-4-5", messages=messages).input_tokens > 0
"""


def pip_environment(cache: Path, name: str, *packages: str) -> Path:
    folder = cache / name
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return python


def check_python_sdk(version: str, cache: Path, target: Target) -> str:
    python = pip_environment(cache, f"anthropic-sdk-py-{version}", f"anthropic=={version}")
    nonce = secrets.token_hex(8)
    env = clean_environment(cache, ANTHROPIC_BASE_URL=target.base_url, ANTHROPIC_API_KEY=target.key, NONCE=nonce)
    answer = run([str(python), "-c", PYTHON_CHECK], cwd=cache, env=env)
    if nonce not in answer:
        raise CheckFailed(f"the second answer does not show the tool result: {answer[-500:]}")
    return version


LITELLM_CHECK = """
import json, os, litellm
nonce = os.environ["NONCE"]
tools = [{"type": "function", "function": {"name": "lookup", "description": "Look a word up",
          "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}}}]
messages = [{"role": "user", "content": '<<CALL lookup {"word":"x"}>>'}]
ask = dict(model="anthropic/claude-sonnet-4-5", api_base=os.environ["BASE"], api_key=os.environ["KEY"], tools=tools)
first = litellm.completion(messages=messages, **ask).choices[0].message
assert json.loads(first.tool_calls[0].function.arguments) == {"word": "x"}, first
messages += [first.model_dump(), {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": nonce}]
parts = litellm.completion(messages=messages, stream=True, **ask)
print("".join(part.choices[0].delta.content or "" for part in parts))
"""


def check_litellm(version: str, cache: Path, target: Target) -> str:
    python = pip_environment(cache, f"litellm-{version}", f"litellm=={version}", "mcp")
    nonce = secrets.token_hex(8)
    env = clean_environment(
        cache, BASE=target.base_url, KEY=target.key, NONCE=nonce, LITELLM_LOCAL_MODEL_COST_MAP="True"
    )
    answer = run([str(python), "-c", LITELLM_CHECK], cwd=cache, env=env)
    if nonce not in answer:
        raise CheckFailed(f"the second answer does not show the tool result: {answer[-500:]}")
    return version


# --- opencode ---------------------------------------------------------------------------------------------------


def check_opencode(version: str, cache: Path, target: Target) -> str:
    modules = npm_install(cache, f"opencode-{version}", f"opencode-ai@{version}")
    binaries = sorted(modules.glob("opencode-linux-x64/bin/opencode"))
    if not binaries:
        raise CheckFailed("npm brought no opencode binary for this machine")
    nonce = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        (work / "note.txt").write_text(f"nonce {nonce}\n")
        settings = {
            "provider": {"anthropic": {"options": {"baseURL": target.base_url + "/v1", "apiKey": target.key}}},
            "autoupdate": False,
        }
        configuration = home / "opencode.json"
        configuration.write_text(json.dumps(settings))
        env = clean_environment(home, OPENCODE_CONFIG=str(configuration), OPENCODE_DISABLE_MODELS_FETCH="1")
        prompt = call("bash", {"command": "cat note.txt", "description": "Read the note"})
        # It puts quotes around arguments that hold spaces, and joins them with spaces.
        command = [str(binaries[0]), "run", "--model", "anthropic/claude-sonnet-4-5", *prompt.split(" ")]
        answer = run(command, cwd=work, env=env)
        if nonce not in answer:
            raise CheckFailed(f"the answer does not show what bash read: {answer[-500:]}")
    return version


Check = Callable[[Path, Target], str]
CHECKS: dict[str, Check] = {
    "python-sdk-2.12.0": lambda cache, target: check_python_sdk("2.12.0", cache, target),
    "python-sdk-0.125.0": lambda cache, target: check_python_sdk("0.125.0", cache, target),
    "typescript-sdk-1.12.0": lambda cache, target: check_typescript_sdk("1.12.0", cache, target),
    "claude-code-2.1.330": lambda cache, target: check_claude_code("2.1.330", cache, target),
    "claude-code-2.0.76": lambda cache, target: check_claude_code("2.0.76", cache, target),
    "opencode-1.18.33": lambda cache, target: check_opencode("1.18.33", cache, target),
    "litellm-1.106.2": lambda cache, target: check_litellm("1.106.2", cache, target),
}


@contextmanager
def demo_server() -> Iterator[Target]:
    """`serve --demo` on a free port; the address and key are read from what it prints."""
    command = [sys.executable, "-m", "kiro_rs_py", "serve", "--demo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        url = key = ""
        for line in process.stdout:
            url = url or next(iter(re.findall(r"ANTHROPIC_BASE_URL=[\"']?(http://[^\s\"']+)", line)), "")
            key = key or next(iter(re.findall(r"ANTHROPIC_AUTH_TOKEN=[\"']?([^\s\"']+)", line)), "")
            if url and key:
                break
        else:
            raise CheckFailed("serve --demo ended before it printed its address")
        yield Target(url.rstrip("/"), key)
    finally:
        process.terminate()
        process.wait(timeout=60)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"any of: {', '.join(CHECKS)}")
    parser.add_argument("--cache", type=Path, default=Path(platformdirs.user_cache_dir("kiro-rs-py")) / "clients")
    arguments = parser.parse_args()
    wanted: list[str] = arguments.clients or list(CHECKS)
    if unknown := set(wanted) - set(CHECKS):
        parser.error(f"no such client: {', '.join(sorted(unknown))}")
    if any(name.startswith(("claude", "typescript", "opencode")) for name in wanted) and not shutil.which("npm"):
        parser.error("npm is needed for Claude Code, the TypeScript SDK and opencode")
    arguments.cache.mkdir(parents=True, exist_ok=True)
    failures = 0
    with demo_server() as target:
        for name in wanted:
            for path in ("", "/cc"):
                try:
                    version = CHECKS[name](arguments.cache, Target(target.base_url + path, target.key))
                    print(f"ok      {name:24} {path or '/':4} {version}", flush=True)
                except (CheckFailed, subprocess.SubprocessError) as error:
                    failures += 1
                    print(f"FAILED  {name:24} {path or '/':4} {error}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
