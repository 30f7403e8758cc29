"""Tool calls put together from their fragments (upstream-protocol §2.5)."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.events import ToolUseFragment
from kiro_rs_py.convert.surrogates import well_formed_json


def parse_tool_input(text: str) -> JsonObject | None:
    """The arguments of a call: ``{}`` for no text at all, None for text that is no JSON object, a cut one for example.

    Strict JSON: NaN, or a number beyond what a float holds, could be passed on to nobody.
    """
    if not text.strip():
        return {}
    try:
        value: object = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if not isinstance(value, dict):
            return None
        return well_formed_json(value) if "\\u" in text else value
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number too large")
    return number


class ToolCall:
    """One call, fragment by fragment. ``stopped`` once upstream said so; later fragments for its id are ignored."""

    __slots__ = ("_checked", "_parts", "_taken", "id", "name", "opened", "stopped")

    def __init__(self, tool_use_id: str) -> None:
        self.id = tool_use_id
        self.name = ""
        self.opened = False
        """Its block has begun; the machine that writes blocks sets this."""
        self.stopped = False
        self._parts: list[str] = []
        self._taken = 0
        self._checked = 0

    def add(self, fragment: ToolUseFragment) -> None:
        if self.stopped:
            return
        self.name = self.name or fragment.name
        if fragment.input:
            self._parts.append(fragment.input)
        self.stopped = fragment.stop

    def take_parts(self) -> list[str]:
        """The parts that were not taken yet."""
        parts = self._parts[self._taken :]
        self._taken = len(self._parts)
        return parts

    @property
    def arguments(self) -> JsonObject | None:
        """As far as they have come; None if that is no JSON object."""
        return parse_tool_input("".join(self._parts))

    @property
    def whole(self) -> bool:
        """The arguments are complete. Without ``stop`` only a whole object proves it: no text may be a cut too."""
        text = "".join(self._parts)
        return (self.stopped or bool(text.strip())) and parse_tool_input(text) is not None

    def close_if_whole(self) -> bool:
        """Treat as stopped if the arguments are complete, since nothing can follow a whole object.

        Asked again and again while other content waits; looks at the same parts once.
        """
        if not self.stopped and self._checked != len(self._parts):
            self._checked = len(self._parts)
            self.stopped = self._parts[-1].rstrip().endswith("}") and self.whole
        return self.stopped
