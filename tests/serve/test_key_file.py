"""The file of the client keys: whole or untouched, private, shared by processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.serve.client_keys import ClientKey, new_client_key
from kiro_rs_py.serve.key_file import KeyFile
from kiro_rs_py.upstream.locks import FileLock

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)

Change = Callable[[dict[str, ClientKey]], None]


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile.beside(tmp_path / "credentials.json")


def adding(name: str) -> Change:
    key, _ = new_client_key(name, NOW)
    return lambda keys: keys.update({key.id: key})


def test_what_is_written_is_read(file: KeyFile) -> None:
    assert file.load() == []
    assert file.stamp() is None
    plain, _ = new_client_key("plain ✓", NOW)
    full, _ = new_client_key('full "quoted"', NOW, expires_at=NOW + timedelta(days=1), models=["a", "b"])
    full = replace(full, enabled=False, last_used_at=NOW, requests=7)
    returned = file.update(lambda keys: keys.update({plain.id: plain, full.id: full}))
    assert returned == file.load() == [plain, full]
    assert file.path.name == "credentials.keys.toml"
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.path.parent.iterdir()} == {0o600}


def test_no_backup_brings_a_deleted_key_back(file: KeyFile) -> None:
    file.update(adding("one"))
    file.update(dict.clear)
    assert file.load() == []
    assert not list(file.path.parent.glob("*.bak"))


def test_a_change_that_changes_nothing_or_fails_writes_nothing(file: KeyFile) -> None:
    file.update(adding("one"))
    before = file.stamp()

    def fail(keys: dict[str, ClientKey]) -> None:
        keys.clear()
        raise LookupError

    file.update(lambda keys: None)
    with pytest.raises(LookupError):
        file.update(fail)
    assert file.stamp() == before
    file.update(adding("two"))
    assert file.stamp() != before


def test_times_of_other_zones_and_of_none_are_utc(file: KeyFile) -> None:
    file.update(adding("one"))
    text = file.path.read_text()
    abroad = NOW.astimezone(timezone(timedelta(hours=2)))
    for written in (abroad.isoformat(), NOW.replace(tzinfo=None).isoformat()):
        file.path.write_text(text.replace("2026-05-04 03:02:01+00:00", written))
        assert [key.created_at for key in file.load()] == [NOW]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "\x00",
        lambda text: text + text,  # twins
        lambda text: text.replace("[[keys]]", "[keys]"),
        lambda text: "version = 2\n" + text,
        lambda text: text + 'only_from = "10.0.0.0/8"\n',  # a limit of a later version must not be lost
        lambda text: text.replace('sha256 = "', 'sha256 = "00'),
        lambda text: text.replace('sha256 = "', 'sha256 = "xx'),
        lambda text: text.replace("enabled = true", "enabled = 1"),
        lambda text: text.replace("requests = 0", 'requests = "0"'),
        lambda text: text.replace("enabled = true", 'enabled = true\nmodels = "m"'),
        lambda text: text.replace("enabled = true", "enabled = true\nmodels = [1]"),
        lambda text: text.replace("created_at = 2026-05-04 03:02:01+00:00", "created_at = 1"),
        lambda text: text.replace("created_at = 2026-05-04 03:02:01+00:00", "created_at = 9999-12-31T23:59:59-05:00"),
        lambda text: "\n".join(line for line in text.split("\n") if not line.startswith("enabled")),
    ],
)
def test_a_file_that_cannot_be_understood_is_an_error_and_stays(file: KeyFile, damage: Callable[[str], str]) -> None:
    file.update(adding("one"))
    damaged = damage(file.path.read_text())
    file.path.write_text(damaged)
    with pytest.raises(CredentialFileError, match=r"credentials\.keys\.toml is no file of client keys.*Repair it"):
        file.load()
    with pytest.raises(CredentialFileError):
        file.update(adding("two"))
    assert file.path.read_text() == damaged


def test_bytes_that_are_no_text(file: KeyFile) -> None:
    file.path.write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialFileError, match="UnicodeDecodeError"):
        file.load()


def test_a_folder_in_its_place(file: KeyFile) -> None:
    file.path.mkdir()
    with pytest.raises(CredentialFileError, match="cannot be read"):
        file.load()


def test_permissions_are_tightened(file: KeyFile) -> None:
    file.update(adding("one"))
    file.path.chmod(0o644)
    file.load()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_lock_that_somebody_keeps(file: KeyFile) -> None:
    lock = FileLock(file.path.with_name(f".{file.path.name}.lock"))
    assert lock.try_acquire()
    try:
        with pytest.raises(CredentialFileError, match="locked by another process"):
            KeyFile(file.path, lock_seconds=0.0).update(adding("one"))
    finally:
        lock.release()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(CredentialFileError, match=r"cannot be (locked|read)"):
        KeyFile(tmp_path / "folder" / "keys.toml").update(adding("one"))


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.serve.key_file import KeyFile
from tests.serve.test_key_file import adding
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
try:
    KeyFile(Path(sys.argv[1])).update(adding("two"))
except CredentialFileError as error:
    print(error)
finally:  # what measures the coverage writes too
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""

KILLED = """
import os, sys
from pathlib import Path
from kiro_rs_py.serve.key_file import KeyFile
from tests.serve.test_key_file import adding
Path.replace = lambda self, target: os._exit(9)
KeyFile(Path(sys.argv[1])).update(adding("two"))
"""


@pytest.mark.parametrize(("code", "told"), [(FULL_DISK, "cannot be written"), (KILLED, "")])
def test_a_crash_or_a_full_disk_in_mid_write_leaves_the_old_file(file: KeyFile, code: str, told: str) -> None:
    file.update(adding("one"))
    before = file.path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", code, str(file.path)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert told in done.stdout
    assert (done.returncode, done.stderr) == (9 if not told else 0, "")
    assert file.path.read_bytes() == before
    file.update(adding("three"))
    assert [key.name for key in file.load()] == ["one", "three"]
    assert not list(file.path.parent.glob(".*.tmp"))


def test_two_processes_lose_nothing_of_each_other_s(file: KeyFile) -> None:
    code = (
        "import sys; from pathlib import Path; from kiro_rs_py.serve.key_file import KeyFile\n"
        "from tests.serve.test_key_file import adding\n"
        "for number in range(10): KeyFile(Path(sys.argv[1])).update(adding(sys.argv[2] + str(number)))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen([sys.executable, "-c", code, str(file.path), name], env=env) for name in "ab"]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert {key.name for key in file.load()} == {f"{name}{number}" for name in "ab" for number in range(10)}
