from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from kiro_rs_py.codec.frame import event_frame, exception_frame
from tests.cli.conftest import RunCli
from tests.cli.running import serving

GOOD = event_frame("assistantResponseEvent", b'{"content":"Hi"}') + exception_frame("ThrottlingException", b"{}")


def test_a_file(cli: RunCli, home: Path) -> None:
    (home / "work" / "answer.bin").write_bytes(GOOD)
    result = cli("decode", "answer.bin")
    assert (result.code, result.err) == (0, "")
    assert '"content": "Hi"' in result.out
    assert "frame 2: byte" in result.out
    assert "\x1b" not in result.out
    assert result.out.endswith(f"\n2 frames, {len(GOOD)} bytes, no damage\n")


def test_the_command_line_itself_as_json(cli: RunCli) -> None:
    result = cli("decode", "--json", GOOD.hex())
    assert result.code == 0
    assert [frame["offset"] for frame in json.loads(result.out)] == [0, 124]


def test_damage_makes_the_exit_code(cli: RunCli) -> None:
    for options in ((), ("--json",)):
        result = cli("decode", *options, "-", stdin=GOOD[:-1].hex())
        assert result.code == 1
        assert "cut off after" in result.out
        assert result.err == ""


def test_colour_on_a_terminal(cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiro_rs_py.cli.decode.is_fancy", lambda: True)
    result = cli("decode", GOOD[:-1].hex())
    assert "\x1b[1mframe 1" in result.out
    assert "\x1b[31m! cut off" in result.out


def test_no_such_file_is_one_sentence(cli: RunCli) -> None:
    result = cli("decode", "answer.bin")
    assert result.code == 1
    assert result.err.startswith("error: answer.bin cannot be read")
    assert result.out == ""


def test_what_serve_dumps(cli: RunCli, home: Path) -> None:
    with serving("--demo", "--port", "0", "--dump", "dumps", cwd=home) as served:
        assert served.say("<<SAY secret>>") == "secret"
        code, err = served.end(signal.SIGTERM)
    assert code == 0
    assert "redacted answers" in err
    [path] = (home / "dumps").glob("*.eventstream")
    result = cli("decode", str(path))
    assert result.code == 0
    assert '"content": "xxxxxx"' in result.out


def test_a_folder_for_dumps_that_others_can_read(cli: RunCli, home: Path) -> None:
    (home / "dumps").mkdir()
    (home / "dumps").chmod(0o755)
    result = cli("serve", "--demo", "--port", "0", "--dump", str(home / "dumps"))
    assert result.code == 3
    assert "chmod 700" in result.err
    assert result.out == ""
