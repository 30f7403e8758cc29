from __future__ import annotations

import io
import sys

import pytest
import trio

from kiro_rs_py.cli.login_screen import Screen, has_browser, qr_lines

ADDRESS = "https://device.sso.us-east-1.amazonaws.com/?user_code=ABCD-EFGH"


class FakeTerminal(io.StringIO):
    """stderr that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    shown = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


def test_a_qr_code_in_half_blocks() -> None:
    lines = qr_lines(ADDRESS)
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines)) <= set(" ▀▄█")
    # two light modules around it, as scanners want
    assert set(lines[0]) == {"█"}
    assert all(line.startswith("██") and line.endswith("██") for line in lines[:-1])


def test_the_qr_code_is_shown_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    Screen().show_code(ADDRESS, "ABCD-EFGH")
    assert "\x1b[97;40m██" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.truncate(0)
    Screen().show_code(ADDRESS, "ABCD-EFGH")
    assert "█" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()
    for variable, value in (("COLUMNS", "20"), ("TERM", "dumb")):
        with monkeypatch.context() as changed:
            changed.setenv(variable, value)
            terminal.truncate(0)
            Screen().show_code(ADDRESS, "ABCD-EFGH")
            assert ADDRESS in terminal.getvalue()
            assert "█" not in terminal.getvalue()
    terminal.encoding = "ascii"
    terminal.truncate(0)
    Screen().show_code(ADDRESS, "ABCD-EFGH")
    assert "█" not in terminal.getvalue()


async def test_the_countdown_counts_and_cleans_up(monkeypatch: pytest.MonkeyPatch, autojump_clock: object) -> None:
    terminal = use_terminal(monkeypatch)
    screen = Screen()
    with trio.move_on_after(2.5):
        await screen.count_down(62)
    shown = terminal.getvalue()
    assert shown.count(" left, Ctrl-C cancels.") == 3
    assert "1:02 left" in shown
    assert shown.endswith("\r\x1b[K")
    terminal.truncate(0)
    await screen.count_down(1)
    assert "0:01 left" in terminal.getvalue()


async def test_no_countdown_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    await Screen().count_down(600)
    assert capsys.readouterr().err == "Waiting, for 10 minutes at most.\n"


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER", None])
def test_a_browser_needs_a_display(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, ":0")
    assert has_browser() is (variable is not None)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert has_browser()


async def test_a_browser_that_fails_is_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "/nonexistent/browser %s")
    await Screen().open_browser(ADDRESS)
    await Screen(browser=False).open_browser(ADDRESS)
