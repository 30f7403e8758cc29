"""The program that reads one PDF: its bytes on stdin, the text of each page as one line of JSON on stdout.

A process of its own, since reading a PDF takes the interpreter for itself, for seconds or, if somebody meant harm, for
ever, and as much memory as it likes. This one can be ended, and ends itself.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

CPU_SECONDS = 60
MEMORY_BYTES = 2**30


def main() -> None:
    """Runs until the last page, or until the limits are reached."""
    _limit()
    from kiro_rs_py.convert.pdf import pdf_pages

    out = sys.stdout.buffer
    for page in pdf_pages(sys.stdin.buffer.read()):
        out.write(json.dumps(page).encode("ascii") + b"\n")
        out.flush()


def _limit() -> None:
    with suppress(ImportError, ValueError, OSError):  # not on Windows, and less may be allowed already
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
