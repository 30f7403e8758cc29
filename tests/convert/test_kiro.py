"""The request body as it goes over the wire (upstream-protocol §1.7.1)."""

from __future__ import annotations

import json

from kiro_rs_py.convert.kiro import (
    AssistantMessage,
    ConversationState,
    Image,
    ReasoningContent,
    ToolResult,
    ToolSpecification,
    ToolUse,
    UserMessage,
    encode_request,
    state_to_json,
)

SMALLEST = ConversationState("conversation", "continuation", "claude-opus-4.6", UserMessage("Hello"))
FULL = ConversationState(
    "conversation",
    "continuation",
    "claude-opus-4.6",
    UserMessage("ü", (Image("png", "AAAA"),), (ToolResult("t1", "r"), ToolResult("t2", "boom", is_error=True))),
    (
        UserMessage("x", (Image("gif", "AAAA"),), (ToolResult("t0", "r"),)),
        AssistantMessage("y", (ToolUse("t1", "Read", {"z": 1, "a": 2}),), ReasoningContent("T", "S")),
        UserMessage("plain"),
        AssistantMessage("plain", reasoning=ReasoningContent(redacted="R")),
    ),
    (ToolSpecification("Read", "Reads.", {"type": "object"}),),
    {"output_config": {"effort": "low"}},
)


def test_absent_things_are_left_out() -> None:
    body = encode_request(SMALLEST)
    assert body == (
        b'{"conversationState":{"agentContinuationId":"continuation","agentTaskType":"vibe","chatTriggerType":"MANUAL",'
        b'"currentMessage":{"userInputMessage":{"userInputMessageContext":{},"content":"Hello",'
        b'"modelId":"claude-opus-4.6","origin":"AI_EDITOR"}},"conversationId":"conversation"}}'
    )


def test_everything() -> None:
    body = json.loads(encode_request(FULL, "arn:x"))
    assert list(body) == ["conversationState", "profileArn", "additionalModelRequestFields"]
    assert body["profileArn"] == "arn:x"
    assert body["additionalModelRequestFields"] == {"output_config": {"effort": "low"}}
    state = body["conversationState"]
    assert state == state_to_json(FULL)
    current = state["currentMessage"]["userInputMessage"]
    assert list(current) == ["userInputMessageContext", "content", "modelId", "images", "origin"]
    assert current["images"] == [{"format": "png", "source": {"bytes": "AAAA"}}]
    assert current["userInputMessageContext"] == {
        "toolResults": [
            {"toolUseId": "t1", "content": [{"text": "r"}], "status": "success"},
            {"toolUseId": "t2", "content": [{"text": "boom"}], "status": "error", "isError": True},
        ],
        "tools": [
            {
                "toolSpecification": {
                    "name": "Read",
                    "description": "Reads.",
                    "inputSchema": {"json": {"type": "object"}},
                }
            }
        ],
    }
    first, second, third, fourth = state["history"]
    assert list(first["userInputMessage"]) == ["content", "modelId", "origin", "images", "userInputMessageContext"]
    assert second["assistantResponseMessage"] == {
        "content": "y",
        "toolUses": [{"toolUseId": "t1", "name": "Read", "input": {"z": 1, "a": 2}}],
        "reasoningContent": {"reasoningText": {"text": "T", "signature": "S"}},
    }
    assert third == {"userInputMessage": {"content": "plain", "modelId": "claude-opus-4.6", "origin": "AI_EDITOR"}}
    assert fourth["assistantResponseMessage"]["reasoningContent"] == {"redactedContent": "R"}


def test_text_goes_out_as_utf_8() -> None:
    assert "ü".encode() in encode_request(FULL)
    assert b"\\u" not in encode_request(FULL)


def test_reasoning_can_be_left_behind() -> None:
    bare = FULL.without_reasoning()
    assert b"reasoningContent" not in encode_request(bare)
    assert bare.history[0] is FULL.history[0]
    assert bare.current == FULL.current
