"""PDFs are read in a process of their own: once each, within limits, and whatever happens to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.pdf import MAX_PDF_BYTES, MAX_PDF_CHARS
from kiro_rs_py.serve import pdf_reading
from kiro_rs_py.serve.pdf_reading import AT_ONCE, PdfReading
from tests.children import children
from tests.convert.pdfs import in_base64, pdf, slow_pdf
from tests.proxy import wait_for

PAPER = in_base64(pdf("First page", "Second page"))
PAPER_TEXT = "First page\n\nSecond page"
NOWHERE = "/nowhere/python"


def program(folder: Path, text: str) -> str:
    """Something else in place of the interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


async def test_the_text_of_each() -> None:
    other = f"data:application/pdf;base64,{in_base64(pdf('Other'))}"
    assert await PdfReading().texts_of([PAPER, other, in_base64(b"no PDF")]) == {
        PAPER: PAPER_TEXT,
        other: "Other",
        in_base64(b"no PDF"): "",
    }
    assert await PdfReading().texts_of([]) == {}


async def test_what_the_conversion_has_words_for_is_left_to_it() -> None:
    too_large = in_base64(b"x" * (MAX_PDF_BYTES + 1))
    assert await PdfReading().texts_of(["%%%", too_large]) == {}


async def test_the_same_one_is_read_once() -> None:
    reading = PdfReading()
    await reading.texts_of([PAPER])
    reading.python = NOWHERE
    # Another spelling of the same bytes is the same document.
    again = f"{PAPER[:8]}\n{PAPER[8:]}"
    assert await reading.texts_of([PAPER, again]) == {PAPER: PAPER_TEXT, again: PAPER_TEXT}


async def test_at_the_same_time_it_may_be_read_twice() -> None:
    reading = PdfReading()
    read: list[dict[str, str]] = []

    async def one() -> None:
        read.append(await reading.texts_of([PAPER]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert read == [{PAPER: PAPER_TEXT}] * 2


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_reading, "MAX_KEPT_CHARS", 1100)
    reading = PdfReading()
    first, second, third = (in_base64(pdf(f"{name} page of ten")) for name in ("1st", "2nd", "3rd"))
    for data in (first, second, first, third):
        await reading.texts_of([data])
    reading.python = NOWHERE
    read = await reading.texts_of([first, second, third])
    assert read == {first: "1st page of ten", second: "", third: "3rd page of ten"}


async def test_time_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    slow = in_base64(slow_pdf("Hello"))
    with trio.fail_after(30):
        read = await PdfReading(seconds=2.0).texts_of([PAPER, slow])
    assert read[PAPER] == PAPER_TEXT
    # On a busy machine not even the first page may be there.
    assert read[slow] in (f"Hello\n\n{texts.PDF_REST_TOO_SLOW}", texts.PDF_TOO_SLOW)
    assert "was not read to its end" in caplog.text
    assert children() == []


async def test_waiting_for_a_place_takes_from_the_same_time() -> None:
    slow = [in_base64(slow_pdf(f"Hello {number}")) for number in range(2 * AT_ONCE)]
    with trio.fail_after(30):
        read = await PdfReading(seconds=1.0).texts_of(slow)
    assert all(text.endswith(" took too long]") for text in read.values())
    assert children() == []


async def test_a_client_that_leaves_ends_it() -> None:
    async def read(scope: trio.CancelScope) -> None:
        with scope:
            await PdfReading().texts_of([in_base64(slow_pdf("Hello"))])
            raise AssertionError("not so fast")

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, scope)
        await wait_for(lambda: len(children()) == 1)
        scope.cancel()
    assert children() == []


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("exit 1", ""),
        ("exec <&-; echo '\"One\"'; exit 1", "One"),
        ("cat >/dev/null; echo '\"One\"'; printf '\"cut of'; kill -9 $$", "One"),
    ],
)
async def test_a_reader_that_dies(script: str, text: str, tmp_path: Path) -> None:
    large = in_base64(pdf("words") + b" " * 500_000)
    assert await PdfReading(python=program(tmp_path, script)).texts_of([large]) == {large: text}


async def test_a_reader_that_cannot_be_started(caplog: pytest.LogCaptureFixture) -> None:
    assert await PdfReading(python=NOWHERE).texts_of([PAPER]) == {PAPER: ""}
    assert "PDFs cannot be read: [Errno 2]" in caplog.text


async def test_what_could_not_be_tried_is_tried_again() -> None:
    reading = PdfReading(python=NOWHERE)
    await reading.texts_of([PAPER])
    reading.python = sys.executable
    assert await reading.texts_of([PAPER]) == {PAPER: PAPER_TEXT}


@pytest.mark.parametrize(
    "endless", ["exec yes '\"\"'", f"exec yes '\"{'x' * 2000}\"'", "yes x | tr -d '\\n'"], ids=["empty", "long", "line"]
)
async def test_output_is_bounded(endless: str, tmp_path: Path) -> None:
    [text] = (await PdfReading(python=program(tmp_path, endless)).texts_of([PAPER])).values()
    assert len(text) <= 2 * MAX_PDF_CHARS
    assert children() == []
