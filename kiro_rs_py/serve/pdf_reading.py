"""PDFs of a request, read beside the server and within limits; the same one only once.

Clients send the whole conversation with every turn, its documents included, so what was read is kept: a bounded
amount, by the hash of the document.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial

import trio

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.pdf import MAX_PDF_BYTES, MAX_PDF_CHARS, MAX_PDF_PAGES, decoded, joined, without_data_url

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 30.0
"""For all PDFs of a request together. What is not read by then is left out, with a sentence in its place."""
AT_ONCE = 2
"""Of all requests: each takes a processor for itself."""
MAX_KEPT_CHARS = 8_000_000

_PROGRAM = "import json,sys;sys.path[:]=json.loads(sys.argv[1]);from kiro_rs_py.serve.pdf_child import main;main()"
# A page of a book has 3,000 characters, and a character up to twelve in JSON.
_MAX_OUTPUT_BYTES = 16 * MAX_PDF_CHARS


class PdfReading:
    """``seconds`` is the limit for one request, ``python`` the interpreter to start."""

    def __init__(self, seconds: float = REQUEST_SECONDS, python: str = sys.executable) -> None:
        self.python = python
        self._seconds = seconds
        self._places = trio.CapacityLimiter(AT_ONCE)
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._kept_chars = 0

    async def texts_of(self, documents: Iterable[str]) -> dict[str, str]:
        """The text of each document (base64, maybe behind a ``data:`` prefix) that is small enough, by its data."""
        read: dict[str, str] = {}
        deadline = trio.current_time() + self._seconds
        async with trio.open_nursery() as nursery:
            for data in documents:
                nursery.start_soon(self._read, data, deadline, read)
        return read

    async def _read(self, data: str, deadline: float, read: dict[str, str]) -> None:
        prepared = await trio.to_thread.run_sync(_decoded, data)
        if prepared is None:
            return
        digest, raw = prepared
        text = self._kept.get(digest)
        if text is None:
            text = await self._text(digest, raw, deadline)
        else:
            self._kept.move_to_end(digest)
        read[data] = text

    async def _text(self, digest: bytes, raw: bytes, deadline: float) -> str:
        pages: list[str] = []
        started = False
        with trio.CancelScope(deadline=deadline) as limit:
            try:
                async with self._places, _child(self.python, raw) as child:
                    started = True
                    assert child.stdout is not None
                    await _receive_pages(child.stdout, pages)
            except* OSError as failures:
                logger.warning("PDFs cannot be read: %s", failures.exceptions[0])
        if limit.cancelled_caught:
            logger.info("a PDF was not read to its end in %g seconds", self._seconds)
            pages.append(texts.PDF_REST_TOO_SLOW if pages else texts.PDF_TOO_SLOW)
        text = joined(pages)
        if started:
            # Also what took too long: it would again, at each turn of the conversation.
            self._keep(digest, text)
        return text

    def _keep(self, digest: bytes, text: str) -> None:
        # Two requests may have read the same one at the same time.
        self._kept_chars += _cost(text) - _cost(self._kept.pop(digest, None))
        self._kept[digest] = text
        while self._kept_chars > MAX_KEPT_CHARS:
            _, oldest = self._kept.popitem(last=False)
            self._kept_chars -= _cost(oldest)


def _cost(text: str | None) -> int:
    """In characters: empty texts take room, too."""
    return 0 if text is None else len(text) + 500


def _decoded(data: str) -> tuple[bytes, bytes] | None:
    """Hash and bytes; None for what the conversion has a sentence of its own for: too large, or no base64."""
    _, encoded = without_data_url(None, data)
    try:
        raw = decoded(encoded)
    except ValueError:
        return None
    return None if len(raw) > MAX_PDF_BYTES else (hashlib.sha256(raw).digest(), raw)


@asynccontextmanager
async def _child(python: str, raw: bytes) -> AsyncIterator[trio.Process]:
    """The reading process, which is gone when the block is left."""
    command = [python, "-I", "-S", "-c", _PROGRAM, json.dumps(sys.path)]
    start = partial(
        trio.run_process,
        command,
        stdin=raw,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        deliver_cancel=_kill,
    )
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(start)
        yield process
        nursery.cancel_scope.cancel()


async def _kill(process: trio.Process) -> None:
    process.kill()


async def _receive_pages(stdout: trio.abc.ReceiveStream, pages: list[str]) -> None:
    """Adds each page when it is there, until there are enough."""
    waiting = b""
    size = length = 0
    async for data in stdout:
        size += len(data)
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            pages.append(json.loads(line))
            length += len(pages[-1])
            if length > MAX_PDF_CHARS or len(pages) > MAX_PDF_PAGES:
                return
        if size > _MAX_OUTPUT_BYTES:
            return
