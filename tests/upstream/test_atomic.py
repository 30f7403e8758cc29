"""Replacing a file: whole or not at all, private, with a backup, on file systems that refuse this or that."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiro_rs_py.upstream.atomic import Written, make_private_folder, replace_file, rewrite_in_place, tighten
from tests.upstream.children import run_mounted, run_unprivileged

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix_only
def test_content_backup_and_permissions(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    assert replace_file(path, b"one") == Written()
    assert not path.with_name("c.json.bak").exists()
    path.chmod(0o644)
    assert replace_file(path, b"two") == Written()
    assert path.read_bytes() == b"two"
    assert path.with_name("c.json.bak").read_bytes() == b"one"
    assert mode(path) == mode(path.with_name("c.json.bak")) == 0o600
    assert sorted(item.name for item in tmp_path.iterdir()) == ["c.json", "c.json.bak"]


@posix_only
def test_a_missing_folder_is_made_private_and_an_existing_one_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    replace_file(tmp_path / "deep" / "er" / "c.json", b"x")
    make_private_folder(tmp_path)
    assert mode(tmp_path / "deep" / "er") == 0o700
    assert mode(tmp_path) == 0o755


@posix_only
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "real" / "c.json"
    target.parent.mkdir()
    target.write_bytes(b"one")
    link = tmp_path / "link.json"
    link.symlink_to(target)
    replace_file(link, b"two")
    assert link.is_symlink()
    assert target.read_bytes() == b"two"
    assert (target.parent / "c.json.bak").read_bytes() == b"one"


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "c[1].json"
    path.write_bytes(b"one")
    (tmp_path / ".c[1].json.0123456789ab.tmp").write_bytes(b"half")
    (tmp_path / ".c1.json.0123456789ab.tmp").write_bytes(b"not ours")
    replace_file(path, b"two", backup=False)
    assert sorted(item.name for item in tmp_path.iterdir()) == [".c1.json.0123456789ab.tmp", "c[1].json"]


def test_a_backup_that_is_the_file_itself_is_made_its_own_again(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"one")
    os.link(path, tmp_path / "c.json.bak")  # where a kill between backup and rename leaves it
    replace_file(path, b"two")
    assert (tmp_path / "c.json.bak").read_bytes() == b"one"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["c.json", "c.json.bak"]


def test_a_backup_that_cannot_be_written_does_not_stop_the_write(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"one")
    path.with_name("c.json.bak").mkdir()
    written = replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert isinstance(written.backup_failed, OSError)


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.mkdir()
    (path / "x").touch()
    for backup in (False, True):
        with pytest.raises(OSError, match="directory"):
            replace_file(path, b"two", backup=backup)
    assert [item.name for item in tmp_path.iterdir()] == ["c.json"]


@pytest.mark.parametrize("content", [b"longer than before", b"short", b"as long", b""])
def test_rewriting_in_place(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"the old")
    inode = path.stat().st_ino
    rewrite_in_place(path, content)
    assert (path.read_bytes(), path.stat().st_ino) == (content, inode)


@posix_only
def test_tighten(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.touch(0o644)
    path.chmod(0o640)
    assert tighten(path)
    assert mode(path) == 0o600
    assert not tighten(path)
    tmp_path.chmod(0o755)
    assert not tighten(tmp_path)
    assert mode(tmp_path) == 0o755
    with pytest.raises(FileNotFoundError):
        tighten(tmp_path / "missing")


@posix_only
def test_root_leaves_the_file_to_its_owner(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    path = tmp_path / "c.json"
    path.write_bytes(b"one")
    os.chown(path, 1234, 1234)
    replace_file(path, b"two")
    os.chown(tmp_path, 4321, 4321)
    replace_file(tmp_path / "new.json", b"one")
    owners = {item.name: item.stat().st_uid for item in tmp_path.iterdir()}
    assert owners == {"c.json": 1234, "c.json.bak": 1234, "new.json": 4321}


# --- other file systems -----------------------------------------------------------------------------------------

WRITE = """
import errno, json, sys
from pathlib import Path
from kiro_rs_py.upstream.atomic import replace_file
path = Path(sys.argv[1]) / "c.json"
results = []
for content in CONTENTS:
    try:
        written = replace_file(path, content)
        results.append(["in place" if written.in_place else "renamed", written.backup_failed is None])
    except OSError as error:
        results.append([errno.errorcode[error.errno], True])
    data = path.read_bytes()
    results[-1].append(data.decode() if len(data) < 100 else len(data))
print(json.dumps([results, sorted(item.name for item in path.parent.iterdir())]))
"""


def test_a_single_bind_mounted_file_is_rewritten_in_place(tmp_path: Path) -> None:
    mounts = 'mount -t tmpfs tmpfs "$1"; printf old > "$1/c.json"; mount --bind "$1/c.json" "$1/c.json"'
    script = WRITE.replace("CONTENTS", '[b"longer text", b"short"]')
    assert run_mounted(mounts, script, tmp_path) == [
        [["in place", True, "longer text"], ["in place", True, "short"]],
        ["c.json", "c.json.bak"],
    ]


def test_a_read_only_mount_is_an_error_and_nothing_changes(tmp_path: Path) -> None:
    mounts = 'mount -t tmpfs tmpfs "$1"; printf old > "$1/c.json"; mount -o remount,ro "$1"'
    script = WRITE.replace("CONTENTS", '[b"new"]')
    assert run_mounted(mounts, script, tmp_path) == [[["EROFS", True, "old"]], ["c.json"]]


def test_a_full_disk_is_an_error_and_nothing_changes(tmp_path: Path) -> None:
    mounts = 'mount -t tmpfs -o size=16k tmpfs "$1"; printf old > "$1/c.json"; head -c 8192 /dev/zero > "$1/z"'
    script = WRITE.replace("CONTENTS", '[b"x" * 8192, b"new"]')
    assert run_mounted(mounts, script, tmp_path) == [
        [["ENOSPC", True, "old"], ["renamed", True, "new"]],
        ["c.json", "c.json.bak", "z"],
    ]


def test_a_full_disk_is_noticed_before_a_rewrite_in_place_begins(tmp_path: Path) -> None:
    mounts = (
        'mount -t tmpfs -o size=16k tmpfs "$1"; printf old > "$1/c.json"; mount --bind "$1/c.json" "$1/c.json"; '
        'head -c 12288 /dev/zero > "$1/z" || true'
    )
    script = WRITE.replace("CONTENTS", '[b"x" * 20000, b"new"]').replace(
        "results = []", "results = []; (path.parent / 'c.json.bak').mkdir()"
    )
    result = run_mounted(mounts, script, tmp_path)
    assert isinstance(result, list)
    assert result[0][0] == ["ENOSPC", True, "old"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        Path(folder).chmod(0o700)


def test_a_folder_that_takes_no_files_around_a_writable_one(open_folder: Path) -> None:
    (open_folder / "c.json").write_bytes(b"old")
    script = WRITE.replace("CONTENTS", '[b"new"]').replace("results", "drop(); path.parent.chmod(0o500); results", 1)
    assert run_unprivileged(script, open_folder) == [[["in place", False, "new"]], ["c.json"]]


def test_neither_folder_nor_file_may_be_written(open_folder: Path) -> None:
    (open_folder / "c.json").write_bytes(b"old")
    script = WRITE.replace("CONTENTS", '[b"new"]').replace(
        "results", "drop(); path.chmod(0o400); path.parent.chmod(0o500); results", 1
    )
    assert run_unprivileged(script, open_folder) == [[["EACCES", True, "old"]], ["c.json"]]


PROBE = """
import errno, json, sys
from pathlib import Path
from kiro_rs_py.upstream.atomic import probe_write
path = Path(sys.argv[1]) / "c.json"
try:
    drop()
    found = probe_write(path)
except OSError as error:
    found = errno.errorcode[error.errno]
print(json.dumps([found, sorted(item.name for item in path.parent.iterdir() if item.name != "fill")]))
"""


@pytest.mark.parametrize(
    ("mode", "folder_mode", "found"),
    [(0o600, 0o700, None), (0o600, 0o500, None), (0o400, 0o700, None), (0o400, 0o500, "EACCES")],
)
def test_what_a_probe_says_of_permissions(mode: int, folder_mode: int, found: str | None, open_folder: Path) -> None:
    """As :func:`replace_file` would fare: with the folder closed the file itself is rewritten."""
    (open_folder / "c.json").write_bytes(b"old")
    script = PROBE.replace("drop()", f"drop(); path.chmod({mode}); path.parent.chmod({folder_mode})")
    assert run_unprivileged(script, open_folder) == [found, ["c.json"]]
    assert (open_folder / "c.json").read_bytes() == b"old"


@pytest.mark.parametrize(("left", "found"), [(0, "ENOSPC"), (8192, None)])
def test_what_a_probe_says_of_a_full_disk(left: int, found: str | None, tmp_path: Path) -> None:
    mounts = 'mount -t tmpfs -o size=65536 tmpfs "$1"; printf old > "$1/c.json"; '
    mounts += f'head -c {61440 - left} /dev/zero > "$1/fill"'
    assert run_mounted(mounts, PROBE.replace("drop()", "pass"), tmp_path) == [found, ["c.json"]]
