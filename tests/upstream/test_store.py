"""CredentialStore on real files, and its twin in memory."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.credential import Credential, changed_members
from kiro_rs_py.upstream.document import CredentialDocument, UnknownCredential
from kiro_rs_py.upstream.locks import FileLock, look_at_lock
from kiro_rs_py.upstream.store import CredentialStore
from tests.upstream.children import run_mounted
from tests.upstream.memory import MemoryCredentialStore

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")

R1, R2 = "aor" + "1" * 120, "aor" + "2" * 120


def rotate(document: CredentialDocument) -> None:
    document.patch(1, {"refreshToken": R2})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "credentials.json"
    path.touch(0o600)
    path.write_text(json.dumps({"refreshToken": R1, "theirs": {"kept": True}}))
    return path


def test_a_missing_file_is_an_empty_list_and_is_not_created_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "none" / "credentials.json"
    stored = CredentialStore(path).load()
    assert (stored.shape, stored.credentials) == ("missing", ())
    assert not path.parent.exists()


@posix_only
def test_the_first_account_makes_a_private_folder_and_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "credentials.json"
    updated = CredentialStore(path).update_now(lambda document: document.add(Credential(refresh_token=R1)))
    assert updated.value.id == 1
    assert updated.stored.credentials == (updated.value,)
    modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    assert modes == {"credentials.json": 0o600, "credentials.json.lock": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_single_object_stays_one_and_is_always_written_back(path: Path) -> None:
    """Three restarts, each with a rotation (the first defect of operations §10.2)."""
    tokens = [R1]
    for number in range(3):
        store = CredentialStore(path)
        credential = store.load().credentials[0]
        assert (credential.id, credential.refresh_token) == (1, tokens[-1])
        tokens.append(f"aor{number}" * 40)
        members = changed_members(credential, replace(credential, refresh_token=tokens[-1]))
        store.update_now(partial(CredentialDocument.patch, credential_id=1, changes=members))
    assert json.loads(path.read_text()) == {"refreshToken": tokens[-1], "theirs": {"kept": True}}
    backup = path.with_name("credentials.json.bak")
    assert json.loads(backup.read_text())["refreshToken"] == tokens[-2]


def test_a_change_sees_what_others_wrote_meanwhile(path: Path) -> None:
    store = CredentialStore(path)
    before = store.load().credentials[0]
    path.write_text(json.dumps({"priority": 4, "refreshToken": R1}))  # an editor
    store.update_now(lambda document: document.patch(1, changed_members(before, replace(before, refresh_token=R2))))
    assert json.loads(path.read_text()) == {"priority": 4, "refreshToken": R2}


def test_nothing_changed_is_nothing_written(path: Path) -> None:
    before = path.stat().st_mtime_ns
    CredentialStore(path).update_now(lambda document: None)
    assert path.stat().st_mtime_ns == before
    assert not path.with_name("credentials.json.bak").exists()


def test_a_failing_change_writes_nothing(path: Path) -> None:
    before = path.read_bytes()

    def change(document: CredentialDocument) -> None:
        rotate(document)
        document.get(99)

    with pytest.raises(UnknownCredential):
        CredentialStore(path).update_now(change)
    assert path.read_bytes() == before
    assert FileLock(path.with_name("credentials.json.lock")).acquire(0)


def test_ids_are_written_at_the_first_change_and_never_used_again(path: Path) -> None:
    path.write_text(json.dumps([{"refreshToken": R1}, {"refreshToken": R2}]))
    store = CredentialStore(path)
    assert [credential.id for credential in store.load().credentials] == [1, 2]
    assert store.load().incomplete
    store.update_now(lambda document: None)
    assert [entry["id"] for entry in json.loads(path.read_text())] == [1, 2]
    store.update_now(lambda document: document.remove(2))
    added = CredentialStore(path).update_now(lambda document: document.add(Credential(refresh_token=R2)))
    assert added.value.id == 3


def test_a_single_object_is_one_again_in_whatever_process(path: Path) -> None:
    before = path.read_text()
    added = CredentialStore(path).update_now(lambda document: document.add(Credential(refresh_token=R2))).value
    assert isinstance(json.loads(path.read_text()), list)
    CredentialStore(path).update_now(lambda document: document.remove(added.id))
    assert path.read_text() == before


def test_the_lock_file_is_nobody_s_number(path: Path) -> None:
    """On systems without a list of locks a bare number would be taken for a process to end."""
    store = CredentialStore(path)
    store.update_now(lambda document: document.add(Credential(refresh_token=R2)))
    lock = FileLock(store.lock_path())
    assert lock.try_acquire()
    state = look_at_lock(store.lock_path(), seconds=0.01, locks=path.with_name("no list of locks"))
    lock.release()
    assert (state.held, state.pid) == (True, None)


@pytest.mark.parametrize(
    "text", ["", "7", "[]", '{"last_id": "x", "origin": "y"}', '{"last_id": -1}', "rubbish", "[" * 9000]
)
def test_a_lock_file_that_tells_nothing(path: Path, text: str) -> None:
    store = CredentialStore(path)
    store.lock_path().write_text(text)
    assert store.update_now(lambda document: document.add(Credential(refresh_token=R2))).value.id == 2


@posix_only
def test_a_file_that_others_can_read_is_made_private(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.chmod(0o644)
    CredentialStore(path).load()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "was readable by others" in caplog.text


def test_two_links_to_one_file_share_its_lock(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    CredentialStore(link).update_now(rotate)
    assert link.is_symlink()
    assert json.loads(path.read_text())["refreshToken"] == R2
    assert path.with_name("credentials.json.lock").exists()
    assert not link.with_name("link.json.lock").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[{]", "not valid JSON"),
        (b'{"refreshToken": "\xff"}', "not UTF-8"),
        (b'"text"', "one JSON object or a list"),
    ],
)
def test_a_file_that_is_no_credentials_file(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)
    for action in (CredentialStore(path).load, lambda: CredentialStore(path).update_now(rotate)):
        with pytest.raises(CredentialFileError, match=says):
            action()
    assert path.read_bytes() == content


def test_a_byte_order_mark_is_no_error(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert CredentialStore(path).load().credentials[0].refresh_token == R1


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(CredentialFileError, match="Docker creates one"):
        CredentialStore(tmp_path).load()


def test_a_parent_that_is_a_file(path: Path) -> None:
    store = CredentialStore(path / "credentials.json")
    with pytest.raises(CredentialFileError, match="Check the path"):
        store.update_now(lambda document: document.add(Credential(refresh_token=R1)))


def test_a_lock_that_is_never_given_back(path: Path) -> None:
    held = FileLock(path.with_name("credentials.json.lock"))
    assert held.try_acquire()
    store = CredentialStore(path, lock_seconds=0.0)
    with pytest.raises(CredentialFileError, match="locked by another process"):
        store.update_now(rotate)
    held.release()
    store.update_now(rotate)


async def test_the_stamp_changes_with_every_write(path: Path) -> None:
    store = CredentialStore(path)
    stamps = [await store.stamp()]
    await store.update(rotate)
    stamps.append(await store.stamp())
    await trio.Path(path).unlink()
    stamps.append(await store.stamp())
    assert len(set(stamps)) == 3
    assert stamps[-1] is None


async def test_one_refresh_at_a_time(path: Path) -> None:
    first, second = CredentialStore(path), CredentialStore(path)
    async with first.refresh_turn(1, 5) as turn:
        assert turn.held
        async with second.refresh_turn(1, 0) as other:
            assert not other.held
            other.started()
            assert not other.interrupted()
        async with second.refresh_turn(2, 0) as another_account:
            assert another_account.held
    async with second.refresh_turn(1, 0) as turn:
        assert turn.held


async def test_an_interrupted_refresh_is_noticed_by_the_next(path: Path) -> None:
    store = CredentialStore(path)
    async with store.refresh_turn(1, 5) as turn:
        assert not turn.interrupted()
        turn.started()
    async with store.refresh_turn(1, 5) as turn:
        assert turn.interrupted()
        turn.finished()
    async with store.refresh_turn(1, 5) as turn:
        assert not turn.interrupted()


async def test_without_a_place_for_the_lock_there_is_no_refresh(path: Path) -> None:
    (path.parent / ".credentials.json.refresh-1.lock").mkdir()
    with pytest.raises(CredentialFileError, match="cannot be locked"):
        async with CredentialStore(path).refresh_turn(1, 0):
            raise AssertionError


UNSAVED_IDS = """
import json, sys
from pathlib import Path
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.store import CredentialStore
path = Path(sys.argv[1]) / "credentials.json"
seen = []
for _ in range(2):
    for store in (CredentialStore(path), CredentialStore(path)):
        try:
            store.check_writable()
        except CredentialFileError as error:
            seen.append("Free some space" in str(error))
        try:
            store.update_now(lambda document: None)
        except CredentialFileError:
            pass
        seen.append([credential.id for credential in store.load().credentials])
(path.parent / "fill").unlink()
store.check_writable()
stored = store.update_now(lambda document: None).stored
print(json.dumps([*seen, [credential.id for credential in stored.credentials]]))
"""


def test_ids_that_cannot_be_saved_are_the_same_for_everybody(tmp_path: Path) -> None:
    """Else two processes would hold different locks for one account."""
    entries = json.dumps([{"refreshToken": R1}, {"refreshToken": R2}])
    mounts = f"""mount -t tmpfs -o size=65536 tmpfs "$1"; printf '%s' '{entries}' > "$1/credentials.json"
        printf '{{"last_id": 4}}' > "$1/credentials.json.lock"
        head -c 65536 /dev/zero > "$1/fill" 2> /dev/null || true"""
    assert run_mounted(mounts, UNSAVED_IDS, tmp_path) == [True, [5, 6]] * 4 + [[5, 6]]


# --- several processes ------------------------------------------------------------------------------------------

COUNT = """
import sys, trio
from pathlib import Path
from kiro_rs_py.upstream.store import CredentialStore
store, mine = CredentialStore(Path(sys.argv[1])), sys.argv[2]
def count(document):
    number = document.get(1).priority
    document.patch(1, {"priority": number + 1})
    document.patch(int(mine), {"label": f"{number}"})
async def main():
    for _ in range(25):
        await store.update(count)
trio.run(main)
"""


def test_two_writers_lose_nothing_of_each_other(path: Path) -> None:
    path.write_text(json.dumps([{"id": n, "refreshToken": f"r{n}", "x": [n]} for n in (1, 2, 3)]))
    children = [subprocess.Popen([sys.executable, "-c", COUNT, path, mine]) for mine in ("2", "3")]
    assert [child.wait(60) for child in children] == [0, 0]
    entries = json.loads(path.read_text())
    assert entries[0] == {"id": 1, "refreshToken": "r1", "x": [1], "priority": 50}
    assert max(int(entries[1]["label"]), int(entries[2]["label"])) == 49


# --- file systems -----------------------------------------------------------------------------------------------

ROTATE = """
import json, sys, tempfile, logging, io
from pathlib import Path
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.store import CredentialStore
said = io.StringIO()
logging.basicConfig(stream=said, format="%(message)s")
path = Path(sys.argv[1]) / "credentials.json"
tempfile.tempdir = "/dev/shm"
store = CredentialStore(path)
results = []
for token in ("aor1", "aor2"):
    try:
        store.update_now(lambda document: document.patch(1, {"refreshToken": token, "label": "x" * SIZE}))
        results.append("saved")
    except CredentialFileError as error:
        results.append(str(error).replace(str(path), "FILE"))
results.append(json.loads(path.read_text())["refreshToken"])
print(json.dumps([results, said.getvalue().replace(str(path), "FILE").splitlines()]))
"""
OBJECT = """printf '{"refreshToken": "aor0"}' > "$1/credentials.json"; chmod 600 "$1/credentials.json"; """


@pytest.mark.parametrize(
    ("mounts", "size", "results", "said"),
    [
        (
            'mount --bind "$1/credentials.json" "$1/credentials.json"',
            1,
            ["saved", "saved", "aor2"],
            ["FILE can only be rewritten in place, which a power cut may damage: a container should mount its folder, "
             "not the single file."],
        ),
        (
            'mount -o remount,ro "$1"',
            1,
            ["FILE cannot be written: Read-only file system. Mount its folder writable; rotated tokens have to be "
             "saved in it."] * 2 + ["aor0"],
            [],
        ),
        (
            'head -c 16384 /dev/zero > "$1/z"',
            10_000,
            ["FILE cannot be written: No space left on device. Free some space."] * 2 + ["aor0"],
            [],
        ),
    ],
    ids=["bind-mounted", "read-only", "full"],
)  # fmt: skip
def test_mounts(mounts: str, size: int, results: list[str], said: list[str], tmp_path: Path) -> None:
    prepare = f'mount -t tmpfs -o size=32k tmpfs "$1"; {OBJECT}{mounts}'
    assert run_mounted(prepare, ROTATE.replace("SIZE", str(size)), tmp_path) == [results, said]


# --- the twin in memory -----------------------------------------------------------------------------------------


async def test_the_twin_behaves_like_the_file(tmp_path: Path) -> None:
    text = json.dumps([{"refreshToken": R1, "x": 1}])
    path = tmp_path / "credentials.json"
    path.write_text(text)
    for store in (CredentialStore(path), MemoryCredentialStore(text)):
        stamp = await store.stamp()
        assert (await store.read()).incomplete
        updated = await store.update(lambda document: document.patch(1, {"refreshToken": R2}))
        assert updated.stored == await store.read()
        assert updated.value.refresh_token == R2
        assert await store.stamp() != stamp
        assert (await store.update(lambda document: document.remove(1))).value.id == 1
        assert (await store.update(lambda document: document.add(Credential(refresh_token=R1)))).value.id == 2
        async with store.refresh_turn(1, 0) as turn, store.refresh_turn(1, 0) as other:
            assert (turn.held, other.held) == (True, False)


async def test_the_twin_can_lose_its_text() -> None:
    store = MemoryCredentialStore()
    store.replace(None)
    assert await store.stamp() is None
    assert (await store.read()).shape == "missing"


@posix_only
def test_peeking_touches_nothing(path: Path) -> None:
    path.chmod(0o644)
    before = sorted(path.parent.iterdir())
    stored = CredentialStore(path).peek()
    assert stored.credentials == CredentialStore(path).load().credentials
    assert sorted(path.parent.iterdir()) == before
    path.chmod(0o644)
    CredentialStore(path).peek()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.write_text("{")
    with pytest.raises(CredentialFileError):
        CredentialStore(path).peek()


async def test_lock_files_lie_beside_the_file(path: Path) -> None:
    store = CredentialStore(path)
    assert store.lock_path() == path.with_name("credentials.json.lock")
    async with store.refresh_turn(3, 1.0):
        assert store.lock_path(3).exists()
