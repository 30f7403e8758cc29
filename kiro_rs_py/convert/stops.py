"""``stop_sequences``, which Kiro does not know, enforced on the way out (PRODUCT §3.2)."""

from __future__ import annotations

from collections.abc import Sequence


class StopScanner:
    """Text in any pieces → the text up to the first stop sequence.

    The sequence that is complete first wins, as if the text had come character by character; of two complete at the
    same place the longer one. Only a tail that may be the beginning of a sequence is held back, so what comes out does
    not depend on how the text was cut.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._longest = max(map(len, self._sequences), default=0)
        self._first = "".join({sequence[0] for sequence in self._sequences})
        self._held = ""
        self.matched: str | None = None

    def passes(self, text: str) -> bool:
        """Whether ``text`` comes out as it is: nothing is held, and no sequence begins in it. True for most texts, and
        quicker to ask than :meth:`receive`."""
        if self._held or self.matched is not None:
            return False
        for character in self._first:  # noqa: SIM110  # a generator would take longer than all the rest
            if character in text:
                return False
        return True

    def receive(self, text: str) -> str:
        """The text that may be shown. Once a sequence has ``matched``, nothing more comes out."""
        if self.matched is not None:
            return ""
        text = self._held + text
        found = [
            (start + len(sequence), start, sequence)
            for sequence in self._sequences
            if (start := text.find(sequence)) >= 0
        ]
        if found:
            _, cut, self.matched = min(found)
            self._held = ""
        else:
            cut = self._undecided(text)
            self._held = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """The held tail, which a block's end proves to be ordinary text."""
        held, self._held = self._held, ""
        return held

    def _undecided(self, text: str) -> int:
        """Where the tail of ``text`` begins that may be the beginning of a sequence."""
        start = max(0, len(text) - self._longest + 1)
        earliest = len(text)
        for sequence in self._sequences:
            at = text.find(sequence[0], start)
            while 0 <= at < earliest:
                if sequence.startswith(text[at:]):
                    earliest = at
                at = text.find(sequence[0], at + 1)
        return earliest
