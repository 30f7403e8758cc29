"""``--dump``: files that decode, say nothing, stay within their limits, and can be played back."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import trio

from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.codec.inspection import inspect
from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream import dump as dumps
from kiro_rs_py.upstream.dump import Dump, open_dump

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
FRAME = event_frame("assistantResponseEvent", b'{"content":"secret words"}')


class ScriptedBody:
    """Gives these reads, then the end."""

    def __init__(self, reads: Sequence[bytes] = ()) -> None:
        self._reads = list(reads)
        self.closed = self.expired = False

    async def receive(self) -> bytes:
        return self._reads.pop(0) if self._reads else b""

    def expire(self) -> None:
        self.expired = True

    def close(self) -> None:
        self.closed = True


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def record(dump: Dump, *reads: bytes, request_id: str = "req_1") -> None:
    body = dump.record(ScriptedBody(reads), request_id)
    while await body.receive():
        pass
    body.close()
    body.close()


async def test_a_stream_and_an_answer(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "dumps"
    async with open_dump(folder, now=lambda: NOON) as dump:
        await record(dump, FRAME[:50], FRAME[50:] + FRAME)
        dump.add_answer("req_2", 429, httpx.Headers({"Retry-After": "7"}), b'{"message":"secret"}')
    assert names(folder) == ["20260801T120000-0001-req_1.eventstream", "20260801T120000-0002-req_2.json"]
    stream, answer = sorted(folder.iterdir())
    assert [json.loads(piece.payload) for piece in inspect(stream.read_bytes())] == [{"content": "xxxxxx xxxxx"}] * 2
    assert json.loads(answer.read_text()) == [
        {"status": 429, "headers": {"retry-after": "7"}, "body": {"message": "xxxxxx"}}
    ]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


async def test_the_body_is_what_it_was(tmp_path: Path) -> None:
    async with open_dump(tmp_path / "dumps") as dump:
        inner = ScriptedBody([b"a", b"b"])
        body = dump.record(inner, "req_1")
        assert [await body.receive(), await body.receive(), await body.receive()] == [b"a", b"b", b""]
        body.expire()
        assert inner.expired
        body.close()
        assert inner.closed
        assert await body.receive() == b""


async def test_an_answer_that_was_never_read_to_its_end_is_written_too(tmp_path: Path) -> None:
    async with open_dump(tmp_path / "dumps") as dump:
        body = dump.record(ScriptedBody([FRAME[:-1], b"more"]), "req_1")
        await body.receive()
        body.close()
    [path] = (tmp_path / "dumps").iterdir()
    [piece] = inspect(path.read_bytes())
    assert piece.problems[0].startswith("cut off after")


async def test_one_answer_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "MAX_ANSWER_BYTES", len(FRAME) + 20)
    async with open_dump(tmp_path / "dumps") as dump:
        await record(dump, FRAME, FRAME, FRAME)
    [path] = (tmp_path / "dumps").iterdir()
    assert path.stat().st_size == len(FRAME) + 20


async def test_all_of_them_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "MAX_WAITING_BYTES", len(FRAME) + 5)
    async with open_dump(tmp_path / "dumps") as dump:
        first, second = (dump.record(ScriptedBody([FRAME, b"tail"]), f"req_{number}") for number in (1, 2))
        for body in (first, second, first):
            assert await body.receive()
        dump.add_answer("req_3", 500, {}, b"too much as well")
        first.close()
        second.close()
    written = [path.read_bytes() for path in sorted((tmp_path / "dumps").iterdir())]
    # Once something is left out of an answer, nothing follows: a hole would look like damage.
    assert [len(data) for data in written] == [len(FRAME) + 4, 0]
    assert len(names(tmp_path / "dumps")) == 2


async def test_room_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "MAX_WAITING_BYTES", len(FRAME))
    async with open_dump(tmp_path / "dumps") as dump:
        for _ in range(3):
            await record(dump, FRAME)
            with trio.fail_after(20):
                while dump.waiting:  # noqa: ASYNC110
                    await trio.sleep(0.01)
    assert {path.stat().st_size for path in (tmp_path / "dumps").iterdir()} == {len(FRAME)}


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_FOLDER_BYTES"])
async def test_the_folder_is_bounded(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, limit, 2 if limit == "MAX_FILES" else 2 * len(FRAME) + 1)
    folder = tmp_path / "dumps"
    folder.mkdir(0o700)
    (folder / "notes.txt").write_text("mine")
    async with open_dump(folder, now=lambda: NOON) as dump:
        for number in range(5):
            await record(dump, FRAME, request_id=f"req_{number}")
    assert names(folder) == [
        "20260801T120000-0004-req_3.eventstream",
        "20260801T120000-0005-req_4.eventstream",
        "notes.txt",
    ]


# --- trouble ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
async def test_a_folder_others_can_look_into_is_refused(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigError, match="is open to other users"):
        async with open_dump(folder):
            raise AssertionError("not reached")
    assert folder.stat().st_mode & 0o777 == mode


async def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        async with open_dump(tmp_path / "file" / "dumps"):
            raise AssertionError("not reached")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir(0o500)
    with pytest.raises(ConfigError, match="cannot be written to"):
        async with open_dump(tmp_path / "dumps"):
            raise AssertionError("not reached")


async def test_a_folder_that_vanishes_costs_dumps_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "dumps"
    async with open_dump(folder) as dump:
        folder.rmdir()
        await record(dump, FRAME)
        await record(dump, FRAME)
    assert len([line for line in caplog.messages if "cannot be dumped: No such file" in line]) == 1


async def test_a_bug_costs_dumps_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(data: bytes, salt: bytes) -> bytes:
        raise RuntimeError(data, salt)

    monkeypatch.setattr(dumps, "redacted_stream", broken)
    caplog.set_level(logging.ERROR)
    async with open_dump(tmp_path / "dumps") as dump:
        await record(dump, FRAME)
        dump.add_answer("req_2", 500, {}, b"")
    assert len(names(tmp_path / "dumps")) == 1
    assert "was not dumped: RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_the_block_s_own_error_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with open_dump(tmp_path / "dumps"):
            raise ValueError("mine")


async def test_what_waits_is_written_when_the_program_is_cancelled(tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        async with open_dump(tmp_path / "dumps") as dump:
            await record(dump, FRAME)
            scope.cancel()
            await trio.sleep_forever()
    assert len(names(tmp_path / "dumps")) == 1
