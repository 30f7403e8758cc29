"""Client keys of a running proxy: changes, news from the file, uses written now and then."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import trio

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.serve.client_keys import new_client_key
from kiro_rs_py.serve.key_file import KeyFile
from kiro_rs_py.serve.key_keeper import ClientKeys, open_client_keys

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
KEY, SECRET = new_client_key("laptop", NOW)
DIGEST = sha256(SECRET.encode()).digest()


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile.beside(tmp_path / "credentials.json")


@pytest.fixture
async def keys(file: KeyFile) -> ClientKeys:
    """With one key, which is used once."""
    file.update(lambda keys: keys.update({KEY.id: KEY}))
    kept = ClientKeys(file, now=lambda: NOW)
    await kept.reload()
    assert kept.ring.admit(DIGEST)
    return kept


async def test_a_change_is_on_disk_and_in_the_ring(keys: ClientKeys, file: KeyFile) -> None:
    await keys.change(dict.clear)
    assert file.load() == keys.ring.listed() == []
    assert keys.ring.admit(DIGEST) is None


async def test_a_change_that_cannot_be_written_is_in_neither(keys: ClientKeys, file: KeyFile) -> None:
    before = file.path.read_bytes()
    file.path.write_text("damaged")
    with pytest.raises(CredentialFileError):
        await keys.change(dict.clear)
    assert keys.ring.admit(DIGEST)
    assert file.path.read_text() == "damaged"
    file.path.write_bytes(before)
    await keys.reload_if_changed()
    assert keys.ring.admit(DIGEST)


async def test_what_others_write_is_noticed(keys: ClientKeys, file: KeyFile) -> None:
    await keys.reload_if_changed()  # nothing new
    file.update(dict.clear)
    await keys.reload_if_changed()
    assert keys.ring.admit(DIGEST) is None


async def test_a_file_that_is_removed_takes_its_keys_with_it(keys: ClientKeys, file: KeyFile) -> None:
    file.path.unlink()
    await keys.reload_if_changed()
    assert keys.ring.listed() == []


async def test_a_damaged_file_is_complained_of_once(
    keys: ClientKeys, file: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    file.path.write_text("damaged")
    for _ in range(3):
        await keys.reload_if_changed()
    assert len([record for record in caplog.records if "stay as they are" in record.message]) == 1
    assert keys.ring.admit(DIGEST)


async def test_uses_are_added_to_what_others_have_counted(keys: ClientKeys, file: KeyFile) -> None:
    other = ClientKeys(file, now=lambda: NOW)
    await other.reload()
    for _ in range(3):
        assert other.ring.admit(DIGEST)
    await keys.flush()
    await other.flush()
    assert [(key.requests, key.last_used_at) for key in file.load()] == [(4, NOW)]
    stamp = file.stamp()
    await other.flush()  # nothing new, nothing written
    assert file.stamp() == stamp
    assert [key.requests for key in other.ring.listed()] == [4]


async def test_uses_of_a_deleted_key_do_not_bring_it_back(keys: ClientKeys, file: KeyFile) -> None:
    file.update(dict.clear)
    await keys.flush()
    assert file.load() == []


async def test_uses_that_cannot_be_written_are_kept(
    keys: ClientKeys, file: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    before = file.path.read_bytes()
    file.path.write_text("damaged")
    await keys.flush()
    assert "kept in memory for now" in caplog.text
    file.path.write_bytes(before)
    await keys.flush()
    assert [key.requests for key in file.load()] == [1]


async def test_uses_are_written_at_the_end_even_of_a_cancelled_server(file: KeyFile) -> None:
    file.update(lambda keys: keys.update({KEY.id: KEY}))
    with trio.CancelScope() as scope:
        async with open_client_keys(file.path.with_name("credentials.json")) as kept:
            assert kept.ring.admit(DIGEST)
            scope.cancel()
            await trio.sleep_forever()
    assert [key.requests for key in file.load()] == [1]


async def test_an_open_keeper_watches_and_writes(file: KeyFile) -> None:
    credentials = file.path.with_name("credentials.json")
    async with open_client_keys(credentials, now=lambda: NOW, watch_seconds=0.01, flush_seconds=0.01) as kept:
        file.update(lambda keys: keys.update({KEY.id: KEY}))
        with trio.fail_after(20):
            while not kept.ring.admit(DIGEST):  # noqa: ASYNC110
                await trio.sleep(0.01)
            while not file.load()[0].requests:  # noqa: ASYNC110
                await trio.sleep(0.01)


async def test_a_damaged_file_is_no_start(file: KeyFile) -> None:
    file.path.write_text("damaged")
    with pytest.raises(CredentialFileError):
        async with open_client_keys(file.path.with_name("credentials.json")):
            pass
