from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.convert.stops import StopScanner


def scan(pieces: list[str], sequences: list[str]) -> tuple[str, str | None]:
    scanner = StopScanner(sequences)
    shown = "".join([scanner.receive(piece) for piece in pieces])
    return shown + scanner.flush(), scanner.matched


@pytest.mark.parametrize(
    ("text", "sequences", "shown", "matched"),
    [
        ("Hello", ["END"], "Hello", None),
        ("Hello END more", ["END"], "Hello ", "END"),
        ("END", ["END"], "", "END"),
        ("EN", ["END"], "EN", None),
        ("ENEND", ["END"], "EN", "END"),
        ("aab", ["ab"], "a", "ab"),
        # The one complete first wins, …
        ("xabcd", ["abcd", "bc"], "xa", "bc"),
        ("a b c", ["c", "b"], "a ", "b"),
        # … and of two complete at the same place the longer one.
        ("xabc", ["bc", "abc"], "x", "abc"),
        ("xabc", ["abc", "bc"], "x", "abc"),
        ("abcabd", ["abd"], "abc", "abd"),
        ("text", ["", "x"], "te", "x"),
        ("text", [], "text", None),
    ],
)
def test_sequences(text: str, sequences: list[str], shown: str, matched: str | None) -> None:
    assert scan([text], sequences) == (shown, matched)
    assert scan(list(text), sequences) == (shown, matched)


@given(
    st.lists(st.text("ab", max_size=6), max_size=6),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_the_cut_does_not_matter(pieces: list[str], sequences: list[str]) -> None:
    text = "".join(pieces)
    shown, matched = scan(pieces, sequences)
    assert (shown, matched) == scan([text], sequences) == scan(list(text), sequences)
    assert not any(sequence in shown for sequence in sequences)
    assert text.startswith(shown + (matched or ""))
    assert matched is not None or shown == text


def test_only_what_may_become_a_sequence_is_held_back() -> None:
    scanner = StopScanner(["\n\nHuman:"])
    assert scanner.receive("One line\n") == "One line"
    assert scanner.receive("another\n\nHum") == "\nanother"
    assert scanner.receive("ble pie") == "\n\nHumble pie"
    assert scanner.receive("\n\nHuman: no") == ""
    assert scanner.matched == "\n\nHuman:"
    assert scanner.receive("more") == ""
    assert scanner.flush() == ""


def test_what_cannot_begin_a_sequence_passes() -> None:
    scanner = StopScanner(["\n\nHuman:", "END"])
    assert scanner.passes("One line")
    assert not scanner.passes("another\n")
    assert scanner.receive("EN") == ""
    assert not scanner.passes("One line")  # something is held
    assert scanner.receive("D") == ""
    assert not scanner.passes("One line")  # nothing comes behind a match
