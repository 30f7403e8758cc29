from __future__ import annotations

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.convert.tool_calls import ToolCall, parse_tool_input
from tests.convert.answers import tool


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n", {}),
        ("{}", {}),
        ('{"a": [1, 1.5, null, "é"]}', {"a": [1, 1.5, None, "é"]}),
        ('{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        ('{"a":"\\ud83d"}', {"a": "\ufffd"}),
        ('{"a":', None),
        ('{"a":1}}', None),
        ("[]", None),
        ("null", None),
        ("7", None),
        ('{"a":NaN}', None),
        ('{"a":1e999}', None),
        ('{"a":' * 100_000, None),
    ],
)
def test_input(text: str, expected: Json) -> None:
    assert parse_tool_input(text) == expected


def test_parts_are_taken_once() -> None:
    call = ToolCall("t")
    call.add(tool("t", "Read"))
    assert call.take_parts() == []
    call.add(tool("t", "Other", '{"a"'))
    call.add(tool("", "", ":1}", True))
    assert call.take_parts() == ['{"a"', ":1}"]
    assert call.take_parts() == []
    assert (call.name, call.stopped, call.whole) == ("Read", True, True)
    assert call.arguments == {"a": 1}


def test_nothing_is_added_after_stop() -> None:
    call = ToolCall("t")
    call.add(tool("t", "Read", "{}", True))
    call.add(tool("t", "Read", "{}", True))
    assert call.take_parts() == ["{}"]
    assert call.whole


@pytest.mark.parametrize(
    ("arguments", "stop", "whole"),
    [
        ("", True, True),
        ("", False, False),
        ("{}", False, True),
        ('{"a":1', False, False),
        ('{"a":1', True, False),
        ('{"a":{}', False, False),
    ],
)
def test_whole(arguments: str, stop: bool, whole: bool) -> None:
    call = ToolCall("t")
    call.add(tool("t", "Read", arguments, stop))
    assert call.whole is whole


def test_a_whole_object_is_an_end() -> None:
    call = ToolCall("t")
    assert not call.close_if_whole()
    call.add(tool("t", "Read", '{"a":{}'))
    assert not call.close_if_whole()
    assert not call.close_if_whole()
    call.add(tool("t", "Read", "} "))
    assert call.close_if_whole()
    assert call.stopped
    assert call.close_if_whole()


def test_a_plain_piece_is_added_and_taken_at_once() -> None:
    call = ToolCall("t")
    call.add(tool("t", "Read", '{"a"'))
    assert call.extended(tool("t", "", ":")) == ""  # one before it was not taken yet
    assert call.take_parts() == ['{"a"']
    assert call.extended(tool("t", "", ":")) == ":"
    assert call.extended(tool("t", "", "")) == ""
    assert call.extended(tool("t", "", "1}", True)) == ""  # there is more to a last one
    call.add(tool("t", "", "1}", True))
    assert call.extended(tool("t", "", "x")) == ""
    assert call.arguments == {"a": 1}
