"""Tool calls put together from their fragments (upstream-protocol §2.5)."""

from __future__ import annotations

import json
from collections import deque

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.client_json import finite, no_constant
from kiro_rs_py.convert.events import AssistantText, Reasoning, ToolUseFragment
from kiro_rs_py.convert.surrogates import EscapeMender, well_formed_json


def parse_tool_input(text: str) -> JsonObject | None:
    """The arguments of a call: ``{}`` for no text at all, None for text that is no JSON object, a cut one for example.

    Strict JSON: NaN, or a number beyond what a float holds, could be passed on to nobody.
    """
    if not text.strip():
        return {}
    try:
        value: object = json.loads(text, parse_constant=no_constant, parse_float=finite)
        if not isinstance(value, dict):
            return None
        return well_formed_json(value) if "\\u" in text else value
    except (ValueError, RecursionError):
        return None


class ToolCall:
    """One call, fragment by fragment. ``stopped`` once upstream said so; later fragments for its id are ignored."""

    __slots__ = ("_checked", "_mender", "_parts", "_taken", "id", "name", "opened", "stopped")

    def __init__(self, tool_use_id: str) -> None:
        self.id = tool_use_id
        self.name = ""
        self.opened = False
        """Its block has begun; the machine that writes blocks sets this."""
        self.stopped = False
        self._parts: list[str] = []
        self._taken = 0
        self._checked = 0
        self._mender: EscapeMender | None = None

    def add(self, fragment: ToolUseFragment) -> None:
        if self.stopped:
            return
        self.name = self.name or fragment.name
        if fragment.input:
            self._parts.append(fragment.input)
        self.stopped = fragment.stop

    def extended(self, fragment: ToolUseFragment) -> str:
        """The input of ``fragment``, added and taken at once; empty, and nothing done, if there is more to it than
        that."""
        if fragment.stop or self.stopped or self._taken != len(self._parts) or self._needs_mending(fragment.input):
            return ""
        if fragment.input:
            self._parts.append(fragment.input)
            self._taken += 1
        return fragment.input

    def take_parts(self) -> list[str]:
        """The parts that were not taken yet, as clients may have them: with half a character in it, the call could not
        be sent back to us."""
        parts = self._parts[self._taken :]
        self._taken = len(self._parts)
        return [self._mended(part) for part in parts]

    def _needs_mending(self, part: str) -> bool:
        """Whether there may be escapes in it to look at; once there were, the next part may go on with one."""
        return self._mender is not None or "\\u" in part or part.endswith("\\")

    def _mended(self, part: str) -> str:
        if not self._needs_mending(part):
            return part
        self._mender = self._mender or EscapeMender()
        return self._mender.receive(part)

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


class Line:
    """What comes while a tool call is unfinished, in order: only one block is open at a time (D-2). True while
    something waits."""

    __slots__ = ("_calls", "_last_id", "_waiting")

    def __init__(self) -> None:
        self._calls: dict[str, ToolCall] = {}
        self._last_id = ""
        # Made with the first call: most answers have none, and it takes half a kilobyte of every open stream.
        self._waiting: deque[AssistantText | Reasoning | ToolCall] | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, item: AssistantText | Reasoning | ToolCall) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(item)

    def take(self) -> AssistantText | Reasoning | ToolCall:
        """What is next; only while something waits."""
        assert self._waiting is not None
        return self._waiting.popleft()

    def call_of(self, fragment: ToolUseFragment) -> ToolCall | None:
        """The call that ``fragment`` continues. Without an id that is the newest (upstream-protocol §2.5)."""
        self._last_id = fragment.tool_use_id or self._last_id
        return self._calls.get(self._last_id)

    def add(self, fragment: ToolUseFragment) -> None:
        """Add ``fragment`` to its call; a new one goes in line. Nothing if it belongs to none."""
        call = self.call_of(fragment)
        if call is None:
            if not self._last_id:
                return
            call = self._calls[self._last_id] = ToolCall(self._last_id)
            self.put(call)
        call.add(fragment)
