"""Claude Code, headless: one session with its own tools, a picture, a web search, a long answer and a compaction."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from clients.bench import Place, Target, call, environment, expect, new_word, npm_install, place, run

LONG_ANSWER_WORDS = 3000


@dataclass(frozen=True)
class Session:
    """Turns of one conversation: each is a run of the program with ``--continue``."""

    command: list[str]
    model: str
    env: dict[str, str]
    work: Path

    def turn(self, prompt: str, *options: str, first: bool = False) -> str:
        resumed = [] if first else ["--continue"]
        arguments = ["-p", *resumed, prompt, "--model", self.model, "--dangerously-skip-permissions", *options]
        return run([*self.command, *arguments], cwd=self.work, env=self.env)


def check_claude_code(version: str, models: list[str], target: Target) -> str:
    command = claude_command(target.cache, version)
    for model in models:
        with place() as here:
            # Without tool search every tool is offered from the start: 25 of them, 88 kB of schemas.
            deferred = model != models[0]
            session = Session(command, model, claude_environment(here, target, deferred), here.work)
            write_and_read_a_file(session)
            look_at_a_picture(session)
            search_the_web(session, deferred)
            hear_a_long_answer(session)
            compact(session)
    return "files, picture, web search, long answer, /compact with " + " and ".join(models)


def claude_command(cache: Path, version: str) -> list[str]:
    """The native program that newer packages bring, else the one in JavaScript."""
    modules = npm_install(cache, f"claude-code-{version}", f"@anthropic-ai/claude-code@{version}")
    native = modules / "@anthropic-ai" / "claude-code-linux-x64" / "claude"
    if native.exists():
        return [str(native)]
    return ["node", str(modules / "@anthropic-ai" / "claude-code" / "cli.js")]


def claude_environment(here: Place, target: Target, deferred: bool) -> dict[str, str]:
    settings = {
        "ANTHROPIC_BASE_URL": target.base_url,
        "ANTHROPIC_AUTH_TOKEN": target.key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        # Root may skip the questions for permission only in a sandbox.
        "IS_SANDBOX": "1",
    }
    return environment(here.home, **settings, **({} if deferred else {"ENABLE_TOOL_SEARCH": "0"}))


def write_and_read_a_file(session: Session) -> None:
    word, file = new_word(), session.work / "note.txt"
    write = call("Write", file_path=str(file), content=f"nonce {word}\n")
    answer = session.turn(f"{write} {call('Bash', command=f'cat {file}', description='Read the note')}", first=True)
    expect(file.exists() and word in file.read_text(), "Write did not write the file", answer)
    expect(word in answer, "the answer does not show what Bash read", answer)


def look_at_a_picture(session: Session) -> None:
    """The model says how many pictures came with the result: the proxy lifts them out of it."""
    picture = session.work / "picture.png"
    picture.write_bytes(red_square(64))
    answer = session.turn(call("Read", file_path=str(picture)))
    expect("[1 image]" in answer, "the picture did not reach the model", answer)


def search_the_web(session: Session, deferred: bool) -> None:
    """Its search is a request of its own, with the server tool alone (clients §1.1)."""
    word = new_word()
    load = call("ToolSearch", query="select:WebSearch") if deferred else ""
    answer = session.turn(f"{load} {call('WebSearch', query=word)}")
    expect(f'"title":"Result 1 for {word}"' in answer, "no search result", answer)


def hear_a_long_answer(session: Session) -> None:
    word = new_word()
    said = " ".join([*(f"w{number}" for number in range(LONG_ANSWER_WORDS)), word])
    answer = session.turn(f"<<SAY {said}>>")
    expect(answer.strip() == said, "the long answer is not whole", answer)


def compact(session: Session) -> None:
    word = new_word()
    told = session.turn("/compact", "--output-format", "stream-json", "--verbose")
    lines = [json.loads(line) for line in told.splitlines()]
    expect(any(line.get("subtype") == "compact_boundary" for line in lines), "/compact did nothing", told)
    answer = session.turn(f"<<SAY {word}>>")
    expect(answer.strip() == word, "no answer after /compact", answer)


def red_square(size: int) -> bytes:
    """A PNG."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xff\0\0" * size) * size
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
