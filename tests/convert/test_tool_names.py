"""Aliases: what the service accepts, unique in a request, the same every time."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.convert.tool_names import WireNames, shortened, unused

ACCEPTED = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LONG = "mcp__plugin_some_really_long_server_name__another_really_long_tool_name_here"
LONG_ALIAS = "mcp__plugin_some_really_long_server_name__another_real_8fb1aa85"


def test_the_golden_alias() -> None:
    names = WireNames([LONG, "Read"])
    assert names[LONG] == LONG_ALIAS
    assert names["Read"] == "Read"
    assert names.client_names == {LONG_ALIAS: LONG}


def test_names_of_63_fit() -> None:
    assert WireNames(["x" * 63])["x" * 63] == "x" * 63
    assert len(WireNames(["x" * 64])["x" * 64]) == 63


def test_foreign_characters() -> None:
    names = WireNames(["mcp:db.query", "werkzeug_für_ümläute", "💡"])
    assert names["mcp:db.query"].startswith("mcp_db_query_")
    assert all(ACCEPTED.fullmatch(alias) for alias in names.client_names)


def test_an_alias_never_takes_the_name_of_a_tool() -> None:
    names = WireNames([LONG, LONG_ALIAS])
    assert names[LONG_ALIAS] == LONG_ALIAS
    assert names[LONG] != LONG_ALIAS
    assert names.client_names == {names[LONG]: LONG}


def test_ids() -> None:
    taken: set[str] = set()
    assert unused("toolu_1", taken) == "toolu_1"
    taken.add("toolu_1")
    second = unused("toolu_1", taken)
    assert second == shortened("toolu_1", "toolu_1")
    taken.add(second)
    third = unused("toolu_1", taken)
    assert third not in taken
    assert ACCEPTED.fullmatch(third)
    assert ACCEPTED.fullmatch(unused("call:1|" * 30, taken))


@settings(max_examples=100)
@given(st.lists(st.text(min_size=1, max_size=80)))
def test_any_names_get_different_accepted_aliases(names: list[str]) -> None:
    wire = WireNames(names)
    aliases = {wire[name] for name in names}
    assert len(aliases) == len(set(names))
    assert all(ACCEPTED.fullmatch(alias) for alias in aliases)
    assert {wire.client_names.get(wire[name], wire[name]) for name in names} == set(names)
