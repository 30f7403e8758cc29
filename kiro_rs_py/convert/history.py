"""Messages → Kiro's alternating turns: system messages folded in, prefills dropped, neighbours merged.

The order of work is that of request-conversion §11.4: :func:`folded` → :func:`without_prefill` → :func:`turns_of` →
:func:`kiro_rs_py.convert.pairing.paired` → :func:`filled`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    Json,
    JsonObject,
    Message,
    OtherBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from kiro_rs_py.convert.attachments import MAX_IMAGES, convert_image, document_text
from kiro_rs_py.convert.kiro import (
    AssistantMessage,
    HistoryEntry,
    Image,
    ReasoningContent,
    ToolResult,
    ToolUse,
    UserMessage,
)
from kiro_rs_py.convert.native_thinking import unseal
from kiro_rs_py.convert.tool_names import WireNames
from kiro_rs_py.errors import InvalidRequest

UNPARSED_INPUT = "__unparsedToolInput"
"""Claude Code's mark on a call whose arguments were cut off (clients §1.2)."""
RESUME_PROMPT = "Output token limit hit"
"""How Claude Code asks to go on after ``max_tokens``: the place where a cut call is missing (clients §1.2)."""


# --- system messages and prefills ---------------------------------------------------------------------------------


def folded(messages: Iterable[Message], notes: list[str]) -> tuple[list[str], list[Message]]:
    """Gives ``system`` and ``developer`` messages a place (A2, PRODUCT §3.1): texts for the system prompt, and messages
    of the two roles Kiro knows.

    Leading ones belong to the system prompt. A later one joins the user turn before it, else the one after it, marked
    as a reminder; between two assistant turns, and behind the last, it is a user turn of its own.
    """
    system: list[str] = []
    turns: list[Message] = []
    waiting: list[ContentBlock] = []
    before: dict[int, list[ContentBlock]] = {}
    after: dict[int, list[ContentBlock]] = {}
    for message in messages:
        if message.role in ("user", "assistant"):
            if waiting and message.role == "user":
                before[len(turns)] = waiting
            elif waiting:
                turns.append(Message("user", tuple(waiting)))
            waiting = []
            turns.append(message)
        elif text := _system_message_text(message, notes):
            reminder = TextBlock(texts.system_reminder(text))
            if not turns:
                system.append(text)
            elif turns[-1].role == "user":
                after.setdefault(len(turns) - 1, []).append(reminder)
            else:
                waiting.append(reminder)
    if waiting:
        turns.append(Message("user", tuple(waiting)))
    for index in before.keys() | after.keys():
        content = (*before.get(index, ()), *turns[index].content, *after.get(index, ()))
        turns[index] = Message(turns[index].role, content)
    return system, turns


def _system_message_text(message: Message, notes: list[str]) -> str:
    if any(not isinstance(block, TextBlock) for block in message.content):
        notes.append(f"dropped what is no text in a {message.role} message")
    return "\n".join(block.text for block in message.content if isinstance(block, TextBlock) and block.text)


def without_prefill(messages: tuple[Message, ...], notes: list[str]) -> tuple[Message, ...]:
    """``messages`` up to the last one of the user: Kiro cannot go on with an assistant turn (N1).

    Raises :class:`InvalidRequest` when nobody asked anything.
    """
    end = len(messages)
    while end and messages[end - 1].role != "user":
        end -= 1
    if not end:
        raise InvalidRequest("messages: at least one user message is required.")
    if end < len(messages):
        notes.append(f"dropped {len(messages) - end} assistant messages at the end: prefill is not supported")
    return messages[:end]


# --- turns --------------------------------------------------------------------------------------------------------


def turns_of(
    messages: Sequence[Message], names: WireNames, notes: list[str], *, native_model: str | None = None
) -> list[HistoryEntry]:
    """Alternating turns of which the last is the user's current one; ``messages`` ends with a user message.

    ``native_model``: the upstream id of a model that thinks natively; its own thinking is replayed as such, that of
    others is left out. Otherwise thinking is told as text.

    User messages right before the current one are a turn of their own, closed by an ``OK`` (§3.6), unless the current
    one brings tool results: those have to stand in the turn that follows their calls.
    """
    view = _View(names, notes, native_model)
    *runs, last = [list(run) for _, run in groupby(messages, key=lambda message: message.role)]
    turns: list[HistoryEntry] = [
        _merged_user(run, view) if run[0].role == "user" else _merged_assistant(run, view) for run in runs
    ]
    *earlier, current = last
    if earlier and any(isinstance(block, ToolResultBlock) for block in current.content):
        notes.append("joined the last user messages: they bring tool results")
        return [*turns, _merged_user(last, view)]
    if earlier:
        turns += [_merged_user(earlier, view), AssistantMessage(texts.CLOSED_TURN)]
        notes.append("put an assistant turn before the last user message")
    return [*turns, _merged_user([current], view)]


def filled(turns: Sequence[HistoryEntry], notes: list[str]) -> list[HistoryEntry]:
    """Turns as they are sent. Kiro is given no turn without any content (R4), and the user's first, also behind the
    system pair (R3)."""
    sent: list[HistoryEntry] = []
    if turns and isinstance(turns[0], AssistantMessage):
        notes.append("put a user turn before the assistant's first")
        sent.append(UserMessage(texts.FIRST_TURN))
    empty = 0
    for turn in turns:
        if isinstance(turn, UserMessage):
            bare = not (turn.content or turn.images or turn.tool_results)
            sent.append(UserMessage(texts.EMPTY_USER) if bare else turn)
        else:
            bare = not (turn.content or turn.tool_uses or turn.reasoning)
            sent.append(turn if turn.content else replace(turn, content=texts.EMPTY_ASSISTANT))
        empty += bare
    if empty:
        notes.append(f"filled {empty} empty turns")
    return sent


def _merged_user(run: Iterable[Message], view: _View) -> UserMessage:
    images: list[Image] = []
    results: list[ToolResult] = []
    parts = [text for message in run if (text := view.user(message.content, images, results))]
    if len(images) > MAX_IMAGES:
        parts.append(texts.image_omitted(f"{len(images) - MAX_IMAGES} more than the {MAX_IMAGES} of one message"))
        view.notes.append(f"dropped {len(images) - MAX_IMAGES} images: too many in one message")
    return UserMessage("\n".join(parts), tuple(images[:MAX_IMAGES]), tuple(results))


def _merged_assistant(run: Sequence[Message], view: _View) -> AssistantMessage:
    uses: list[ToolUse] = []
    thoughts: list[ReasoningContent] = []
    contents = [view.assistant(message.content, uses, thoughts) for message in run]
    text = contents[0] if len(contents) == 1 else "\n\n".join(text for text in contents if text.strip())
    # A turn has one place for a thought, which the last one gets: it led to what follows.
    return AssistantMessage(text, tuple(uses), thoughts[-1] if thoughts else None)


# --- one message --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """Reads the blocks of one message; what cannot be sent becomes a note."""

    names: WireNames
    notes: list[str]
    native_model: str | None = None
    cut_calls: set[str] = field(default_factory=set)

    def user(self, content: Iterable[ContentBlock], images: list[Image], results: list[ToolResult]) -> str:
        """The text of a user message (§3.2); the rest of it goes into the lists."""
        parts: list[str] = []
        for block in content:
            if isinstance(block, TextBlock):
                parts.append(block.text)
                if block.text.startswith(RESUME_PROMPT):
                    parts.append(texts.system_reminder(texts.CUT_REPLY))
                    self.notes.append("told the model that its last reply was too long")
            elif isinstance(block, ToolResultBlock):
                results.append(self._result(block, images))
            else:
                parts += self._readable(block, images)
        return "\n".join(parts)

    def assistant(self, content: Iterable[ContentBlock], uses: list[ToolUse], thoughts: list[ReasoningContent]) -> str:
        """The text of an assistant message, thinking in front (§3.4); calls and native thinking go into the lists."""
        thinking: list[str] = []
        text: list[str] = []
        for block in content:
            if isinstance(block, TextBlock):
                text.append(block.text)
            elif isinstance(block, ToolUseBlock):
                uses.append(self._use(block))
            elif isinstance(block, ThinkingBlock | RedactedThinkingBlock) and self.native_model is not None:
                self._replay(block, thoughts, self.native_model)
            elif isinstance(block, ThinkingBlock):
                thinking.append(block.thinking)
            else:
                self._dropped(block, "assistant")
        said, thought = "".join(text), "".join(thinking)
        if not thought:
            return said
        return f"<thinking>{thought}</thinking>\n\n{said}" if said else f"<thinking>{thought}</thinking>"

    def _replay(
        self, block: ThinkingBlock | RedactedThinkingBlock, thoughts: list[ReasoningContent], model: str
    ) -> None:
        """Add thinking as the model gave it: signed text, or redacted (field-notes §1 row 15)."""
        if isinstance(block, RedactedThinkingBlock):
            sealed = unseal(block.data, model)
            reasoning = ReasoningContent(redacted=sealed) if sealed else None
        else:
            signature = unseal(block.signature, model)
            whole = signature and block.thinking
            reasoning = ReasoningContent(block.thinking, signature or "") if whole else None
        if reasoning is None:
            self.notes.append("left out thinking that this model has not signed")
            return
        if thoughts:
            self.notes.append("left out all but the last thinking of a turn")
        thoughts.append(reasoning)

    def _use(self, block: ToolUseBlock) -> ToolUse:
        if isinstance(block.input, dict) and UNPARSED_INPUT in block.input:
            self.cut_calls.add(block.id)
        else:
            # Some clients number their calls anew in every turn.
            self.cut_calls.discard(block.id)
        return ToolUse(block.id, self.names[block.name], self._input(block.input))

    def _input(self, value: Json) -> JsonObject:
        """Kiro takes objects only (upstream-protocol §1.7.1)."""
        if isinstance(value, dict):
            return value
        if value == "":
            return {}
        self.notes.append("wrapped the input of a tool call: it is no object")
        return {"input": value}

    def _result(self, block: ToolResultBlock, images: list[Image]) -> ToolResult:
        before = len(images)
        text = "\n".join(self._result_parts(block.content, images))
        if not text.strip():
            text = texts.IMAGE_OF_RESULT if len(images) > before else texts.EMPTY_RESULT
        if block.tool_use_id in self.cut_calls:
            self.notes.append("told the model that the arguments of a call were too long")
            text = f"{texts.CUT_ARGUMENTS}\n\n{text}"
        return ToolResult(block.tool_use_id, text, block.is_error)

    def _result_parts(self, content: Iterable[ContentBlock], images: list[Image]) -> list[str]:
        parts: list[str] = []
        for block in content:
            if isinstance(block, TextBlock):
                parts.append(block.text)
            elif isinstance(block, ToolResultBlock):
                parts += self._result_parts(block.content, images)
            else:
                parts += self._readable(block, images)
        return parts

    def _readable(self, block: ContentBlock, images: list[Image]) -> list[str]:
        """The words for a block of the user's; a fitting image goes into ``images`` (R5)."""
        match block:
            case ImageBlock():
                image = convert_image(block)
                if isinstance(image, Image):
                    images.append(image)
                    return []
                self.notes.append("replaced an image by a sentence")
                return [image]
            case DocumentBlock():
                self.notes.append("replaced a document by its text")
                return [document_text(block)]
            case ToolReferenceBlock(tool_name):
                return [texts.tool_loaded(self.names[tool_name])]
            case OtherBlock(kind, text) if text:
                self.notes.append(f"sent a {kind[:40]} block as text")
                return [f"[{kind}]\n{text}"]
            case _:
                self._dropped(block, "user")
                return []

    def _dropped(self, block: ContentBlock, role: Literal["user", "assistant"]) -> None:
        match block:
            case OtherBlock(kind):
                self.notes.append(f"dropped a {kind[:40]} block of the {role}")
            case RedactedThinkingBlock():
                self.notes.append("dropped redacted thinking: it cannot be replayed")
            case _:
                self.notes.append(f"dropped a {type(block).__name__} of the {role}")
