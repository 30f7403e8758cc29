from __future__ import annotations

import hashlib

import pytest

from kiro_rs_py.simulator.directives import Call, Say, fault_text, offered_name, parse_directives

LONG = "mcp__plugin_some_really_long_server_name__another_really_long_tool_name_here"


def test_directives_in_their_order() -> None:
    text = 'First <<SAY one two >> then <<CALL Read|read_file {"path": "a>>b"}>> and <<CALL Stop>>.'
    assert parse_directives(text) == [
        Say("one two"),
        Call(("Read", "read_file"), {"path": "a>>b"}),
        Call(("Stop",), {}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<<SAY no end",
        "<<CALL >>",
        '<<CALL Read {"a": }>>',
        '<<CALL Read {"a": 1} more>>',
        "<<CALL Read",
        "<<SHOUT x>>",
    ],
)
def test_broken_ones_are_text(text: str) -> None:
    assert parse_directives(text) == []


def test_a_broken_one_does_not_hide_the_next() -> None:
    assert parse_directives("<<CALL Read {]>> <<SAY fine>>") == [Say("fine")]


def test_arguments_may_span_lines() -> None:
    assert parse_directives('<<CALL Write\n  {"content":\n "x\\ny"}\n>>') == [Call(("Write",), {"content": "x\ny"})]


def test_faults() -> None:
    assert fault_text("do <<FAULT throttle 3 once >> now") == "throttle 3 once"
    assert fault_text("no FAULT here") is None


def test_the_first_offered_alternative() -> None:
    assert offered_name(("A", "B"), ["B", "A"]) == "A"
    assert offered_name(("A", "B"), ["C", "B"]) == "B"
    assert offered_name(("read",), ["Write", "Read"]) == "Read"
    assert offered_name(("A",), ["C"]) is None


def test_names_that_had_to_be_changed_are_recognised() -> None:
    alias = f"{LONG[:54]}_{hashlib.sha256(LONG.encode()).hexdigest()[:8]}"
    assert alias == "mcp__plugin_some_really_long_server_name__another_real_8fb1aa85"
    assert offered_name((LONG,), ["Read", alias]) == alias
    assert offered_name((LONG,), [f"{LONG[:50]}_123"]) == f"{LONG[:50]}_123"
    assert offered_name(("my.tool",), ["Read", "my_tool"]) == "my_tool"
    assert offered_name(("my.tool",), ["my_other"]) is None
