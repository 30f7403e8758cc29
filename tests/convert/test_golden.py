"""Recorded pairs and recorded clients, against the whole conversion."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.request import convert_request
from kiro_rs_py.convert.tools import MAX_DESCRIPTION_CHARS
from tests.convert.converting import IDS, OPTIONS, TESTS, convert, kiro_body
from tests.convert.kiro_rules import violations


def load_pairs(name: str) -> list[JsonObject]:
    return [json.loads(line) for line in (TESTS / "vectors" / name).read_text(encoding="utf-8").splitlines()]


def filled(kiro: Json, *, writes_files: bool) -> Json:
    """A recorded body with our words for its placeholders.

    Three things are decided otherwise than by the recorded proxy: the chunk policy goes out only with Write or Edit,
    images are named after their bytes (its pairs hold PNGs under every label), and a long description is cut before
    its hint, not behind it (PRODUCT §3.1).
    """
    text = json.dumps(kiro, ensure_ascii=False)
    policy = "\\n⟨CHUNK_POLICY⟩"
    text = text.replace(policy, f"\\n{inside(texts.CHUNK_POLICY)}" if writes_files else "")
    text = text.replace("⟨AGENTIC⟩", inside(texts.AGENTIC))
    text = text.replace("⟨WRITE_SUFFIX⟩", inside(texts.WRITE_SUFFIX)).replace(
        "⟨EDIT_SUFFIX⟩", inside(texts.EDIT_SUFFIX)
    )
    text = re.sub(r'"format": "\w+", "source": \{"bytes": "iVBOR', '"format": "png", "source": {"bytes": "iVBOR', text)
    body = json.loads(text)
    current = body["conversationState"]["currentMessage"]["userInputMessage"]["userInputMessageContext"]
    for tool in (tool["toolSpecification"] for tool in current.get("tools", ())):
        hint = {"Write": f"\n{texts.WRITE_SUFFIX}", "Edit": f"\n{texts.EDIT_SUFFIX}"}.get(tool["name"], "")
        if len(tool["description"]) == MAX_DESCRIPTION_CHARS and hint:
            tool["description"] = tool["description"][: -len(hint)] + hint
    return body  # type: ignore[no-any-return]


def inside(text: str) -> str:
    """``text`` as it is spelled within a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


@pytest.mark.parametrize("pair", load_pairs("request_vectors.jsonl"), ids=lambda pair: str(pair["name"]))
def test_forty_recorded_pairs(pair: JsonObject) -> None:
    body, arn = pair["body"], pair["profileArn"]
    assert isinstance(body, dict)
    conversion = convert(body)
    offered = {tool.name for tool in conversion.state.tools}
    assert arn is None or isinstance(arn, str)
    assert kiro_body(conversion, arn) == filled(pair["kiro"], writes_files=bool(offered & {"Write", "Edit"}))
    assert conversion.thinking.on == pair["thinking"]
    assert conversion.model.name == body["model"]


@pytest.mark.parametrize("example", load_pairs("worked_examples.jsonl"), ids=lambda example: str(example["name"]))
def test_worked_examples_with_the_adopted_repairs(example: JsonObject) -> None:
    body = example["body"]
    assert isinstance(body, dict)
    expected = filled(example["kiro"], writes_files=False)
    assert isinstance(expected, dict)
    text = json.dumps(expected, ensure_ascii=False)
    text = text.replace("⟨IMAGE_NOTE⟩", texts.image_omitted("URLs are not fetched; send the image itself as base64"))
    note = texts.document_omitted("application/pdf", "no text could be extracted from this PDF")
    expected = json.loads(text.replace("⟨DOCUMENT_NOTE⟩", note))
    assert kiro_body(convert(body), expected.get("profileArn")) == expected


CLIENTS = sorted((TESTS / "clients").glob("*/*.json"))


@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
def test_recorded_clients_convert_into_what_the_service_takes(path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    count_only = recorded["path"].endswith("count_tokens")
    request = parse_messages_request(json.dumps(recorded["body"]).encode(), count_only=count_only)
    conversion = convert_request(request, ids=IDS, options=OPTIONS)
    body = kiro_body(conversion)
    assert violations(body) == []
    sent = json.dumps(body, ensure_ascii=False)
    for message in request.messages:
        for block in message.content:
            text = getattr(block, "text", "")
            assert json.dumps(text, ensure_ascii=False)[1:-1] in sent
    assert conversion.model.name == recorded["body"]["model"]
    assert (conversion.web_search is not None) == ("websearch" in path.stem)


def test_claude_codes_deferred_tools_come_once_loaded() -> None:
    first, later = (
        convert(
            json.loads((TESTS / "clients" / "claude-code" / f"claude-code-2.1.330-{name}.json").read_text())["body"]
        )
        for name in ("opus-5-5-first-turn", "opus-5-5-tool-reference")
    )
    loaded = {"WebFetch", "NotebookEdit"}
    names = {tool.name for tool in later.state.tools}
    assert loaded <= names
    assert not loaded & {tool.name for tool in first.state.tools}
    assert "DeferredToolPlaceholder" not in names
    assert [text.split()[2] for text in later.state.current.tool_results[0].text.splitlines()] == [
        "WebFetch",
        "NotebookEdit",
    ]
    assert later.state.current.content.startswith("Tool loaded.")
