"""One Messages API request → one Kiro conversation, and what the answer's way back needs to know.

The order of work is that of request-conversion §11.4. Everything here is pure: ids come in as arguments, what had to
be repaired goes out as notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import JsonObject, MessagesRequest, Thinking, ToolNames, json_object, string_in
from kiro_rs_py.convert.blocks import ThinkingFormat
from kiro_rs_py.convert.history import filled, folded, turns_of, without_prefill
from kiro_rs_py.convert.kiro import AssistantMessage, ConversationState, HistoryEntry, UserMessage
from kiro_rs_py.convert.models import THINKING_SUFFIX, ModelCatalog, ResolvedModel
from kiro_rs_py.convert.native_thinking import NativeThinking
from kiro_rs_py.convert.pairing import paired
from kiro_rs_py.convert.tools import (
    compressed,
    mentioned,
    offered_tools,
    specifications,
    turn_instructions,
    wire_names,
    with_placeholders,
    writes_files,
)
from kiro_rs_py.convert.websearch import SearchPlan, lone_search, plan_search, with_searches_as_turns
from kiro_rs_py.errors import NotFound

MAX_THINKING_BUDGET = 128_000
DEFAULT_EFFORT = "high"
BUDGETS = ((4_000, "low"), (12_000, "medium"))
"""Tokens up to which a budget means an effort; REF's own of 20,000 goes with its own effort, high."""


@dataclass(frozen=True, slots=True)
class RequestIds:
    """Fresh ids for one request. ``conversation`` is used when the client names no session of its own."""

    conversation: str
    continuation: str


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """``tool_compression_bytes`` 0: tools are sent as they are; ``thinking_format`` None: native blocks."""

    catalog: ModelCatalog
    thinking_suffix: str = THINKING_SUFFIX
    thinking_format: ThinkingFormat | None = None
    tool_compression_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ThinkingPlan:
    """Whether the answer may think, and how that is shown."""

    on: bool
    format: ThinkingFormat = "blocks"


@dataclass(frozen=True, slots=True)
class Conversion:
    """``tool_names``: alias → the client's name. ``web_search``: the query of a lone web search (§7.1), which is
    answered without this conversation. ``search_plan``: what the web search may do, if it is offered.
    ``answer_schema``: what the answer's text has to be. ``one_call``: the client takes one tool call at most.
    ``notes``: one sentence for each repair, without any of the client's text."""

    state: ConversationState
    model: ResolvedModel
    tool_names: ToolNames
    thinking: ThinkingPlan
    stop_sequences: tuple[str, ...]
    web_search: str | None
    search_plan: SearchPlan | None
    answer_schema: JsonObject | None
    one_call: bool
    notes: tuple[str, ...]


def convert_request(request: MessagesRequest, *, ids: RequestIds, options: ConversionOptions) -> Conversion:
    """The whole conversion.

    Raises :class:`InvalidRequest` when nobody asked anything or a web search has no query, :class:`NotFound` for a
    model name that cannot be meant. Time is linear in the size of the request.
    """
    notes: list[str] = []
    web_search = lone_search(request)
    model = _model(request, options, needed=web_search is None)
    thinking, effort = _thinking(request, model)
    leading, others = folded(request.messages, notes)
    messages = without_prefill(with_searches_as_turns(others), notes)
    known_names = mentioned(messages)
    names = wire_names(request, known_names)
    offered = offered_tools(request, known_names, notes)

    told = turns_of(messages, names, notes, native_model=model.upstream_id if model.native else None)
    *turns, current = paired(told, notes)
    assert isinstance(current, UserMessage)
    system = system_text(
        [*_without_billing(request.system, notes), *leading],
        marker="" if model.native else thinking_marker(thinking, effort or DEFAULT_EFFORT),
        agentic=model.agentic,
        chunk_policy=writes_files(offered),
    )
    history: list[HistoryEntry] = []
    if system:
        history += [UserMessage(system), AssistantMessage(texts.SYSTEM_ACKNOWLEDGEMENT)]
    demanding = _with_demands(current, turn_instructions(request, offered, names, notes))
    *past, last = filled([*turns, demanding], notes)
    assert isinstance(last, UserMessage)

    tools = compressed(specifications(offered, names, notes), options.tool_compression_bytes, notes)
    used = (use.name for turn in turns if isinstance(turn, AssistantMessage) for use in turn.tool_uses)
    state = ConversationState(
        conversation_id=session_of(request.user_id) or ids.conversation,
        continuation_id=ids.continuation,
        model_id=model.upstream_id,
        current=last,
        history=(*history, *past),
        tools=with_placeholders(tools, used, notes),
        extra_fields=native_fields(model.native, thinking, effort),
    )
    # A client that sent its own thinking field knows native blocks (PRODUCT §3.2).
    shown = "blocks" if request.thinking else options.thinking_format
    return Conversion(
        state=state,
        model=model,
        tool_names=names.client_names,
        thinking=ThinkingPlan(thinking is not None and thinking.on, shown or "blocks"),
        stop_sequences=request.stop_sequences,
        web_search=web_search,
        search_plan=plan_search(offered, names, notes),
        answer_schema=request.output_schema,
        one_call=request.tool_choice.disable_parallel_tool_use,
        notes=tuple(notes),
    )


def _model(request: MessagesRequest, options: ConversionOptions, *, needed: bool) -> ResolvedModel:
    try:
        return options.catalog.resolve(request.model, thinking_suffix=options.thinking_suffix)
    except NotFound:
        # A web search asks no model: any name will do (§7.1).
        if needed:
            raise
        return ResolvedModel(request.model, request.model)


def _thinking(request: MessagesRequest, model: ResolvedModel) -> tuple[Thinking | None, str | None]:
    """Thinking and effort of this turn, as far as anybody said; a suffix on the model's name wins (§2.1)."""
    if model.thinking_suffix:
        return Thinking("adaptive" if model.adaptive_capable else "enabled"), DEFAULT_EFFORT
    own = [message.effort for message in request.messages if message.effort]
    return request.thinking, own[-1] if own else request.effort


def native_fields(native: NativeThinking | None, thinking: Thinking | None, effort: str | None) -> JsonObject | None:
    """``additionalModelRequestFields`` (upstream-protocol §1.10).

    None for a model without a schema, and when thinking was declined. An effort counts without thinking, too: it is
    about the whole answer.
    """
    if native is None or (thinking is not None and not thinking.on) or (thinking is None and effort is None):
        return None
    if thinking is None:
        return native.request_fields(effort)
    if thinking.type == "enabled" and effort is None:
        effort = effort_of_budget(thinking.budget_tokens)
    return native.request_fields(effort, thinking.display)


def effort_of_budget(budget: int) -> str:
    """The effort that comes near to a thinking budget in tokens, which these models do not take."""
    return next((effort for limit, effort in BUDGETS if budget <= limit), DEFAULT_EFFORT)


def thinking_marker(thinking: Thinking | None, effort: str) -> str:
    """The marker that makes Kiro's models think aloud in ``<thinking>`` (§4.2), or nothing."""
    if thinking is None or not thinking.on:
        return ""
    if thinking.type == "adaptive":
        return f"<thinking_mode>adaptive</thinking_mode><thinking_effort>{effort}</thinking_effort>"
    budget = min(thinking.budget_tokens, MAX_THINKING_BUDGET)
    return f"<thinking_mode>enabled</thinking_mode><max_thinking_length>{budget}</max_thinking_length>"


def system_text(system: list[str], *, marker: str, agentic: bool, chunk_policy: bool) -> str:
    """The user half of the system pair (§4); empty when there is nothing to say."""
    text = "\n".join(system)
    if agentic:
        text = f"{texts.AGENTIC}\n\n{text}" if text else texts.AGENTIC
    if "<thinking_mode>" in text or "<max_thinking_length>" in text:
        marker = ""
    if not text:
        return marker
    if chunk_policy:
        text = f"{text}\n{texts.CHUNK_POLICY}"
    return f"{marker}\n{text}" if marker else text


BILLING_HEADER = "x-anthropic-billing-header:"


def _without_billing(system: tuple[str, ...], notes: list[str]) -> list[str]:
    """Claude Code's first system block is meant for Anthropic's accounting, not for a model (clients §1.1)."""
    kept: list[str] = []
    for text in system:
        if text.startswith(BILLING_HEADER):
            notes.append("dropped the billing header of the system prompt")
            text = text.partition("\n")[2]
        if text:
            kept.append(text)
    return kept


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SESSION = re.compile(rf"session_({_UUID.pattern})")
_MAX_USER_ID = 4096


def session_of(user_id: str | None) -> str | None:
    """The session in ``metadata.user_id``: of a JSON document, or behind ``session_`` (N5)."""
    if not user_id or len(user_id) > _MAX_USER_ID:
        return None
    document = json_object(user_id)
    if document is not None:
        session = string_in(document, "session_id")
        return session if _UUID.fullmatch(session) else None
    match = _SESSION.search(user_id)
    return match[1] if match else None


def _with_demands(turn: UserMessage, demands: list[str]) -> UserMessage:
    if not demands:
        return turn
    reminder = texts.system_reminder("\n".join(demands))
    return replace(turn, content=f"{turn.content}\n{reminder}" if turn.content else reminder)
