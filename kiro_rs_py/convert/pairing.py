"""Calls and results, paired as Kiro demands: each call answered once, in the turn right after it, under a fresh id.

Otherwise the service answers 400 ``TOOL_USE_RESULT_MISMATCH`` (upstream-protocol §1.7.7), from then on to every turn of
the session. So a call without a result goes, a result without a call becomes text (R1), and an id that comes again in
a later turn, as some clients number their calls, gets a new one (R10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.kiro import AssistantMessage, HistoryEntry, ToolResult, ToolUse, UserMessage
from kiro_rs_py.convert.tool_names import unused

Part = TypeVar("Part", ToolUse, ToolResult)


def paired(turns: Iterable[HistoryEntry], notes: list[str]) -> list[HistoryEntry]:
    """``turns`` (alternating, a user turn last), repaired."""
    made: list[HistoryEntry] = []
    taken: set[str] = set()
    for turn in turns:
        if isinstance(turn, UserMessage):
            first_results: dict[str, ToolResult] = {}
            for result in turn.tool_results:
                first_results.setdefault(result.tool_use_id, result)
            wire_ids: dict[str, str] = {}
            if made and isinstance(caller := made[-1], AssistantMessage):
                made[-1], wire_ids = _answered(caller, first_results, taken, notes)
            turn = _answer(turn, first_results, wire_ids, notes)
        made.append(turn)
    return made


def _answer(
    turn: UserMessage, first_results: Mapping[str, ToolResult], wire_ids: Mapping[str, str], notes: list[str]
) -> UserMessage:
    """``turn`` with the first result of each call, by the call's id on the wire."""
    results: list[ToolResult] = []
    unmatched: list[str] = []
    for result in turn.tool_results:
        tool_use_id = result.tool_use_id
        first = first_results[tool_use_id]
        if result is first and tool_use_id in wire_ids:
            results.append(_with_id(result, wire_ids[tool_use_id]))
        elif result is not first and result.text == first.text:
            notes.append(f"dropped the repeated result of {_short(tool_use_id)}")
        else:
            notes.append(f"sent the result of {_short(tool_use_id)} as text: no call waits for it")
            unmatched.append(texts.unmatched_result(tool_use_id, result.text))
    kept = tuple(results)
    text = "\n\n".join(filter(None, (turn.content, *unmatched)))
    return turn if kept == turn.tool_results else replace(turn, content=text, tool_results=kept)


def _answered(
    caller: AssistantMessage, results: Mapping[str, ToolResult], taken: set[str], notes: list[str]
) -> tuple[AssistantMessage, dict[str, str]]:
    """``caller`` with the calls that have a result; their ids → the ids they go by on the wire."""
    wire_ids: dict[str, str] = {}
    uses: list[ToolUse] = []
    for use in caller.tool_uses:
        tool_use_id = use.tool_use_id
        if tool_use_id not in results:
            notes.append(f"dropped tool call {_short(tool_use_id)}: no result follows it")
        elif tool_use_id in wire_ids:
            notes.append(f"dropped tool call {_short(tool_use_id)}: its id came before")
        else:
            wire_ids[tool_use_id] = wire_id = unused(tool_use_id, taken)
            taken.add(wire_id)
            uses.append(_with_id(use, wire_id))
    kept = tuple(uses)
    return caller if kept == caller.tool_uses else replace(caller, tool_uses=kept), wire_ids


def _with_id(part: Part, wire_id: str) -> Part:
    return part if part.tool_use_id == wire_id else replace(part, tool_use_id=wire_id)


def _short(tool_use_id: str) -> str:
    return tool_use_id[:64]
