"""What the model says: the scripted-model convention of clients §0, and a helpful default."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.asgi import compact
from kiro_rs_py.simulator.conversation import Conversation, Turn
from kiro_rs_py.simulator.directives import Call, Directive, Say, offered_name, parse_directives
from kiro_rs_py.simulator.models import SimulatedModel
from kiro_rs_py.simulator.schema_answer import example_of, find_schema

COMPACTION = "Your task is to create a detailed summary"
TOOL_RESULT = "TOOL-RESULT: "

_MARKERS = re.compile(r"<thinking_mode>(?:enabled|adaptive)</thinking_mode>")
# How a proxy may word a forced tool choice, which the wire has no field for.
_FORCED_TOOL = re.compile(r"call the tool ([A-Za-z0-9_-]+)")
_FORCED_ANY = re.compile(r"call at least one of the tools")


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class Speech:
    """One answer of the model. ``native`` says that the thinking goes out as reasoning events, not as tags."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    thinking: str = ""
    native: bool = False
    omitted: bool = False

    @property
    def characters(self) -> int:
        return len(self.text) + len(self.thinking) + sum(len(compact(call.arguments)) for call in self.calls)


def speak(conversation: Conversation, model: SimulatedModel) -> Speech:
    """The whole answer to this request."""
    answer = _answer(conversation)
    if not _wants_thinking(conversation, model):
        return answer
    omitted = _field(conversation, "thinking").get("display") == "omitted"
    return replace(answer, thinking=_thoughts(conversation), native=bool(conversation.extra), omitted=omitted)


def forced_call(conversation: Conversation) -> ToolCall | None:
    """A call of some tool with long arguments, for a fault that needs one to cut."""
    name = offered_name(("Write", "write_to_file", "write"), conversation.tools) or next(iter(conversation.tools), None)
    if name is None:
        return None
    content = "\n".join(f"line {number} of a file that never arrives" for number in range(1, 21))
    return ToolCall(name, {"file_path": "simulated.txt", "content": content})


def _answer(conversation: Conversation) -> Speech:
    current = conversation.current
    if COMPACTION in current.text:
        return Speech(text=_summary(conversation))
    directives, rounds = _script_of(conversation)
    said, call = _round(directives, rounds)
    if call is not None and (name := offered_name(call.names, conversation.tools)) is not None:
        return Speech(text=said, calls=(ToolCall(name, call.arguments),))
    schema = find_schema(current.text)
    if schema is not None:
        return Speech(text=said if _is_json(said) else compact(example_of(schema)))
    if call is not None:
        offered = ", ".join(conversation.tools) or "none"
        return Speech(text=f"NO SUCH TOOL: {'|'.join(call.names)} (offered: {offered})")
    if said:
        return Speech(text=said)
    if directives:
        return Speech(text=TOOL_RESULT + _last_result(conversation))
    if (forced := _forced_choice(conversation)) is not None:
        return Speech(calls=(forced,))
    return Speech(text=_introduction(conversation))


def _last_result(conversation: Conversation) -> str:
    """Its text, and how many pictures came beside it: those are no part of a result on this wire."""
    pictures = conversation.current.images
    seen = f"[{pictures} image{'s' if pictures > 1 else ''}]" if pictures else ""
    return " ".join(part for part in (conversation.last_result, seen) if part)


def _script_of(conversation: Conversation) -> tuple[list[Directive], int]:
    """The directives of the last user message that holds any, and the tool rounds since."""
    rounds = 0
    for turn in reversed(conversation.turns):
        if turn.role == "user" and (directives := parse_directives(turn.text)):
            # Results in the very same turn belong to calls made before the message was typed.
            return directives, rounds
        rounds += bool(turn.results)
    return [], 0


def _round(directives: list[Directive], done: int) -> tuple[str, Call | None]:
    """What is said in the round after ``done`` tool rounds, and the call it ends with (None after the last one)."""
    said: list[str] = []
    for directive in directives:
        match directive:
            case Say(text):
                said.append(text)
            case Call() if done == 0:
                return "\n".join(said), directive
            case Call():
                done -= 1
                said = []
    return "\n".join(said), None


def _forced_choice(conversation: Conversation) -> ToolCall | None:
    text = conversation.current.text
    named = _FORCED_TOOL.search(text)
    name: str | None = None
    if named is not None:
        name = offered_name((named[1].rstrip("."),), conversation.tools)
    elif _FORCED_ANY.search(text):
        name = next(iter(conversation.tools), None)
    if name is None:
        return None
    arguments = example_of(conversation.tools[name])
    return ToolCall(name, arguments if isinstance(arguments, dict) else {})


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# --- thinking ---------------------------------------------------------------------------------------------------


def _wants_thinking(conversation: Conversation, model: SimulatedModel) -> bool:
    """By native fields if there are any, else by the markers in the prompt (upstream-protocol §1.10)."""
    if conversation.extra:
        thinking = _field(conversation, "thinking").get("type")
        effort = _field(conversation, "reasoning").get("effort", "high")
        return model.shows_reasoning and thinking != "disabled" and effort != "none"
    return any(_MARKERS.search(turn.text) for turn in (conversation.turns[0], conversation.current))


def _field(conversation: Conversation, name: str) -> JsonObject:
    value = conversation.extra.get(name)
    return value if isinstance(value, dict) else {}


def _thoughts(conversation: Conversation) -> str:
    current = conversation.current
    asked = f"The last message has {len(current.text)} characters"
    answered = f" and brings {len(current.results)} tool results" if current.results else ""
    return f"{asked}{answered}.\nI have {len(conversation.tools)} tools to choose from. Let me answer."


# --- texts ------------------------------------------------------------------------------------------------------


def _summary(conversation: Conversation) -> str:
    last = next((turn.text for turn in reversed(conversation.turns[:-1]) if _is_prompt(turn)), "nothing yet")
    return (
        f"<analysis>\nThe conversation has {len(conversation.turns)} messages.\n</analysis>\n\n"
        f"<summary>\n1. Primary request: {last[:500]}\n2. Done so far: see above.\n3. Next step: go on.\n</summary>"
    )


def _is_prompt(turn: Turn) -> bool:
    return turn.role == "user" and bool(turn.text.strip()) and not turn.results


def _introduction(conversation: Conversation) -> str:
    names = list(conversation.tools)
    shown = f" ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})" if names else ""
    images = sum(turn.images for turn in conversation.turns)
    pictures = f", {_counted(images, 'image')}" if images else ""
    return (
        f"This is the simulated Kiro, no real model. I received {_counted(len(conversation.turns), 'message')}"
        f"{pictures} and {_counted(len(names), 'tool')}{shown} for {conversation.model_id}, "
        f"about {conversation.input_tokens} tokens in all.\n\n"
        "To point a real client at this server, set ANTHROPIC_BASE_URL to the address that kiro-rs-py printed at its "
        "start and ANTHROPIC_AUTH_TOKEN to the key beside it, then run `claude`, or hand both to any Anthropic SDK.\n\n"
        'I follow orders in a prompt: <<SAY text>> answers with the text, <<CALL Tool {"argument": 1}>> calls a tool, '
        "<<FAULT throttle>> shows what happens when the service refuses."
    )


def _counted(count: int, thing: str) -> str:
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"
