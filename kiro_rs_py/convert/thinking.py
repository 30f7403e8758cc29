"""Thinking that the model writes into its text, as ``<thinking>…</thinking>``, told apart from the answer.

The rules are those of response-conversion D-6. The tag counts only before any visible text, there as often as it comes.
The block ends at the first closing tag that is not quoted, that is, wrapped on both sides by the same one of `` ` ``
``"`` ``'``. One newline after the opening tag and one before the closing tag belong to the tags, and so do all newlines
after the latter.

What comes out depends on the text alone, never on how it was cut: only a tail that might still become part of a tag is
held back.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

OPEN_TAG: Final = "<thinking>"
CLOSE_TAG: Final = "</thinking>"
_QUOTES: Final = frozenset("`\"'")
# More blank space than this in front of a tag is an answer that starts with blanks. Keeps the held text bounded.
_MAX_LEADING_SPACE: Final = 1024


class Piece(NamedTuple):
    """A non-empty piece of thinking or of the answer."""

    thinking: bool
    text: str


class _Phase(Enum):
    BEFORE = auto()
    """Nothing visible yet: the opening tag may come."""
    OPENED = auto()
    """Behind the opening tag, whose newline may come."""
    THINKING = auto()
    CLOSED = auto()
    """Behind the closing tag, whose newlines may come, and then another thought."""
    TEXT = auto()
    """The rest is the answer, tags included."""


class ThinkingSplitter:
    """Text in any pieces → pieces of thinking and of answer, in order."""

    def __init__(self) -> None:
        self._phase = _Phase.BEFORE
        self._held = ""
        # The character in front of `_held` inside the block: a closing tag behind a quote may be quoted.
        self._previous = ""
        # A thought that comes next joins the one before it.
        self._again = False

    @property
    def done(self) -> bool:
        """Only answer text from here on: it need not pass through here any more."""
        return self._phase is _Phase.TEXT

    def receive(self, text: str) -> list[Piece]:
        """The pieces that ``text`` decides."""
        self._held += text
        return self._split(at_end=False)

    def flush(self) -> list[Piece]:
        """The pieces left when a block of another kind begins, or at the end of the answer.

        A block still open ends here, and what follows is answer. Where none is open, and with nothing visible so far,
        a tag may still come.
        """
        pieces = self._split(at_end=True)
        waits = self._phase in (_Phase.BEFORE, _Phase.CLOSED)
        self._phase = _Phase.BEFORE if waits else _Phase.TEXT
        self._again = False
        return pieces

    def _split(self, *, at_end: bool) -> list[Piece]:
        pieces: list[Piece] = []
        before: _Phase | None = None
        while self._held and before is not self._phase:
            before = self._phase
            match before:
                case _Phase.BEFORE:
                    self._look_for_opening(pieces, at_end)
                case _Phase.OPENED:
                    self._strip_first_newline(at_end)
                case _Phase.THINKING:
                    self._look_for_closing(pieces, at_end)
                case _Phase.CLOSED:
                    self._held = self._held.lstrip("\r\n")
                    if self._held:
                        # Nothing visible has come yet: models think in several segments now and then.
                        self._phase = _Phase.BEFORE
                        self._again = self._previous != ""
                case _:
                    self._emit(pieces, thinking=False, length=len(self._held))
        return pieces

    def _look_for_opening(self, pieces: list[Piece], at_end: bool) -> None:
        visible = self._held.lstrip()
        blank = len(self._held) - len(visible) <= _MAX_LEADING_SPACE
        if blank and visible.startswith(OPEN_TAG):
            self._held = visible[len(OPEN_TAG) :]
            self._phase = _Phase.OPENED
            if self._again:
                pieces.append(Piece(True, "\n\n"))
        elif not (blank and OPEN_TAG.startswith(visible)):
            self._phase = _Phase.TEXT
        elif at_end:
            # Blank space is shown, but it is nothing visible: after a tool call the tag may still come.
            self._phase = _Phase.TEXT if visible else _Phase.BEFORE
            self._emit(pieces, thinking=False, length=len(self._held))

    def _strip_first_newline(self, at_end: bool) -> None:
        if self._held == "\r" and not at_end:
            return
        self._held = self._held.removeprefix("\r\n") if self._held[0] == "\r" else self._held.removeprefix("\n")
        self._phase = _Phase.THINKING

    def _look_for_closing(self, pieces: list[Piece], at_end: bool) -> None:
        start = 0
        while (tag := self._held.find(CLOSE_TAG, start)) >= 0:
            after = tag + len(CLOSE_TAG)
            quote = self._held[tag - 1] if tag else self._previous
            if quote in _QUOTES:
                if after == len(self._held) and not at_end:
                    self._emit(pieces, thinking=True, length=tag)
                    return
                if self._held[after : after + 1] == quote:
                    start = after
                    continue
            end = _without_newline(self._held, tag)
            self._emit(pieces, thinking=True, length=end)
            self._held = self._held[after - end :]
            self._phase = _Phase.CLOSED
            return
        self._emit(pieces, thinking=True, length=len(self._held) if at_end else _undecided(self._held))

    def _emit(self, pieces: list[Piece], *, thinking: bool, length: int) -> None:
        if length:
            piece = self._held[:length]
            pieces.append(Piece(thinking, piece))
            self._previous = piece[-1]
            self._held = self._held[length:]


def _undecided(text: str) -> int:
    """Where the tail of ``text`` begins that may turn out to be the closing tag, or the newline in front of it."""
    tag = text.rfind("<", max(0, len(text) - len(CLOSE_TAG) + 1))
    if tag < 0 or not CLOSE_TAG.startswith(text[tag:]):
        tag = len(text)
        if text.endswith("\r"):
            return tag - 1
    return _without_newline(text, tag)


def _without_newline(text: str, end: int) -> int:
    if text.endswith("\r\n", 0, end):
        return end - 2
    return end - 1 if text.endswith("\n", 0, end) else end
