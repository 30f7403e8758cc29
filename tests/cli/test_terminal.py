from __future__ import annotations

import os
import pty
import sys

import pytest

from kiro_rs_py.cli.terminal import is_fancy, print_json, print_table, prompting

ROWS = [("claude-opus-5", "1000000"), ("[1m]", "")]


def test_plain_lines_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "window"), ROWS)
    assert capsys.readouterr().out.splitlines() == ["id             window", "claude-opus-5  1000000", "[1m]"]


def test_wide_characters_take_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("漢字", "a"), ("e\u0301te\u0301", "b"), ("plain", "c")]
    print_table(("name", "x"), rows)
    assert capsys.readouterr().out.splitlines() == ["name   x", "漢字   a", "e\u0301te\u0301    b", "plain  c"]


@pytest.mark.parametrize("given_up", [KeyboardInterrupt, EOFError])
def test_a_prompt_given_up_ends_its_line(given_up: type[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), prompting():
        raise given_up
    assert capsys.readouterr().err == "\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"ключ": [1]})
    assert capsys.readouterr().out == '{\n  "ключ": [\n    1\n  ]\n}\n'


def on_a_terminal(code: str, **environ: str) -> str:
    """What a Python program writes to a real terminal."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": "80", **environ})
        os.execv(sys.executable, [sys.executable, "-c", code])
    written = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        written += chunk
    os.close(master)
    os.waitpid(pid, 0)
    return written.decode()


CODE = f"from kiro_rs_py.cli.terminal import print_table; print_table(('id', 'window'), {ROWS})"


def test_a_terminal_gets_a_drawn_table_with_nothing_interpreted() -> None:
    written = on_a_terminal(CODE, NO_COLOR="")
    assert "\x1b[1m" in written
    assert "[1m]" in written.replace("\x1b[1m", "")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_asks_for_plain_gets_plain(environ: dict[str, str]) -> None:
    assert "\x1b" not in on_a_terminal(CODE, **environ)


def test_a_pipe_is_not_fancy() -> None:
    assert not is_fancy()
