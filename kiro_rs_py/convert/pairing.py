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
from kiro_rs_py.convert.history import AssistantTurn, Turn, UserTurn
from kiro_rs_py.convert.kiro import ToolResult, ToolUse
from kiro_rs_py.convert.tool_names import unused_id

Part = TypeVar("Part", ToolUse, ToolResult)


def pair(turns: Iterable[Turn], notes: list[str]) -> None:
    """Repairs ``turns`` (alternating, a user turn last) in place."""
    taken: set[str] = set()
    caller = AssistantTurn()
    for turn in turns:
        if isinstance(turn, AssistantTurn):
            caller = turn
        else:
            _pair_turn(caller, turn, taken, notes)
            caller = AssistantTurn()


def _pair_turn(caller: AssistantTurn, answer: UserTurn, taken: set[str], notes: list[str]) -> None:
    first_results: dict[str, ToolResult] = {}
    for result in answer.results:
        first_results.setdefault(result.tool_use_id, result)
    wire_ids = _keep_answered(caller, first_results, taken, notes)
    results: list[ToolResult] = []
    unmatched: list[str] = []
    for result in answer.results:
        tool_use_id = result.tool_use_id
        first = first_results[tool_use_id]
        if result is first and tool_use_id in wire_ids:
            results.append(_with_id(result, wire_ids[tool_use_id]))
        elif result is not first and result.text == first.text:
            notes.append(f"dropped the repeated result of {_short(tool_use_id)}")
        else:
            notes.append(f"sent the result of {_short(tool_use_id)} as text: no call waits for it")
            unmatched.append(texts.unmatched_result(tool_use_id, result.text))
    answer.results = results
    if unmatched:
        answer.text = "\n\n".join([*([answer.text] if answer.text else []), *unmatched])


def _keep_answered(
    caller: AssistantTurn, results: Mapping[str, ToolResult], taken: set[str], notes: list[str]
) -> dict[str, str]:
    """Leaves the calls that have a result; their ids → the ids they go by on the wire."""
    wire_ids: dict[str, str] = {}
    uses: list[ToolUse] = []
    for use in caller.uses:
        tool_use_id = use.tool_use_id
        if tool_use_id not in results:
            notes.append(f"dropped tool call {_short(tool_use_id)}: no result follows it")
        elif tool_use_id in wire_ids:
            notes.append(f"dropped tool call {_short(tool_use_id)}: its id came before")
        else:
            wire_ids[tool_use_id] = wire_id = unused_id(tool_use_id, taken)
            taken.add(wire_id)
            uses.append(_with_id(use, wire_id))
    caller.uses = uses
    return wire_ids


def _with_id(part: Part, wire_id: str) -> Part:
    return part if part.tool_use_id == wire_id else replace(part, tool_use_id=wire_id)


def _short(tool_use_id: str) -> str:
    return tool_use_id[:64]
