"""``serve --dump``: what the upstream answered, redacted, one file for each answer (PRODUCT §7).

A stream becomes ``….eventstream``, which ``kiro-rs-py decode`` shows; any other answer becomes ``….json``, a scenario
of the simulator. The names begin with the time and hold the request's id, so that they sort and can be found. Bytes
are only collected while an answer is under way; masking and writing happen afterwards in a thread.
"""

from __future__ import annotations

import logging
import math
import os
import re
import secrets
import stat
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import trio

from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.beside import tasks_beside
from kiro_rs_py.upstream.redaction import redacted_answer, redacted_stream

if TYPE_CHECKING:
    from kiro_rs_py.upstream.stream import Body

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 4 * 2**20
"""Of one answer; the rest is left out, and the file shows a frame that is cut off."""
MAX_WAITING_BYTES = 64 * 2**20
"""Of all answers that are in memory; beyond it answers are not recorded."""
MAX_FILES = 500
MAX_FOLDER_BYTES = 128 * 2**20

LAST_SECONDS = 5.0
"""For what is waiting when the program ends."""

_NAMES = re.compile(r"\d{8}T\d{6}-\d{4,}-[\w-]*\.(?:eventstream|json)", re.ASCII)


class _Answer(NamedTuple):
    name: str
    redact: Callable[[], bytes]
    size: int


class Dump:
    """Made by :func:`open_dump`."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now
        self._salt = secrets.token_bytes(16)
        self._count = 0
        self.waiting = 0
        """Bytes in memory, of answers under way and of those to be written."""
        self._writing = trio.CancelScope(shield=True)
        self._sender, self._receiver = trio.open_memory_channel[_Answer](math.inf)  # bounded by bytes

    def record(self, body: Body, request_id: str) -> Body:
        """``body``, recorded while it is read and written when it is closed."""
        return _RecordedBody(body, self, request_id)

    def add_answer(self, request_id: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Write an answer that is no event stream."""
        if self.room_for(len(body)):
            self._add(request_id, "json", len(body), lambda: redacted_answer(status, headers, body, self._salt))

    def add_stream(self, request_id: str, data: bytes) -> None:
        """Write a stream whose bytes have got their room already."""
        self._add(request_id, "eventstream", len(data), lambda: redacted_stream(data, self._salt))

    def room_for(self, size: int) -> bool:
        """Whether so many bytes more may be kept; they are counted then, until they are written."""
        if self.waiting + size > MAX_WAITING_BYTES:
            return False
        self.waiting += size
        return True

    def _add(self, request_id: str, kind: str, size: int, redact: Callable[[], bytes]) -> None:
        self._count += 1
        name = f"{self._now():%Y%m%dT%H%M%S}-{self._count:04}-{request_id}.{kind}"
        self._sender.send_nowait(_Answer(name, redact, size))

    async def write(self) -> None:
        """Write what comes until :meth:`close` is called and all of it is written, or time is up."""
        complained = False
        with self._writing:
            async for answer in self._receiver:
                try:
                    await trio.to_thread.run_sync(_write, self._folder, answer)
                    complained = False
                except OSError as exc:
                    if not complained:
                        logger.warning("answers of the upstream cannot be dumped: %s", exc.strerror)
                    complained = True
                except Exception as exc:
                    # A diagnosis must not be what ends the patient. The error's text may hold what was to be masked.
                    logger.error("an answer of the upstream was not dumped: %s", type(exc).__name__)
                finally:
                    self.waiting -= answer.size

    def close(self) -> None:
        """No more answers come."""
        self._sender.close()
        self._writing.deadline = trio.current_time() + LAST_SECONDS


@asynccontextmanager
async def open_dump(folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> AsyncIterator[Dump]:
    """Record into ``folder`` for the length of the block; what is waiting then is still written.

    The folder is made if need be, for its owner only. Raises ConfigError if that fails, or if others can look into it.
    """
    await trio.to_thread.run_sync(_prepare, folder)
    logger.info("redacted answers of the upstream are written to %s", folder)
    dump = Dump(folder, now)
    async with tasks_beside() as nursery:
        nursery.start_soon(dump.write)
        try:
            yield dump
        finally:
            dump.close()


class _RecordedBody:
    """A body whose bytes are kept as they are read."""

    def __init__(self, body: Body, dump: Dump, request_id: str) -> None:
        self._body = body
        self._dump: Dump | None = dump
        self._request_id = request_id
        self._data = bytearray()
        self._full = False

    async def receive(self) -> bytes:
        data = await self._body.receive()
        kept = data[: MAX_ANSWER_BYTES - len(self._data)]
        if kept and not self._full and self._dump is not None:
            self._full = not self._dump.room_for(len(kept))
            if not self._full:
                self._data += kept
        return data

    def expire(self) -> None:
        self._body.expire()

    def close(self) -> None:
        self._body.close()
        if self._dump is not None:
            dump, self._dump = self._dump, None
            dump.add_stream(self._request_id, bytes(self._data))


def _prepare(folder: Path) -> None:
    remedy = "Name another folder with --dump."
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as exc:
        raise ConfigError([f"The folder {folder} cannot be made: {exc.strerror}. {remedy}"]) from exc
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError([f"The folder {folder} is open to other users. Run `chmod 700 {folder}`, or name another."])
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError([f"The folder {folder} cannot be written to. {remedy}"])


def _write(folder: Path, answer: _Answer) -> None:
    data = answer.redact()
    file = os.open(folder / answer.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(file, "wb") as opened:
        opened.write(data)
    _tidy(folder)


def _tidy(folder: Path) -> None:
    """Delete the oldest files of ours beyond the limits."""
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(folder) if _NAMES.fullmatch(entry.name)}
    total = sum(sizes.values())
    for name in sorted(sizes):
        if len(sizes) <= MAX_FILES and total <= MAX_FOLDER_BYTES:
            return
        total -= sizes.pop(name)
        (folder / name).unlink(missing_ok=True)
