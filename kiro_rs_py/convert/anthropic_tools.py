"""Anthropic's own tools that the client runs: the API knows their description and input, Kiro has to be told.

A request names them by type only (``bash_20250124``). Keys of the table are the types without their date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kiro_rs_py.convert.anthropic import Json, JsonObject


@dataclass(frozen=True, slots=True)
class KnownTool:
    description: str
    schema: JsonObject


def known_tool(kind: str) -> KnownTool | None:
    """The tool of a dated type, or None when it is one that only Anthropic's servers run."""
    return _KNOWN.get(kind.rpartition("_")[0])


def _object(required: list[Json], **properties: JsonObject) -> JsonObject:
    named: dict[str, Json] = dict(properties)
    return {"type": "object", "properties": named, "required": required}


def _text(description: str = "") -> JsonObject:
    return {"type": "string", "description": description} if description else {"type": "string"}


def _choice(*values: Json) -> JsonObject:
    return {"type": "string", "enum": list(values)}


_NUMBERS: JsonObject = {"type": "array", "items": {"type": "integer"}}
_NUMBER: JsonObject = {"type": "integer"}

_KNOWN: Mapping[str, KnownTool] = MappingProxyType(
    {
        "bash": KnownTool(
            "Runs a command in a shell that stays open between calls, and returns what it printed.",
            {
                "type": "object",
                "properties": {
                    "command": _text("The command to run."),
                    "restart": {"type": "boolean", "description": "Start a fresh shell instead of running a command."},
                },
            },
        ),
        "text_editor": KnownTool(
            "Views, creates and edits text files. `str_replace` needs an `old_str` that occurs exactly once; `insert` "
            "puts `new_str` after the line `insert_line`; `view` takes an optional `view_range` of two line numbers.",
            _object(
                ["command", "path"],
                command=_choice("view", "create", "str_replace", "insert"),
                path=_text("Path of the file or folder."),
                file_text=_text(),
                old_str=_text(),
                new_str=_text(),
                insert_line=_NUMBER,
                view_range=_NUMBERS,
            ),
        ),
        "memory": KnownTool(
            "Keeps notes in files below /memories, for later conversations.",
            _object(
                ["command"],
                command=_choice("view", "create", "str_replace", "insert", "delete", "rename"),
                path=_text("Path of the file or folder."),
                file_text=_text(),
                old_str=_text(),
                new_str=_text(),
                insert_line=_NUMBER,
                insert_text=_text(),
                view_range=_NUMBERS,
                old_path=_text(),
                new_path=_text(),
            ),
        ),
        "computer": KnownTool(
            "Uses the mouse, the keyboard and the screen of a computer. `screenshot` shows the screen; positions are "
            "pixels from its upper left corner.",
            _object(
                ["action"],
                action=_text("screenshot, left_click, double_click, mouse_move, type, key, scroll, wait, …"),
                coordinate=_NUMBERS,
                text=_text("What to type, or the keys to press."),
                scroll_direction=_choice("up", "down", "left", "right"),
                scroll_amount=_NUMBER,
                duration=_NUMBER,
            ),
        ),
    }
)
