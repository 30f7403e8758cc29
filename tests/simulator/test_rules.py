from __future__ import annotations

import base64
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.frames import sign
from kiro_rs_py.simulator.models import Catalogue
from kiro_rs_py.simulator.rules import MAX_IMAGE_BYTES, MAX_IMAGES, check_request
from tests.simulator.talk import PNG, assistant, chat_body, image, refusal_of, result, tool, use, user, verdict

IMPROPER = "Improperly formed request."
MISMATCH = "TOOL_USE_RESULT_MISMATCH"
FORMAT = "Invalid tool use format."
THOUGHT = "I think"


def check(body: Json, *, paid: bool = True) -> str | None:
    return verdict(lambda: check_request(body, Catalogue(), paid_plan=paid))


def state(**changes: Json) -> JsonObject:
    body = chat_body()
    target = body["conversationState"]
    assert isinstance(target, dict)
    target.update(changes)
    return body


def current(**changes: Json) -> JsonObject:
    body = chat_body()
    message = body["conversationState"]["currentMessage"]["userInputMessage"]  # type: ignore[index,call-overload]
    assert isinstance(message, dict)
    message.update(changes)
    return body


def exchange(*results: JsonObject, uses: tuple[JsonObject, ...] = (use(),), content: str = "") -> JsonObject:
    """A call in the history, answered by the current message."""
    return chat_body(
        content, history=[user(), assistant(" ", uses=uses)], results=results, tools=[tool("Read"), tool("Write")]
    )


def thought(text: str = THOUGHT, signature: str | None = None, model: str = "claude-opus-4.8") -> JsonObject:
    inner: JsonObject = {"text": text, "signature": signature or sign(THOUGHT, "claude-opus-4.8")}
    history = [user(), assistant("done", reasoningContent={"reasoningText": inner})]
    return chat_body(model=model, history=history)


def reasoned(reasoning: Json) -> JsonObject:
    return chat_body(model="claude-opus-4.8", history=[user(), assistant(reasoningContent=reasoning)])


ACCEPTED: dict[str, JsonObject] = {
    "smallest": chat_body(),
    "history": chat_body(history=[user(), assistant(), user(), assistant()]),
    "history without model ids and with cache points": chat_body(
        history=[user(), assistant(cachePoint={"type": "default"})]
    ),
    "answered call": exchange(result()),
    "parallel calls in another order": exchange(result("b"), result("a"), uses=(use("a"), use("b"))),
    "result and a text": exchange(result(), content="and now?"),
    "empty text with an image": chat_body("", images=[image()]),
    "blank assistant": chat_body(history=[user(), assistant(" ")]),
    "empty assistant with calls": chat_body(
        history=[user(), assistant("", uses=[use()])], results=[result()], tools=[tool()]
    ),
    "json result": exchange({"toolUseId": "t1", "content": [{"json": {"a": None}}], "status": "error"}),
    "nulls in arguments": exchange(result(), uses=(use(arguments={"a": None}),)),
    "tool in another case": exchange(result(), uses=(use(name="read"),)),
    "no trigger and task type": state(chatTriggerType="DIAGNOSTIC", agentTaskType="spectask"),
    "signed reasoning": thought(),
    "sealed reasoning": reasoned({"redactedContent": "abcd"}),
    "unverified gpt reasoning": thought(signature="whatever", model="gpt-5.6-sol"),
    "extra fields": chat_body(model="claude-opus-4.8", additionalModelRequestFields={"thinking": {"type": "adaptive"}}),
    "other origin": current(origin="KIRO_CLI"),
    "old model id": chat_body(model="CLAUDE_SONNET_4_20250514_V1_0"),
    "ignored members": state(customizationArn="x", rootConversationId="sess_1"),
}

REFUSED: dict[str, tuple[Json, str]] = {
    "no object": ([], "REQUEST_BODY_INVALID_JSON"),
    "null profile": (chat_body(profileArn=None), IMPROPER),
    "images that are no list": (current(images={}), IMPROPER),
    "null deep inside": (current(images=[{"format": "png", "source": None}]), IMPROPER),
    "system prompt": (chat_body(systemPrompt="x"), "REQUEST_BODY_INVALID"),
    "no state": ({}, IMPROPER),
    "no conversation id": (state(conversationId=""), "INVALID_CONVERSATION_ID"),
    "garbage conversation id": (state(conversationId='id":"8bb5523b'), "INVALID_CONVERSATION_ID"),
    "trigger AUTO": (state(chatTriggerType="AUTO"), IMPROPER),
    "task type": (state(agentTaskType="chat"), IMPROPER),
    "trailing assistant": (state(currentMessage=assistant()), IMPROPER),
    "two current messages": (state(currentMessage={**user(), **assistant()}), IMPROPER),
    "unknown model": (chat_body(model="claude-9"), "INVALID_MODEL_ID"),
    "no model": (current(modelId=5), "INVALID_MODEL_ID"),
    "origin": (current(origin="NOWHERE"), IMPROPER),
    "content of another type": (current(content=["x"]), IMPROPER),
    "empty content": (chat_body(""), IMPROPER),
    "cache point": (current(cachePoint={"type": "x"}), IMPROPER),
    "context of another type": (current(userInputMessageContext=[]), IMPROPER),
    "history of another type": (state(history={}), IMPROPER),
    "strange history entry": (state(history=[{}]), IMPROPER),
    "assistant first": (chat_body(history=[assistant(), user(), assistant()]), IMPROPER),
    "two users": (chat_body(history=[user(), user(), assistant()]), IMPROPER),
    "two assistants": (chat_body(history=[user(), assistant(), assistant()]), IMPROPER),
    "user before the current one": (chat_body(history=[user()]), IMPROPER),
    "history model of another type": (
        chat_body(history=[{"userInputMessage": {"content": "x", "modelId": 1}}, assistant()]),
        IMPROPER,
    ),
    "empty assistant": (chat_body(history=[user(), assistant("")]), IMPROPER),
    "assistant without content": (chat_body(history=[user(), {"assistantResponseMessage": {}}]), IMPROPER),
    "assistant cache point": (chat_body(history=[user(), assistant(cachePoint={})]), IMPROPER),
    "empty list of calls": (chat_body(history=[user(), assistant("x", toolUses=[])]), IMPROPER),
    "unanswered call": (exchange(content="well?"), MISMATCH),
    "half answered": (exchange(result("a"), uses=(use("a"), use("b"))), MISMATCH),
    "answer to nothing": (chat_body(history=[user(), assistant()], results=[result()], tools=[tool()]), MISMATCH),
    "result in the first turn": (chat_body(results=[result()]), MISMATCH),
    "answered twice": (exchange(result(), result()), MISMATCH),
    "answered too late": (
        chat_body(
            history=[user(), assistant("x", uses=[use()]), user("wait"), assistant()],
            results=[result()],
            tools=[tool()],
        ),
        MISMATCH,
    ),
    "the same id again": (
        chat_body(
            history=[user(), assistant("x", uses=[use()]), user("", results=[result()]), assistant("y", uses=[use()])],
            results=[result()],
            tools=[tool()],
        ),
        IMPROPER,
    ),
    "call id": (exchange(result("a b"), uses=(use("a b"),)), FORMAT),
    "long call id": (exchange(result("a" * 65), uses=(use("a" * 65),)), FORMAT),
    "result id": (exchange(result("a b")), FORMAT),
    "call name": (exchange(result(), uses=(use(name="a.b"),)), FORMAT),
    "call without a name": (exchange(result(), uses=({"toolUseId": "t1", "input": {}},)), FORMAT),
    "arguments as text": (exchange(result(), uses=(use(arguments="{}"),)), IMPROPER),
    "undefined tool": (exchange(result(), uses=(use(name="Nothing"),)), IMPROPER),
    "no tools at all": (
        chat_body("", history=[user(), assistant("x", uses=[use()])], results=[result()]),
        "TOOL_CONFIG_MISSING",
    ),
    "result without content": (exchange({"toolUseId": "t1", "content": [], "status": "success"}), IMPROPER),
    "result status": (exchange({"toolUseId": "t1", "content": [{"text": "x"}], "status": "ok"}), IMPROPER),
    "result text": (exchange({"toolUseId": "t1", "content": [{"text": 5}]}), IMPROPER),
    "markers beside results": (exchange(result(), content="<thinking_mode>enabled</thinking_mode>"), IMPROPER),
    "flat reasoning": (reasoned({"text": "x", "signature": "y"}), IMPROPER),
    "reasoning without text": (reasoned({"reasoningText": {}}), IMPROPER),
    "unsigned reasoning": (reasoned({"reasoningText": {"text": "x"}}), "THINKING_SIGNATURE_INVALID"),
    "altered reasoning": (thought("I thought"), "THINKING_SIGNATURE_INVALID"),
    "reasoning of another model": (thought(model="claude-sonnet-4.6"), "THINKING_SIGNATURE_INVALID"),
    "extra fields": (chat_body(additionalModelRequestFields={"a": 1}), "REQUEST_BODY_INVALID"),
    "tool": (chat_body(tools=[tool("a.b")]), FORMAT),
    "image": (chat_body("", images=[image("gif")]), "IMAGE_MIME_MISMATCH"),
    "too long": (chat_body("word " * 200_000), "CONTENT_LENGTH_EXCEEDS_THRESHOLD"),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(body: JsonObject) -> None:
    assert check(body) is None


@pytest.mark.parametrize("body, expected", REFUSED.values(), ids=REFUSED)
def test_refused(body: Json, expected: str) -> None:
    assert check(body) == expected


def test_the_same_prompt_fits_a_larger_window() -> None:
    assert check(chat_body("word " * 200_000, model="claude-sonnet-4.6")) is None


def test_plans_limit_models() -> None:
    assert check(chat_body(model="claude-opus-4.5")) is None
    assert check(chat_body(model="claude-opus-4.5"), paid=False) == "INVALID_MODEL_ID"


def test_the_missing_ids_are_named() -> None:
    body = exchange(uses=(use("a"), use("b")), content="?")
    refused = refusal_of(lambda: check_request(body, Catalogue(), paid_plan=True))
    assert refused is not None
    assert refused.message == "Expected toolResult blocks at messages.2.content for the following Ids: a, b"


# --- images -----------------------------------------------------------------------------------------------------

GIF = b"GIF89a" + (100).to_bytes(2, "little") + (50).to_bytes(2, "little")
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


def images_verdict(*images: Any) -> str | None:
    return check(chat_body(images=images))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "format_, data", [("png", base64.b64decode(PNG)), ("gif", GIF), ("webp", WEBP), ("jpeg", JPEG)]
)
def test_the_four_formats(format_: str, data: bytes) -> None:
    assert images_verdict(image(format_, encoded(data))) is None
    other = "gif" if format_ == "png" else "png"
    assert images_verdict(image(other, encoded(data))) == "IMAGE_MIME_MISMATCH"


def test_how_many() -> None:
    assert images_verdict(*[image()] * MAX_IMAGES) is None
    assert images_verdict(*[image()] * (MAX_IMAGES + 1)) == "IMAGE_COUNT_EXCEEDED"


@pytest.mark.parametrize("format_", ["jpg", "bmp", ""])
def test_other_formats(format_: str) -> None:
    assert images_verdict(image(format_)) == "IMAGE_FORMAT_UNSUPPORTED"


def test_too_large() -> None:
    start = base64.b64decode(PNG)[:33]
    assert images_verdict(image("png", encoded(start.ljust(MAX_IMAGE_BYTES, b"\0")))) is None
    assert images_verdict(image("png", encoded(start.ljust(MAX_IMAGE_BYTES + 1, b"\0")))) == "IMAGE_SIZE_EXCEEDED"


@pytest.mark.parametrize("width, expected", [(8000, None), (8001, "IMAGE_DIMENSION_EXCEEDED")])
def test_too_wide(width: int, expected: str | None) -> None:
    data = base64.b64decode(PNG)
    assert images_verdict(image("png", encoded(data[:16] + width.to_bytes(4, "big") + data[20:]))) == expected
    gif = b"GIF87a" + width.to_bytes(2, "little") + (1).to_bytes(2, "little")
    assert images_verdict(image("gif", encoded(gif))) == expected


@pytest.mark.parametrize(
    "entry",
    [
        "png",
        {"format": "png"},
        {"format": "png", "source": {}},
        image("png", f"data:image/png;base64,{PNG}"),
        image("png", "é"),
    ],
)
def test_shapes_of_an_image(entry: Json) -> None:
    assert images_verdict(entry) == IMPROPER
