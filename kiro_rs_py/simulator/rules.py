"""What the service refuses (upstream-protocol §1.7, field-notes 2a; reasons ``IMAGE_*`` of §11.2).

The real service explains next to nothing; it says "Improperly formed request." to most of this. The simulator answers
the same way and keeps the explanation in the comments here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.conversation import Conversation, read_conversation
from kiro_rs_py.simulator.frames import is_signed
from kiro_rs_py.simulator.models import Catalogue, SimulatedModel, check_extra_fields
from kiro_rs_py.simulator.refusal import (
    a_list,
    an_object,
    improperly_formed,
    invalid,
    invalid_model,
    invalid_signature,
    too_long,
)
from kiro_rs_py.simulator.tool_rules import check_cache_point, check_tools, invalid_tool_use, is_name

ORIGINS = frozenset(
    {
        *("AI_EDITOR", "KIRO_CLI", "CLI", "IDE", "CHATBOT", "CONSOLE", "DOCUMENTATION", "GITLAB", "INLINE_CHAT"),
        *("KIRO_CONSOLE", "KIRO_WEB", "MARKETING", "MD", "MD_CE", "MD_IDE", "MOBILE", "OPENSEARCH_DASHBOARD"),
        *("Q_DEV_BEXT", "SAGE_MAKER", "SERVICE_INTERNAL", "SM_AI_STUDIO_IDE", "UNIFIED_SEARCH", "UNKNOWN"),
    }
)
TRIGGERS = ("MANUAL", "DIAGNOSTIC", "INLINE_CHAT")
TASK_TYPES = ("vibe", "spectask")
CONVERSATION_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
MAX_IMAGES = 20
MAX_IMAGE_BYTES = int(3.75 * 2**20)
MAX_SIDE = 8000
# How the bytes of an image begin, by its format.
MAGIC: Mapping[str, re.Pattern[bytes]] = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
# Free-form JSON of the client, in which a null is just a value.
FREE_FORM = ("input", "json", "additionalModelRequestFields")


def check_request(body: Json, catalogue: Catalogue, *, paid_plan: bool) -> tuple[SimulatedModel, Conversation]:
    """The model that will answer and what it reads. Raises the service's refusal."""
    if not isinstance(body, dict):
        raise invalid("REQUEST_BODY_INVALID_JSON", "The request body is not valid JSON.")
    _refuse_nulls(body)
    if "systemPrompt" in body:
        # In the schema, but switched off (§1.6).
        raise invalid("REQUEST_BODY_INVALID", "systemPrompt is not supported.")
    state = an_object(body.get("conversationState"))
    current = _current_message(state)
    model = _model(current, catalogue, paid_plan)
    context = an_object(current.get("userInputMessageContext", {}))
    tools = check_tools(a_list(context.get("tools", [])))
    _check_messages(state, current, tools, model)
    check_extra_fields(body.get("additionalModelRequestFields"), model)
    conversation = read_conversation(body)
    if conversation.input_tokens > model.window:
        raise too_long()
    return model, conversation


def _refuse_nulls(value: Json) -> None:
    """An absent optional is left out, never null (§0.3)."""
    if value is None:
        raise improperly_formed()
    if isinstance(value, dict):
        for key, child in value.items():
            if key not in FREE_FORM:
                _refuse_nulls(child)
    elif isinstance(value, list):
        for child in value:
            _refuse_nulls(child)


def _current_message(state: JsonObject) -> JsonObject:
    conversation_id = state.get("conversationId")
    if not isinstance(conversation_id, str) or not CONVERSATION_ID.fullmatch(conversation_id):
        raise invalid("INVALID_CONVERSATION_ID", "The conversation id is not valid.")
    if state.get("chatTriggerType", "MANUAL") not in TRIGGERS or state.get("agentTaskType", "vibe") not in TASK_TYPES:
        raise improperly_formed()
    current = an_object(state.get("currentMessage"))
    # A trailing assistant message is no question (field-notes 2a.10).
    if list(current) != ["userInputMessage"]:
        raise improperly_formed()
    return an_object(current["userInputMessage"])


def _model(current: JsonObject, catalogue: Catalogue, paid_plan: bool) -> SimulatedModel:
    model_id = current.get("modelId")
    model = catalogue.find(model_id, paid_plan=paid_plan) if isinstance(model_id, str) else None
    if model is None:
        raise invalid_model()
    return model


def _check_messages(state: JsonObject, current: JsonObject, tools: frozenset[str], model: SimulatedModel) -> None:
    """History and current message, turn by turn."""
    seen: set[str] = set()
    expected_role = "userInputMessage"
    open_uses: list[str] = []
    for index, (role, message) in enumerate(_messages(state, current)):
        # Alternation, first turn by the user (field-notes 2a.1); the current message needs an assistant before it.
        if role != expected_role:
            raise improperly_formed()
        if role == "userInputMessage":
            _check_user(message, open_uses, index)
            expected_role = "assistantResponseMessage"
        else:
            open_uses = _check_assistant(message, tools, seen, model, index)
            expected_role = "userInputMessage"


def _messages(state: JsonObject, current: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for entry in a_list(state.get("history", [])):
        if not isinstance(entry, dict) or len(entry) != 1:
            raise improperly_formed()
        ((role, message),) = entry.items()
        yield role, an_object(message)
    yield "userInputMessage", current


def _check_user(message: JsonObject, open_uses: list[str], index: int) -> None:
    content = message.get("content")
    if not isinstance(content, str) or message.get("origin", "AI_EDITOR") not in ORIGINS:
        raise improperly_formed()
    if "modelId" in message and not isinstance(message["modelId"], str):
        raise improperly_formed()
    if "cachePoint" in message:
        check_cache_point(message["cachePoint"])
    images = a_list(message.get("images", []))
    if len(images) > MAX_IMAGES:
        raise invalid("IMAGE_COUNT_EXCEEDED", f"A message takes at most {MAX_IMAGES} images.")
    for image in images:
        _check_image(an_object(image))
    context = an_object(message.get("userInputMessageContext", {}))
    results = a_list(context.get("toolResults", []))
    if not content and not results and not images:
        raise improperly_formed()
    # Markers in a turn that answers tools are taken for malformed (field-notes 2a.3).
    if results and "<thinking_mode>" in content:
        raise improperly_formed()
    _check_pairing(_result_ids(results), open_uses, index)


def _check_image(image: JsonObject) -> None:
    label = image.get("format")
    if not isinstance(label, str) or label not in MAGIC:
        raise invalid("IMAGE_FORMAT_UNSUPPORTED", "The image format is not supported.")
    encoded = an_object(image.get("source")).get("bytes")
    if not isinstance(encoded, str):
        raise improperly_formed()
    try:
        # A data: URL fails here too, at its colon.
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise improperly_formed() from None
    if len(data) > MAX_IMAGE_BYTES:
        raise invalid("IMAGE_SIZE_EXCEEDED", "The image is too large.")
    if not MAGIC[label].match(data):
        raise invalid("IMAGE_MIME_MISMATCH", f"The image was declared as {label} but its bytes are something else.")
    if max(_sides(label, data)) > MAX_SIDE:
        raise invalid("IMAGE_DIMENSION_EXCEEDED", f"An image side is longer than {MAX_SIDE} pixels.")


def _sides(label: str, data: bytes) -> tuple[int, int]:
    """Width and height where they stand at a fixed place; (0, 0) otherwise."""
    if label == "png" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if label == "gif" and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return 0, 0


def _result_ids(results: list[Json]) -> list[str]:
    ids = []
    for entry in results:
        result = an_object(entry)
        use_id = result.get("toolUseId")
        if not is_name(use_id):
            raise invalid_tool_use()
        content = a_list(result.get("content"))
        if result.get("status", "success") not in ("success", "error") or not content:
            raise improperly_formed()
        for part in content:
            # An image here is accepted and silently lost (§1.7.4).
            if not isinstance(part, dict) or not isinstance(part.get("text", ""), str):
                raise improperly_formed()
        ids.append(use_id)
    return ids


def _check_pairing(answered: list[str], open_uses: list[str], index: int) -> None:
    """Each use has exactly one result in the very next user turn, and the other way round."""
    if missing := [use_id for use_id in open_uses if use_id not in answered]:
        text = f"Expected toolResult blocks at messages.{index}.content for the following Ids: {', '.join(missing)}"
    elif sorted(answered) != sorted(open_uses):
        text = f"messages.{index}.content has toolResult blocks no toolUse of the previous turn asked for"
    else:
        return
    raise invalid("TOOL_USE_RESULT_MISMATCH", text)


def _check_assistant(
    message: JsonObject, tools: frozenset[str], seen: set[str], model: SimulatedModel, index: int
) -> list[str]:
    """The ids of its tool uses."""
    content = message.get("content")
    if not isinstance(content, str):
        raise improperly_formed()
    if "cachePoint" in message:
        check_cache_point(message["cachePoint"])
    if "reasoningContent" in message:
        _check_reasoning(an_object(message["reasoningContent"]), model, index)
    uses = [an_object(entry) for entry in a_list(message.get("toolUses", []))]
    # An empty list instead of no list, and nothing said at all (field-notes 2a.3).
    if not uses and ("toolUses" in message or not content):
        raise improperly_formed()
    for use in uses:
        _check_use(use, tools, seen)
    return [str(use["toolUseId"]) for use in uses]


def _check_use(use: JsonObject, tools: frozenset[str], seen: set[str]) -> None:
    use_id, name = use.get("toolUseId"), use.get("name")
    if not is_name(use_id) or not is_name(name):
        raise invalid_tool_use()
    if not isinstance(use.get("input"), dict) or use_id in seen:
        raise improperly_formed()
    seen.add(use_id)
    if not tools:
        raise invalid("TOOL_CONFIG_MISSING", "The conversation uses tools but defines none.")
    if name.lower() not in tools:
        raise improperly_formed()


def _check_reasoning(reasoning: JsonObject, model: SimulatedModel, index: int) -> None:
    """Nested and signed, or refused (field-notes 2a.6); GPT's signatures are not verified (§1.10)."""
    if set(reasoning) == {"redactedContent"} and isinstance(reasoning["redactedContent"], str):
        return
    nested = reasoning.get("reasoningText")
    if set(reasoning) != {"reasoningText"} or not isinstance(nested, dict) or not isinstance(nested.get("text"), str):
        raise improperly_formed()
    if model.family == "gpt":
        return
    signature = nested.get("signature")
    if not isinstance(signature, str) or not is_signed(str(nested["text"]), signature, model.id):
        raise invalid_signature(f"messages.{index}.content.0")
