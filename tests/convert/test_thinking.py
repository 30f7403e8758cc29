from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kiro_rs_py.convert.thinking import Piece, ThinkingSplitter


def split(pieces: list[str]) -> list[tuple[str, str]]:
    """Neighbouring pieces of a kind joined, as (kind, text)."""
    splitter = ThinkingSplitter()
    found: list[Piece] = []
    for piece in pieces:
        found += splitter.receive(piece)
    found += splitter.flush()
    result: list[tuple[str, str]] = []
    for thinking, text in found:
        assert text
        kind = "thinking" if thinking else "text"
        if result and result[-1][0] == kind:
            result[-1] = (kind, result[-1][1] + text)
        else:
            result.append((kind, text))
    return result


def T(text: str) -> tuple[str, str]:  # noqa: N802
    return ("thinking", text)


def A(text: str) -> tuple[str, str]:  # noqa: N802
    return ("text", text)


TABLE: list[tuple[str, list[tuple[str, str]]]] = [
    ("", []),
    ("Hello", [A("Hello")]),
    ("<thinking>abc</thinking>\n\ntext", [T("abc"), A("text")]),
    ("\n\n <thinking>\nabc</thinking>\n\ntext", [T("abc"), A("text")]),
    ("<thinking>\nx\n</thinking>\n\n\nHi", [T("x"), A("Hi")]),
    ("<thinking>\n\nx\n\n</thinking>Hi", [T("\nx\n"), A("Hi")]),
    ("<thinking>\r\nx\r\n</thinking>\r\n\r\nHi", [T("x"), A("Hi")]),
    ("<thinking>\rx\r</thinking> Hi", [T("\rx\r"), A(" Hi")]),
    # Nothing thought, no block.
    ("<thinking></thinking>\n\nHi", [A("Hi")]),
    ("<thinking>\n</thinking>\n\nHi", [A("Hi")]),
    ("<thinking>", []),
    ("<thinking>\n", []),
    # B1: a closing tag behind punctuation is one all the same.
    ("<thinking>\nAll good.</thinking>\n\nHello", [T("All good."), A("Hello")]),
    # B2: and with any newlines behind it.
    ("<thinking>\nDone\n</thinking>\nHello", [T("Done"), A("Hello")]),
    ("<thinking>\nDone\n</thinking>Hello", [T("Done"), A("Hello")]),
    # B3: only before visible text.
    ("Intro\n<thinking>\nhmm\n</thinking>\n\nMore", [A("Intro\n<thinking>\nhmm\n</thinking>\n\nMore")]),
    ("use `<thinking>` tags", [A("use `<thinking>` tags")]),
    # B4: whatever follows the opening tag.
    ('<thinking>"quoted"</thinking>Hi', [T('"quoted"'), A("Hi")]),
    ("<thinking>- item</thinking>Hi", [T("- item"), A("Hi")]),
    # Quoted on both sides by the same character, a closing tag is text.
    ("<thinking>\nsay `</thinking>` here\n</thinking>\n\nok", [T("say `</thinking>` here"), A("ok")]),
    ("<thinking>'</thinking>' and \"</thinking>\"</thinking>ok", [T("'</thinking>' and \"</thinking>\""), A("ok")]),
    ("<thinking>`</thinking>'ok", [T("`"), A("'ok")]),
    ("<thinking>x`</thinking>\n\nok", [T("x`"), A("ok")]),
    ("<thinking>`</thinking>", [T("`")]),
    ("<thinking>a`</thinking>`b", [T("a`</thinking>`b")]),
    # A second block is text.
    ("<thinking>a</thinking>b<thinking>c</thinking>", [T("a"), A("b<thinking>c</thinking>")]),
    # Never closed.
    ("<thinking>\nabc\n</thinki", [T("abc\n</thinki")]),
    ("<thinking>\nabc\n", [T("abc\n")]),
    ("<thinking>a<b</thinking>ok", [T("a<b"), A("ok")]),
    # Never opened.
    ("<thin", [A("<thin")]),
    ("\n\n", [A("\n\n")]),
    (" <thinkers>", [A(" <thinkers>")]),
    (" " * 1024 + "<thinking>a</thinking>", [T("a")]),
    (" " * 1025 + "<thinking>a</thinking>", [A(" " * 1025 + "<thinking>a</thinking>")]),
    ("<thinking>a</thinking>\n\n", [T("a")]),
    ("<thinking>a</thinking>\n \n", [T("a"), A(" \n")]),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_whole_and_character_by_character(text: str, expected: list[tuple[str, str]]) -> None:
    assert split([text]) == expected
    assert split(list(text)) == expected
    for cut in range(len(text)) if len(text) < 100 else [9, 1030]:
        assert split([text[:cut], text[cut:]]) == expected


TROUBLE = ["<thinking>", "</thinking>", "<", ">", "</thin", "king>", "`", '"', "'", "\n", "\r\n", "\r", " ", "a", "é"]


@given(st.lists(st.sampled_from(TROUBLE), max_size=12), st.data())
@example(["<thinking>", "`", "</thinking>", "`"], None)
def test_the_cut_does_not_matter(words: list[str], data: st.DataObject | None) -> None:
    text = "".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8))) if data is not None else []
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(pieces) == split([text]) == split(list(text))


@given(st.text("ab.\n `<", max_size=20), st.text("ab.\n `", max_size=20))
def test_no_tag_of_the_models_own_block_is_left(thought: str, answer: str) -> None:
    result = split([f"<thinking>{thought}\n</thinking>{answer}"])
    assert all("thinking>" not in text for _, text in result)


def test_only_an_undecided_tail_is_held_back() -> None:
    splitter = ThinkingSplitter()
    assert splitter.receive("<thinking>\nabc\n") == [(True, "abc")]
    assert splitter.receive("d</thinking") == [(True, "\nd")]
    assert splitter.receive("s>") == [(True, "</thinkings>")]
    assert splitter.receive("`</thinking>") == [(True, "`")]
    assert splitter.receive("` x") == [(True, "</thinking>` x")]
    assert not splitter.done
    assert splitter.receive("</thinking>\n") == []
    assert splitter.receive("answer") == [(False, "answer")]
    assert splitter.done
    assert splitter.receive("<thinking>") == [(False, "<thinking>")]


def test_a_block_ends_at_a_boundary() -> None:
    splitter = ThinkingSplitter()
    assert splitter.receive("<thinking>abc\n</th") == [(True, "abc")]
    assert splitter.flush() == [(True, "\n</th")]
    assert splitter.done
    assert splitter.flush() == []


def test_blank_space_before_a_boundary_is_nothing_visible() -> None:
    splitter = ThinkingSplitter()
    assert splitter.receive("\n\n") == []
    assert splitter.flush() == [(False, "\n\n")]
    assert splitter.receive("<thinking>a</thinking>b") == [(True, "a"), (False, "b")]


def test_visible_text_before_a_boundary_ends_the_search() -> None:
    splitter = ThinkingSplitter()
    assert splitter.receive("<thin") == []
    assert splitter.flush() == [(False, "<thin")]
    assert splitter.receive("<thinking>a") == [(False, "<thinking>a")]
