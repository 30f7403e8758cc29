"""The literals that other programs compare, and what the injected texts must say (request-conversion §4.4, §5.1)."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert import texts


def test_literals_of_the_protocol() -> None:
    assert texts.SYSTEM_ACKNOWLEDGEMENT == "I will follow these instructions."
    assert (texts.CLOSED_TURN, texts.FIRST_TURN, texts.EMPTY_ASSISTANT) == ("OK", ".", " ")
    assert texts.PLACEHOLDER_DESCRIPTION == "Tool used in conversation history"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (texts.CHUNK_POLICY, ["Write", "Edit", "size limit", "other tools", "ask the user", "commenting"]),
        (texts.WRITE_SUFFIX, ["- IMPORTANT: ", "150 lines", "first 50 lines", "`Edit`", "placeholder", "one call"]),
        (texts.EDIT_SUFFIX, ["- IMPORTANT: ", "`new_string`", "50 lines", "placeholder", "last part"]),
        (texts.AGENTIC, ["300 lines", "Edit tool", "targeted", "500 lines", "several calls", "without notice"]),
    ],
)
def test_prompts_say_what_they_must(text: str, words: list[str]) -> None:
    assert [word for word in words if word not in text] == []


def test_one_line_texts_are_one_line() -> None:
    for text in (texts.CHUNK_POLICY, texts.WRITE_SUFFIX, texts.EDIT_SUFFIX):
        assert "\n" not in text


def test_no_prompt_contains_a_thinking_tag() -> None:
    prompts = [value for value in vars(texts).values() if isinstance(value, str)]
    assert not any("<thinking" in prompt for prompt in prompts)


def test_frames_around_texts() -> None:
    assert texts.system_reminder("x") == "<system-reminder>\nx\n</system-reminder>"
    assert texts.unmatched_result("t1", "x") == "[Tool Result (t1)]\nx"
    assert texts.document("T", "x") == "[document: T]\nx\n[end of document]"
    assert texts.document_omitted("T", "why") == "[document: T omitted: why]"
    assert texts.image_omitted("why") == "[image omitted: why]"
    assert "Read" in texts.tool_loaded("Read")
    assert "Read" in texts.call_tool("Read")
    assert texts.answer_in_schema('{"a":1}').endswith('\n{"a":1}')
