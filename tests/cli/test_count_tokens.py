from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import RunCli
from tests.cli.test_counting import REQUEST, TOTAL

# --log-level keeps the front away: these go through Typer.
VIA_TYPER = ("--log-level", "info")


def test_from_stdin(cli: RunCli) -> None:
    result = cli("count-tokens", "-", *VIA_TYPER, stdin=json.dumps(REQUEST))
    assert (result.code, result.out, result.err) == (0, f"{TOTAL}\n", "")


def test_the_front_and_typer_agree(cli: RunCli, home: Path) -> None:
    path = home / "r.json"
    path.write_text(json.dumps(REQUEST))
    for args in ([str(path)], [str(path), "--json"], [str(path), "--breakdown"], ["--text", "a b c", "--json"]):
        assert cli("count-tokens", *args) == cli("count-tokens", *args, *VIA_TYPER)


def test_one_source_is_needed(cli: RunCli) -> None:
    for args in ([], ["file", "--text", "x"]):
        result = cli("count-tokens", *args)
        assert result.code == 2
        assert "either a FILE" in result.err


def test_a_bad_request_is_one_sentence(cli: RunCli) -> None:
    result = cli("count-tokens", "-", stdin="{")
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
