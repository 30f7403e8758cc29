"""What a check has found, with what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "note", "warning", "error"]
"""An ``error`` keeps something from working or a secret from being one; a ``note`` is only worth knowing."""

# Our sentences name the remedy last: "It is so. Do this."
_BOUNDARY = re.compile(r"(?<=[.!?]) (?=[A-Z`])")


@dataclass(frozen=True, slots=True)
class Finding:
    """``fix`` says what to do, empty where nothing is to be done."""

    level: Level
    topic: str
    message: str
    fix: str = ""

    def to_json(self) -> dict[str, object]:
        return {"level": self.level, "topic": self.topic, "message": self.message, "fix": self.fix or None}


def finding_of(level: Level, topic: str, told: str, fix: str = "") -> Finding:
    """A finding from the text of an error or a warning, whose last sentence is the remedy; ``fix`` if it has none."""
    sentence, *rest = _BOUNDARY.split(told.strip(), maxsplit=1)
    return Finding(level, topic, sentence, rest[0] if rest else fix)
