"""The program that reads one PDF, as a program."""

from __future__ import annotations

import json
import subprocess
import sys

from kiro_rs_py.serve.pdf_child import MEMORY_BYTES
from tests.convert.pdfs import pdf

RUN = "from kiro_rs_py.serve.pdf_child import main; main()"
GRAB = f"from kiro_rs_py.serve import pdf_child; pdf_child._limit(); bytearray({MEMORY_BYTES} * 2)"


def run(program: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, check=False, timeout=60)


def test_a_line_for_each_page() -> None:
    done = run(RUN, pdf("First page", "Zweite Seite"))
    assert [json.loads(line) for line in done.stdout.splitlines()] == ["First page", "Zweite Seite"]
    assert done.returncode == 0


def test_nothing_for_what_is_no_pdf() -> None:
    done = run(RUN, b"no PDF at all")
    assert (done.returncode, done.stdout) == (0, b"")


def test_it_cannot_take_all_the_memory() -> None:
    done = run(GRAB)
    assert done.returncode == 1
    assert b"MemoryError" in done.stderr
