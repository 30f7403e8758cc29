from __future__ import annotations

from pathlib import Path

import pytest

from kiro_rs_py import __version__
from kiro_rs_py.cli import front
from kiro_rs_py.cli.front import answer_at_once


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    for spelling in ("--version", "-V"):
        assert answer_at_once([spelling]) == 0
        assert capsys.readouterr().out == f"kiro-rs-py {__version__}\n"


@pytest.mark.parametrize(
    "args",
    [
        ["serve", "word"],
        ["serve", "-h"],
        ["serve", "--demo", "--help"],
        ["serve", "-c"],
        ["serve", "-c", "--demo"],
        ["serve", "-c", ".", "-c", "."],
        ["serve", "-c", ".", "--config", "."],
        ["serve", "--port", "1", "--log-level", "debug"],
        ["serve", "--port=1"],
        ["serve", "--port", "-1"],
        ["serve", "--demo", "--port", "80000"],
        ["serve", "--port", "many"],
        ["serve", "--log-format", "xml"],
        ["-c", ".", "serve"],
        ["--version", "x"],
        ["count-tokens"],
        ["count-tokens", "a", "b"],
        ["count-tokens", "a", "--text", "b"],
        ["count-tokens", "--text"],
        ["count-tokens", "--text", "--json"],
        ["count-tokens", "--text", "a", "--text", "b"],
        ["count-tokens", "--text=a"],
        ["count-tokens", "a", "--mod", "x"],
        ["count-tokens", "a", "-h"],
        ["--help"],
        ["config", "init", "-h"],
        [],
    ],
)
def test_left_to_typer(args: list[str], home: Path) -> None:
    assert answer_at_once(args) is None


def test_count_tokens(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer_at_once(["count-tokens", "--text", "one two three four five six seven", "--json"]) == 0
    assert '"input_tokens"' in capsys.readouterr().out


@pytest.fixture
def pages(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = home / "pages"
    folder.mkdir()
    monkeypatch.setattr(front, "PAGES", str(folder))
    for name in ("_", "config_init"):
        (folder / f"{name}.txt").write_text(f"page {name}\n")
    return folder


@pytest.mark.parametrize(("args", "page"), [([], "_"), (["-h"], "_"), (["config", "init", "--help"], "config_init")])
def test_rendered_pages(args: list[str], page: str, pages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer_at_once(args) == 0
    assert capsys.readouterr().out == f"page {page}\n"


@pytest.mark.parametrize(
    "args",
    [["nonsense", "-h"], ["-c", "_", "-h"], ["_", "-h"], ["..", "-h"], ["config_init", "-h"], ["config-init", "-h"]],
)
def test_no_page_for_it(args: list[str], pages: Path) -> None:
    assert answer_at_once(args) is None


def test_narrow_terminals_and_completion_go_to_typer(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert answer_at_once(["--help"]) is None
    monkeypatch.setenv("COLUMNS", "many")
    assert answer_at_once(["--help"]) == 0
    monkeypatch.delenv("COLUMNS")
    assert answer_at_once(["--help"]) == 0
    monkeypatch.setenv("_KIRO_RS_PY_COMPLETE", "complete_bash")
    assert answer_at_once(["--help"]) is None
