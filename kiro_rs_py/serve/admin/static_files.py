"""The administration's page: files that ship in the package, read once, found by name only (operations §6.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import trio

from kiro_rs_py.errors import NotFound
from kiro_rs_py.serve.admin.refusals import Refusal
from kiro_rs_py.serve.app import Call, Route
from kiro_rs_py.serve.errors import ErrorAnswer
from kiro_rs_py.serve.reply import Header

FOLDER = Path(__file__).parent / "static"
BASE = "/admin"
INDEX = "index.html"

_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}

PAGE_HEADERS: tuple[Header, ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    # The names carry no version: the browser asks each time, and mostly hears 304.
    (b"cache-control", b"no-cache"),
)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    type: bytes
    etag: bytes


class StaticFiles:
    """``check_place`` refuses foreign hosts. Only files that were in ``folder`` at the first request are served."""

    def __init__(self, check_place: Callable[[Call], None], folder: Path = FOLDER) -> None:
        self._check_place = check_place
        self._folder = folder
        self._files: Mapping[str, _File] | None = None

    def routes(self) -> list[Route]:
        return [Route(BASE, {"GET": self.answer}, keyed=False, prefix=True)]

    async def answer(self, call: Call) -> None:
        """A file; the page itself for every path of its own making, which has no dot in its last part."""
        try:
            self._check_place(call)
        except Refusal as refusal:
            await call.reply.error(ErrorAnswer(refusal.status, "permission_error", refusal.message))
            return
        if self._files is None:
            self._files = await trio.to_thread.run_sync(_read, self._folder)
        if INDEX not in self._files:
            raise NotFound("The administration's page is not part of this installation; its API works.")
        file = self._files.get(call.rest)
        if file is None and "." in call.rest.rpartition("/")[2]:
            raise NotFound("There is no such file.")
        await _send(call, file or self._files[INDEX])


async def _send(call: Call, file: _File) -> None:
    headers = ((b"etag", file.etag), *PAGE_HEADERS)
    known = (call.header(b"if-none-match") or "").encode("latin-1")
    if known == b"*" or file.etag in (tag.strip().removeprefix(b"W/") for tag in known.split(b",")):
        await call.reply.empty(304, headers)
    else:
        await call.reply.whole(200, file.content, file.type, headers)


def _read(folder: Path) -> dict[str, _File]:
    """Every file of a known type below the folder, by its path with slashes. Links that lead out are left out."""
    files: dict[str, _File] = {}
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        kind = _TYPES.get(path.suffix)
        if kind is None or not path.is_file() or not path.resolve().is_relative_to(root):
            continue
        content = path.read_bytes()
        etag = f'"{sha256(content).hexdigest()[:32]}"'.encode()
        files[path.relative_to(folder).as_posix()] = _File(content, kind, etag)
    return files
