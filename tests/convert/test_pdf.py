from __future__ import annotations

import zlib

import pytest

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import DocumentBlock, Message, MessagesRequest, TextBlock, ToolResultBlock
from kiro_rs_py.convert.attachments import document_text
from kiro_rs_py.convert.pdf import (
    MAX_PDF_CHARS,
    MAX_PDF_PAGES,
    decoded,
    is_pdf,
    joined,
    may_hold_pdf,
    pdf_pages,
    pdfs_in,
    with_pdf_texts,
    without_data_url,
)
from tests.convert.pdfs import in_base64, odd_pdf, pdf

PAPER = in_base64(pdf("A page"))


def read(raw: bytes, media_type: str | None = "application/pdf") -> str:
    return document_text(DocumentBlock(media_type, in_base64(raw), "base64", "Paper"))


def test_text_is_extracted_page_by_page() -> None:
    assert read(pdf("First page", "Second page")) == (
        "[document: Paper, application/pdf]\nFirst page\n\nSecond page\n[end of document]"
    )
    assert "Only page" in read(pdf("Only page"), media_type=None)


def test_it_is_read_up_to_a_bound() -> None:
    assert read(pdf(*["words"] * (MAX_PDF_PAGES + 1))).count("words") == MAX_PDF_PAGES
    pages = iter(["x" * (MAX_PDF_CHARS // 2 + 1)] * 5)
    assert joined(pages).count("x") == MAX_PDF_CHARS + 2
    assert len(list(pages)) == 3  # which nobody asked for


def test_what_was_read_before_the_damage_is_kept() -> None:
    assert list(pdf_pages(pdf("Good page", "Bad page\\"))) == ["Good page", texts.PDF_REST_UNREADABLE]


def test_halves_of_characters_are_joined_or_replaced() -> None:
    assert list(pdf_pages(odd_pdf("d83d", "de00", "0041", "d83d"))) == ["\U0001f600A\ufffd"]


@pytest.mark.parametrize("junk", [b"%PDF-1.7\n" + zlib.compress(b"x" * 1000), b"%PDF-1.4\ntrailer<</Root 1 0 R>>"])
def test_hostile_ones_leave_a_sentence(junk: bytes) -> None:
    assert "no text could be extracted" in read(junk)


@pytest.mark.parametrize(
    ("block", "verdict"),
    [
        (DocumentBlock("application/pdf", "AAAA", "base64"), True),
        (DocumentBlock("Application/PDF; v=1", "AAAA", "base64"), True),
        (DocumentBlock("text/plain", PAPER, "base64"), True),
        (DocumentBlock(None, f"\n{PAPER}", "base64"), True),
        (DocumentBlock(None, f"data:application/pdf;base64,{PAPER}", "base64"), True),
        (DocumentBlock("text/plain", "AAAA", "base64"), False),
        (DocumentBlock("application/pdf", "JVBERi0", "text"), False),
        (DocumentBlock("application/pdf", None, "url"), False),
    ],
)
def test_which_documents_are_pdfs(block: DocumentBlock, verdict: bool) -> None:
    assert is_pdf(block) is verdict


def test_which_bodies_are_worth_a_look() -> None:
    assert may_hold_pdf(b'{"data":"JVBERi0xLjQ"}')
    assert may_hold_pdf(b'{"media_type":"application/pdf"}')
    assert not may_hold_pdf(b'{"text":"%PDF-"}')


def request(*blocks: DocumentBlock | TextBlock | ToolResultBlock) -> MessagesRequest:
    return MessagesRequest(model="m", messages=(Message("user", blocks), Message("user", (TextBlock("?"),))))


def test_pdfs_are_found_and_replaced_wherever_they_are() -> None:
    first, second = DocumentBlock(None, PAPER, "base64"), DocumentBlock("application/pdf", "AAAA", "base64")
    note = DocumentBlock("text/plain", "words", "text")
    before = request(first, ToolResultBlock("t", (second, first, note)), note)
    assert pdfs_in(before.messages) == (PAPER, "AAAA")
    assert with_pdf_texts(before, {}) is before
    after = with_pdf_texts(before, {PAPER: "the text"})
    document, result, rest = after.messages[0].content
    assert isinstance(document, DocumentBlock)
    assert isinstance(result, ToolResultBlock)
    assert document.extracted == "the text"
    assert [getattr(block, "extracted", 0) for block in result.content] == [None, "the text", None]
    assert rest == note
    assert after.messages[1] == before.messages[1]


def test_base64() -> None:
    assert decoded("QU\r\nJD") == b"ABC"
    for damaged in ("%", "QUJ"):
        with pytest.raises(ValueError, match=r"base64|padding"):
            decoded(damaged)


def test_data_urls() -> None:
    assert without_data_url("Text/Plain; x", "AAAA") == ("text/plain", "AAAA")
    assert without_data_url(None, "data:application/pdf;base64,AAAA") == ("application/pdf", "AAAA")
    assert without_data_url("a/b", "data:;base64,AAAA") == ("a/b", "AAAA")
    assert without_data_url(None, "data:no comma") == ("", "data:no comma")
