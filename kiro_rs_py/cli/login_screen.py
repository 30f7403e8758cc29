"""What ``login`` shows on stderr: on a terminal with a QR code and a countdown, elsewhere as plain lines."""

from __future__ import annotations

import io
import os
import shutil
import sys
import webbrowser

import trio

from kiro_rs_py.cli.terminal import stdin_is_terminal, tell

_CLEAR_LINE = "\r\x1b[K"
_WHITE_ON_BLACK = "\x1b[97;40m"
_RESET = "\x1b[0m"


class Screen:
    """The person's side of a login. ``browser`` False never opens one."""

    def __init__(self, *, browser: bool = True) -> None:
        self._browser = browser
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.can_paste = stdin_is_terminal()
        """Whether somebody is there to paste an address."""
        self._counting = False

    def say(self, line: str) -> None:
        """A line of its own."""
        self._end_countdown()
        tell(line)

    def show_code(self, address: str, code: str) -> None:
        """The address to open and the code that its page must show."""
        self.say("To sign in, open this address in a browser on any machine:\n")
        self.say(f"    {address}\n")
        self.say(f"and check that it shows the code  {code}\n")
        self._show_qr(address)

    def show_address(self, address: str) -> None:
        """The address to open, for logins that come back to this machine."""
        self.say(f"To sign in, open this address in a browser:\n\n    {address}\n")
        if self.can_paste:
            self.say(
                "If that browser runs on another machine, it ends at an address with 127.0.0.1 that it cannot open.\n"
                "Paste that address here and press Enter. (Ctrl-C cancels.)"
            )

    async def open_browser(self, address: str) -> None:
        """Open the browser if there is one to open; whether that works is nobody's business but the person's."""
        if self._browser and has_browser():
            await trio.to_thread.run_sync(_open_quietly, address, abandon_on_cancel=True)

    async def count_down(self, seconds: float) -> None:
        """Show the time left until cancelled."""
        if not self._terminal:
            self.say(f"Waiting, for {seconds / 60:.0f} minutes at most.")
            return
        deadline = trio.current_time() + seconds
        try:
            while (left := deadline - trio.current_time()) > 0:
                self._counting = True
                sys.stderr.write(
                    f"{_CLEAR_LINE}Waiting for you to sign in: {int(left) // 60}:{int(left) % 60:02d} left, "
                    "Ctrl-C cancels. "
                )
                sys.stderr.flush()
                await trio.sleep(1)
        finally:
            self._end_countdown()

    async def read_line(self) -> str | None:
        """The next line typed, None at the end of input."""
        # Not sys.stdin: a thread that waits inside its buffer would hang the interpreter's end.
        descriptor = sys.stdin.fileno()
        line = await trio.to_thread.run_sync(os.read, descriptor, 65_536, abandon_on_cancel=True)
        return line.decode("utf-8", "replace") if line else None

    def _end_countdown(self) -> None:
        if self._counting:
            self._counting = False
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()

    def _show_qr(self, address: str) -> None:
        lines = qr_lines(address) if self._terminal else []
        columns = shutil.get_terminal_size().columns
        if not lines or len(lines[0]) > columns or not _can_print("".join(lines)):
            return
        # Black on white whatever the terminal's colours are, unless colours are not wanted at all.
        colour, reset = ("", "") if os.environ.get("NO_COLOR") else (_WHITE_ON_BLACK, _RESET)
        self.say("".join(f"  {colour}{line}{reset}\n" for line in lines))


def qr_lines(text: str) -> list[str]:
    """A QR code in half blocks, all lines equally long, light modules drawn: for light letters on a dark ground."""
    import segno

    drawing = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawing, border=2, compact=True)
    return drawing.getvalue().splitlines()


def has_browser() -> bool:
    """Whether a window can be expected. On a machine without a display the text browsers that Python would start
    instead take the terminal away."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _open_quietly(address: str) -> None:
    try:
        webbrowser.open(address)
    except (webbrowser.Error, OSError):
        return


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
