"""The tools of a request: which are offered, with which names and schemas, and what the client demands of the turn."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import (
    Json,
    JsonObject,
    Message,
    MessagesRequest,
    Tool,
    ToolReferenceBlock,
    ToolUseBlock,
    every_block,
    json_text,
)
from kiro_rs_py.convert.anthropic_tools import known_tool
from kiro_rs_py.convert.kiro import ToolSpecification, tool_to_json
from kiro_rs_py.convert.schemas import acceptable_schema
from kiro_rs_py.convert.tool_names import WireNames
from kiro_rs_py.convert.websearch import is_web_search, offered_search

MAX_DESCRIPTION_CHARS = 10_000
_HINTS = {"Write": f"\n{texts.WRITE_SUFFIX}", "Edit": f"\n{texts.EDIT_SUFFIX}"}
_TOOL_SEARCH = "tool_search_tool"
_STUB: JsonObject = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {}, "type": "object"}


def wire_names(request: MessagesRequest, in_use: Iterable[str]) -> WireNames:
    """What all tools that are offered or :func:`mentioned` in the request are called upstream."""
    return WireNames([*(tool.name for tool in request.tools if tool.name), *in_use])


def offered_tools(request: MessagesRequest, in_use: Collection[str], notes: list[str]) -> tuple[Tool, ...]:
    """The tools of the request that can be offered to the model, each name once.

    ``in_use``: the names that are :func:`mentioned`. Left out are server tools that only Anthropic can run, that is
    all but the web search (R8), deferred ones that no ``tool_reference`` has loaded, and all of them when
    ``tool_choice`` is ``none``.
    """
    if request.tool_choice.type == "none":
        if request.tools:
            notes.append("left all tools out: tool_choice is none")
        return ()
    # With Anthropic's own tool search nobody is left to load deferred tools.
    all_loaded = any((tool.type or "").startswith(_TOOL_SEARCH) for tool in request.tools)
    loaded = {*in_use, request.tool_choice.name}
    offered: dict[str, Tool] = {}
    for tool in request.tools:
        client_tool = _as_client_tool(tool)
        if client_tool is None:
            notes.append(f"left out server tool {tool.name or tool.type}: it cannot be run here")
        elif tool.name in offered:
            notes.append(f"left out the second tool named {tool.name}")
        elif tool.defer_loading and not all_loaded and tool.name not in loaded:
            notes.append(f"left out deferred tool {tool.name}: it is not loaded yet")
        else:
            offered[tool.name] = client_tool
    return tuple(offered.values())


def mentioned(messages: Iterable[Message]) -> tuple[str, ...]:
    """Names of the tools that the conversation uses or has loaded by a ``tool_reference``, in no special order."""
    names: dict[str, None] = {}
    for block in every_block(messages):
        if isinstance(block, ToolUseBlock):
            names[block.name] = None
        elif isinstance(block, ToolReferenceBlock):
            names[block.tool_name] = None
    return tuple(names)


def _as_client_tool(tool: Tool) -> Tool | None:
    if is_web_search(tool) and tool.name:
        return offered_search(tool)
    if tool.type in (None, "custom"):
        return tool
    known = known_tool(tool.type or "")
    if known is None or not tool.name:
        return None
    return replace(
        tool, description=tool.description or known.description, input_schema=tool.input_schema or known.schema
    )


def writes_files(tools: Iterable[Tool]) -> bool:
    """Whether the hints about large files make sense: a tool is called exactly ``Write`` or ``Edit`` (§5.1)."""
    return any(tool.name in _HINTS for tool in tools)


def specifications(offered: Iterable[Tool], names: WireNames, notes: list[str]) -> tuple[ToolSpecification, ...]:
    """The tools as they are sent; each kind of repair is one note with its count."""
    filled = cut = repaired = 0
    made: list[ToolSpecification] = []
    for tool in offered:
        schema = acceptable_schema(tool.input_schema)
        description, hint = tool.description, _HINTS.get(tool.name, "")
        room = MAX_DESCRIPTION_CHARS - len(hint)  # for a hint to be of use, all of it has to arrive
        if not description.strip():
            # Kiro refuses blank descriptions (R6).
            description = f"Tool: {tool.name}"
            filled += 1
        cut += len(description) > room
        repaired += schema != tool.input_schema
        made.append(ToolSpecification(names[tool.name], description[:room] + hint, schema))
    kinds = (
        (len(names.client_names), "sent {} tool names as aliases"),
        (filled, "filled {} empty tool descriptions"),
        (cut, f"cut {{}} tool descriptions to {MAX_DESCRIPTION_CHARS} characters"),
        (repaired, "repaired {} tool schemas"),
    )
    notes += [words.format(count) for count, words in kinds if count]
    return tuple(made)


def with_placeholders(
    specifications: tuple[ToolSpecification, ...], used: Iterable[str], notes: list[str]
) -> tuple[ToolSpecification, ...]:
    """``specifications`` and a stub for every used name without one: Kiro wants each tool of the history defined,
    without regard to case (§5.3). ``used`` are names on the wire."""
    known = {tool.name.lower() for tool in specifications}
    missing = [name for name in dict.fromkeys(used) if name.lower() not in known]
    if missing:
        notes.append(f"defined {len(missing)} tools that only the history uses: {', '.join(missing)}")
    return (*specifications, *(ToolSpecification(name, texts.PLACEHOLDER_DESCRIPTION, _STUB) for name in missing))


def turn_instructions(
    request: MessagesRequest, offered: tuple[Tool, ...], names: WireNames, notes: list[str]
) -> list[str]:
    """What the client demands of this turn and Kiro has no field for, in words."""
    choice = request.tool_choice
    demands: list[str] = []
    if choice.type == "none" and request.tools:
        demands.append(texts.CALL_NO_TOOL)
    elif choice.type == "any" and offered:
        demands.append(texts.CALL_ANY_TOOL)
    elif choice.type == "tool" and any(tool.name == choice.name for tool in offered):
        demands.append(texts.call_tool(names[choice.name or ""]))
    elif choice.type != "auto":
        notes.append(f"ignored tool_choice {choice.type}: no such tool is offered")
    if choice.disable_parallel_tool_use and offered:
        demands.append(texts.ONE_CALL_AT_MOST)
    if request.output_schema is not None:
        demands.append(texts.answer_in_schema(json_text(request.output_schema)))
    return demands


# --- compression --------------------------------------------------------------------------------------------------

_KEPT = frozenset({"type", "enum", "const", "required", "$ref"})
_KEPT_MAPS = frozenset({"properties", "$defs", "definitions"})
_KEPT_PARTS = frozenset({"items", "prefixItems", "anyOf", "oneOf", "allOf"})
_SHORTEST_DESCRIPTION = 50
_ELLIPSIS = "..."


def compressed(
    specifications: tuple[ToolSpecification, ...], limit: int, notes: list[str]
) -> tuple[ToolSpecification, ...]:
    """Tools that fit into ``limit`` bytes of JSON, or come as near as this goes (§5.4); 0 is no limit.

    First the schemas lose what a caller can do without, then the descriptions are cut, all in proportion. No tool is
    left out and no reference is torn.
    """
    size = _size(specifications)
    if not limit or size <= limit:
        return specifications
    before = size
    slim = tuple(replace(tool, schema=_slim(tool.schema)) for tool in specifications)
    size = _size(slim)
    total = sum(len(tool.description.encode()) for tool in slim)
    if size > limit and total:
        share = max(1 - (size - limit) / total, 0.0)
        slim = tuple(replace(tool, description=_cut(tool.description, share)) for tool in slim)
    notes.append(f"compressed tool definitions from {before} to {_size(slim)} bytes")
    return slim


def _size(specifications: tuple[ToolSpecification, ...]) -> int:
    return len(json_text([tool_to_json(tool) for tool in specifications]).encode())


def _slim(schema: JsonObject) -> JsonObject:
    slim: JsonObject = {}
    for key, value in schema.items():
        if key in _KEPT:
            slim[key] = value
        elif key in _KEPT_MAPS and isinstance(value, dict):
            slim[key] = {name: _slim_part(part) for name, part in value.items()}
        elif key in _KEPT_PARTS:
            slim[key] = _slim_part(value)
    return slim


def _slim_part(value: Json) -> Json:
    if isinstance(value, dict):
        return _slim(value)
    if isinstance(value, list):
        return [_slim_part(item) for item in value]
    return value


def _cut(description: str, share: float) -> str:
    raw = description.encode()
    length = max(int(len(raw) * share), _SHORTEST_DESCRIPTION)
    if len(raw) <= length:
        return description
    return raw[: length - len(_ELLIPSIS)].decode(errors="ignore") + _ELLIPSIS
