"""Content blocks: known ones typed, unknown ones kept, wrong ones named."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    Json,
    JsonObject,
    OtherBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from kiro_rs_py.convert.client_json import FieldError
from kiro_rs_py.convert.content_blocks import parse_content

PNG: JsonObject = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
READ: list[tuple[JsonObject, ContentBlock]] = [
    ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}, "citations": None}, TextBlock("x")),
    ({"type": "thinking", "thinking": "t", "signature": "s"}, ThinkingBlock("t", "s")),
    ({"type": "thinking", "thinking": "t", "signature": None}, ThinkingBlock("t")),
    ({"type": "thinking"}, ThinkingBlock("")),
    ({"type": "redacted_thinking", "data": "d"}, RedactedThinkingBlock("d")),
    ({"type": "redacted_thinking"}, RedactedThinkingBlock("")),
    ({"type": "tool_use", "id": "t1", "name": "n", "input": {"a": 1}}, ToolUseBlock("t1", "n", {"a": 1})),
    ({"type": "tool_use", "id": "t1", "name": "n", "input": None}, ToolUseBlock("t1", "n", {})),
    ({"type": "tool_use", "id": "t1", "name": "n", "input": "x"}, ToolUseBlock("t1", "n", "x")),
    ({"type": "image", "source": PNG}, ImageBlock("image/png", "AAAA")),
    ({"type": "image", "source": {"type": "base64", "data": "AAAA"}}, ImageBlock(None, "AAAA")),
    ({"type": "image", "source": {"type": "url", "url": "https://x"}}, ImageBlock(None, None, "url")),
    ({"type": "image", "source": {"type": "file", "file_id": "f"}}, ImageBlock(None, None, "file")),
    (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}, "title": "T"},
        DocumentBlock("text/plain", "d", "text", "T"),
    ),
    (
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "d"},
            "context": "c",
        },
        DocumentBlock("application/pdf", "d", "base64", None, "c"),
    ),
    ({"type": "document", "source": {"type": "url", "url": "https://x"}}, DocumentBlock(None, None, "url")),
    (
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": "a"}, {"text": "b"}, 1]},
        },
        DocumentBlock("text/plain", "a\nb", "text"),
    ),
    (
        {"type": "document", "source": {"type": "content", "content": "a"}},
        DocumentBlock("text/plain", "a", "text"),
    ),
    ({"type": "tool_reference", "tool_name": "WebFetch"}, ToolReferenceBlock("WebFetch")),
    (
        {"type": "search_result", "title": "T", "source": "https://x", "content": [{"type": "text", "text": "body"}]},
        OtherBlock("search_result", "T — https://x\nbody"),
    ),
    ({"type": "search_result"}, OtherBlock("search_result", "")),
    (
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        ToolUseBlock("s", "web_search", {"query": "q"}),
    ),
    ({"type": "server_tool_use", "id": "s", "name": "web_search"}, ToolUseBlock("s", "web_search", {})),
    ({"type": "server_tool_use", "id": "s", "name": "code_execution", "input": {}}, OtherBlock("server_tool_use")),
    ({"type": "server_tool_use", "id": "", "name": "web_search", "input": {}}, OtherBlock("server_tool_use")),
    ({"type": "server_tool_use", "name": "web_search", "input": {}}, OtherBlock("server_tool_use")),
    (
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        ToolResultBlock("s", (TextBlock("No results found."),)),
    ),
    (
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s",
            "content": [{"type": "web_search_result", "title": "T", "url": "https://x", "encrypted_content": "body"}],
        },
        ToolResultBlock("s", (TextBlock("1. T\nURL: https://x\nbody"),)),
    ),
    (
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s",
            "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
        },
        ToolResultBlock(
            "s",
            (TextBlock("The web search failed (unavailable): the search is not available at the moment."),),
            is_error=True,
        ),
    ),
    (
        {"type": "web_search_tool_result", "content": []},
        OtherBlock("web_search_tool_result", "No results found."),
    ),
    (
        {"type": "web_search_tool_result", "tool_use_id": "", "content": []},
        OtherBlock("web_search_tool_result", "No results found."),
    ),
    ({"type": "future", "text": "t"}, OtherBlock("future", "t")),
    ({"type": "future", "content": "t"}, OtherBlock("future", "t")),
    ({"type": "future", "content": {"deep": 1}}, OtherBlock("future")),
]


@pytest.mark.parametrize(("item", "block"), READ, ids=lambda value: getattr(value, "__class__", type(value)).__name__)
def test_blocks(item: JsonObject, block: ContentBlock) -> None:
    assert parse_content([item]) == (block,)
    # A tool result may hold the same blocks.
    outer: JsonObject = {"type": "tool_result", "tool_use_id": "t1", "content": [item]}
    assert parse_content([outer]) == (ToolResultBlock("t1", (block,)),)


def test_contents_that_are_no_list() -> None:
    assert parse_content("x") == (TextBlock("x"),)
    assert parse_content("") == (TextBlock(""),)
    assert parse_content(None) == ()
    assert parse_content([]) == ()


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (None, ()),
        ("text", ("text",)),
        ([], ()),
        ({"k": 1}, ('{"k":1}',)),
        (True, ("true",)),
        (3, ("3",)),
        (["bare", 4, None, {"b": 1, "a": 2}, {"text": "typeless"}], ("bare", "4", "null", '{"a":2,"b":1}', "typeless")),
    ],
)
def test_a_tool_may_return_anything(content: Json, texts: tuple[str, ...]) -> None:
    item: JsonObject = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": None}
    assert parse_content([item]) == (ToolResultBlock("t1", tuple(TextBlock(text) for text in texts)),)


def test_an_error_of_a_tool() -> None:
    item: JsonObject = {"type": "tool_result", "tool_use_id": "t1", "is_error": True}
    assert parse_content([item]) == (ToolResultBlock("t1", (), is_error=True),)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (5, "must be a string or a list of content blocks, not a number"),
        ({"type": "text", "text": "x"}, "must be a string or a list of content blocks, not an object"),
        (["bare"], "0: must be an object, not a string"),
        ([{"text": "x"}], "0.type: field required"),
        ([{"type": 1}], "0.type: must be a string, not a number"),
        ([{"type": "text"}], "0.text: field required"),
        ([{"type": "text", "text": None}], "0.text: must be a string, not null"),
        ([{"type": "text", "text": "x"}, {"type": "image"}], "1.source: field required"),
        ([{"type": "image", "source": "x"}], "0.source: must be an object, not a string"),
        ([{"type": "image", "source": {"type": "base64"}}], "0.source.data: field required"),
        ([{"type": "document", "source": {"type": "text", "data": 1}}], "0.source.data: must be a string"),
        ([{"type": "tool_use", "name": "n"}], "0.id: field required"),
        ([{"type": "tool_use", "id": "", "name": "n"}], "0.id: must not be empty"),
        ([{"type": "tool_use", "id": "t1", "name": ""}], "0.name: must not be empty"),
        ([{"type": "tool_result"}], "0.tool_use_id: field required"),
        ([{"type": "tool_result", "tool_use_id": "t1", "is_error": "no"}], "0.is_error: must be true or false"),
        (
            [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text"}]}],
            "0.content.0.text: field required",
        ),
        ([{"type": "tool_reference"}], "0.tool_name: field required"),
    ],
)
def test_wrong_blocks_are_named(content: Json, complaint: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_content(content)
    assert str(caught.value).startswith(complaint)
