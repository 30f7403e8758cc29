"""What Typer makes of a command line is what the front makes of it: ``--port=1`` is Typer's, ``--port 1`` the front's.

What ``serve`` does is in test_serving.py.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kiro_rs_py.cli.front import answer_at_once
from tests.cli.conftest import RunCli
from tests.cli.running import serving
from tests.cli.test_serving import write_files


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--host", "192.0.2.1", "--port", "8123"], 5),
        (["--port", "00070000"], 2),
        (["--port", "99999"], 2),
        (["--port", "-1"], 2),
        (["--port", "eighty"], 2),
        (["--port", "\u0663"], 5),
        (["--config", "there-is-none.json"], 3),
        (["--config", "broken.json"], 3),
        (["--credentials", "broken.json", "--host", "127.0.0.1", "--port", "0"], 4),
        (["--dump", "broken.json", "--host", "127.0.0.1", "--port", "0"], 3),
        (["--log-format", "xml"], 2),
    ],
)
def test_both_roads_end_alike(args: list[str], code: int, cli: RunCli, home: Path) -> None:
    config = write_files(home, "http://127.0.0.1:9", {"refreshToken": "x" * 120}, host="192.0.2.1")
    config.rename("config.json")
    (home / "credentials.json").rename("credentials.json")
    Path("broken.json").write_text("{")
    Path("broken.json").chmod(0o600)
    fronts = cli("serve", *args)
    typers = cli("serve", *(f"{name}={value}" for name, value in zip(args[::2], args[1::2], strict=True)))
    assert (fronts.code, fronts.out, without_log(fronts.err)) == (typers.code, typers.out, without_log(typers.err))
    assert (fronts.code, "error" in fronts.err.lower()) == (code, True)


@pytest.mark.parametrize("port", ["80000", "-1"])
def test_a_port_out_of_range_is_a_usage_error_in_the_demo_too(port: str, cli: RunCli, home: Path) -> None:
    for args in (["--port", port], [f"--port={port}"]):
        result = cli("serve", "--demo", *args)
        assert (result.code, result.out) == (2, "")
        assert f"'--port': {port} is not in the range 0<=x<=65535." in result.err


def without_log(err: str) -> list[str]:
    """Lines of the log begin with the time."""
    return [line for line in err.splitlines() if not line.startswith("20")]


def test_a_file_that_cannot_be_read(home: Path) -> None:
    """Typer has a sentence of its own for it, so the front leaves it alone, as it does what is not there."""
    assert answer_at_once(["serve", "-c", "there-is-none.json"]) is None
    assert answer_at_once(["serve", "--dump", "dumps"]) is None


def test_through_typer(home: Path) -> None:
    with serving("--demo", "--port=0", "--dump=dumps", "--log-format=json") as served:
        assert served.say("<<SAY hello>>") == "hello"
        code, err = served.end(signal.SIGTERM)
    assert code == 0
    assert err.startswith("{")
    assert list(Path("dumps").iterdir())
