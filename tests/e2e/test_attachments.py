"""Images and documents from the client to Kiro: what arrives there, and what the model is told of the rest."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import trio

from kiro_rs_py.convert.anthropic import Json
from tests.children import children
from tests.convert.pdfs import in_base64, pdf, slow_pdf
from tests.e2e.acceptance import converse, current_of
from tests.proxy import Proxy, wait_for

PNG = in_base64(bytes.fromhex("89504e470d0a1a0a0000000d49484452000000400000003008060000005b6b8d56") + b"\0" * 40)
JPEG = in_base64(
    bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc00011080030004003012200021101031101") + b"\0" * 40
)


def image(data: str, media_type: str = "image/png") -> dict[str, Json]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document(data: str, media_type: str = "application/pdf", **more: Json) -> dict[str, Json]:
    return {"type": "document", "source": {"type": "base64", "media_type": media_type, "data": data}, **more}


async def ask(proxy: Proxy, content: Json, before: list[Json] | None = None) -> dict[str, Any]:
    """Kiro's current message for a user message of this content, ``before`` it in the conversation."""
    await converse(proxy, messages=[*(before or []), {"role": "user", "content": content}])
    return current_of(proxy)


# --- images -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "sent"),
    [
        (image(PNG), ("png", PNG)),
        (image(JPEG, "image/png"), ("jpeg", JPEG)),
        (image(f"data:image/jpeg;base64,{PNG}", "image/jpeg"), ("png", PNG)),
    ],
    ids=["as labelled", "by its bytes", "out of its data URL"],
)
async def test_images(block: Json, sent: tuple[str, str], proxy: Proxy) -> None:
    message = await ask(proxy, [{"type": "text", "text": "Look."}, block])
    assert [(one["format"], one["source"]["bytes"]) for one in message["images"]] == [sent]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "image", "source": {"type": "url", "url": "http://127.0.0.1:9/secret.png"}}, "URLs are not fetched"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "file sources are not supported"),
        (image("AAAA", "image/tiff"), "image/tiff is not supported"),
        (image(base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 3_800_000).decode()), "bytes are more than"),
        (image("no base64!"), "its base64 is damaged"),
    ],
    ids=["url", "file", "format", "size", "damage"],
)
async def test_images_that_cannot_go_leave_a_sentence(block: Json, words: str, proxy: Proxy) -> None:
    message = await ask(proxy, [{"type": "text", "text": "Look."}, block])
    assert words in message["content"]
    assert "images" not in message
    assert "secret.png" not in json.dumps(message)


async def test_images_of_a_tool_result_are_lifted_out(proxy: Proxy) -> None:
    use: Json = {"type": "tool_use", "id": "toolu_1", "name": "Shot", "input": {}}
    before: list[Json] = [{"role": "user", "content": "Take one."}, {"role": "assistant", "content": [use]}]
    result: Json = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [image(PNG)]}
    message = await ask(proxy, [result], before)
    assert [one["format"] for one in message["images"]] == ["png"]
    [told] = message["userInputMessageContext"]["toolResults"]
    assert told["content"] == [{"text": "(the image of this result is attached to this message)"}]


async def test_more_images_than_one_message_may_have(proxy: Proxy) -> None:
    message = await ask(proxy, [image(PNG) for _ in range(23)])
    assert len(message["images"]) == 20
    assert "3 more than the 20 of one message" in message["content"]


# --- documents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True], ids=["as a block", "in a tool result"])
async def test_a_pdf_becomes_its_text(wrapped: bool, proxy: Proxy) -> None:
    block = document(in_base64(pdf("The nonce is 4711", "Second page")), title="paper.pdf")
    before: list[Json] = []
    content: list[Json] = [{"type": "text", "text": "Read."}, block]
    if wrapped:
        use: Json = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}
        before = [{"role": "user", "content": "Read."}, {"role": "assistant", "content": [use]}]
        content = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}]
    message = await ask(proxy, content, before)
    told = json.dumps(message)
    assert "[document: paper.pdf, application/pdf]" in told
    assert "The nonce is 4711" in told
    assert "Second page" in told
    assert "JVBERi0" not in told


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Plain words"}},
            "Plain words",
        ),
        (document(in_base64(b"# Title"), "text/markdown", title="a.md"), "[document: a.md, text/markdown]\n# Title"),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "A part"}]}},
            "A part",
        ),
        ({"type": "document", "source": {"type": "url", "url": "http://127.0.0.1:9/x.pdf"}}, "URLs are not fetched"),
        (document(in_base64(b"PK\x03\x04"), "application/zip"), "application/zip is not supported"),
        (document(in_base64(b"%PDF-1.4 nothing")), "no text could be extracted from this PDF"),
        (document("%%%"), "its base64 is damaged"),
    ],
    ids=["text", "markdown", "content", "url", "zip", "bad pdf", "damage"],
)
async def test_documents(block: Json, words: str, proxy: Proxy) -> None:
    message = await ask(proxy, [{"type": "text", "text": "Read."}, block])
    assert words in message["content"]


async def test_others_do_not_wait_for_a_pdf(proxy: Proxy) -> None:
    """A small file that takes minutes to read: everybody else is served, and leaving ends the reading."""

    async def slow() -> None:
        await proxy.ask(messages=[{"role": "user", "content": [document(in_base64(slow_pdf("Hello")))]}])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slow)
        await wait_for(lambda: len(children()) == 1)
        for _ in range(5):
            assert (await proxy.ask("<<SAY hello>>")).status_code == 200
        assert len(children()) == 1
        nursery.cancel_scope.cancel()
    await wait_for(lambda: not children())


async def test_a_bad_request_with_a_pdf_is_still_a_bad_request(proxy: Proxy) -> None:
    content: Json = [document(in_base64(pdf("x"))), {"type": "text"}]
    response = await proxy.ask(messages=[{"role": "user", "content": content}])
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("messages.0.content.1.text")
