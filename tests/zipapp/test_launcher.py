"""Where the unpacked copy goes, whatever the home folder is like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiro_rs_py import __version__
from tests.zipapp.conftest import ROOT, Zipapp

pytestmark = pytest.mark.zipapp

VERSION = f"kiro-rs-py {__version__}\n"

# Nobody can create anything there, not even root.
READ_ONLY = "/proc/kiro-rs-py-home"


def copies(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("kiro-rs-py_*") if path.is_dir())


def test_unpacks_once_into_the_users_cache(zipapp: Zipapp, tmp_path: Path) -> None:
    cache = tmp_path / "home" / ".cache" / "kiro-rs-py"
    assert zipapp.output_of("--version") == VERSION
    (copy,) = copies(cache)
    marker = copy / "site-packages" / "kiro_rs_py" / "cli" / "help_pages" / "_.txt"
    marker.write_text("the copy is used\n")
    assert zipapp.output_of("--help") == "the copy is used\n"
    assert copies(cache) == [copy]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_copies_of_older_builds_do_not_pile_up(zipapp: Zipapp, tmp_path: Path) -> None:
    cache = tmp_path / "home" / ".cache" / "kiro-rs-py"
    for age, name in enumerate(
        ("kiro-rs-py_a", "kiro-rs-py_b", "kiro-rs-py_c.tmp", "kiro-rs-py_d", "kiro-rs-py_e.gone")
    ):
        (cache / name / "site-packages").mkdir(parents=True)
        os.utime(cache / name, (1e9 - age, 1e9 - age))
    (cache / "somebody-else").mkdir()
    assert zipapp.output_of("--version") == VERSION
    assert len(copies(cache)) == 4
    assert {"kiro-rs-py_a", "kiro-rs-py_b", "kiro-rs-py_c.tmp", "somebody-else"} < {
        path.name for path in cache.iterdir()
    }
    assert zipapp.output_of("--version") == VERSION


def test_xdg_cache_home_and_shiv_root(zipapp: Zipapp, tmp_path: Path) -> None:
    for name, variable in (("xdg", "XDG_CACHE_HOME"), ("shiv", "SHIV_ROOT")):
        zipapp.environ[variable] = str(tmp_path / name)
        assert zipapp.output_of("--version") == VERSION
    assert len(copies(tmp_path / "xdg" / "kiro-rs-py")) == 1
    assert len(copies(tmp_path / "shiv")) == 1


def test_a_read_only_home(zipapp: Zipapp, tmp_path: Path) -> None:
    zipapp.environ["HOME"] = READ_ONLY
    for _ in range(2):
        assert zipapp.output_of("--version") == VERSION
    (root,) = (tmp_path / "tmp").iterdir()
    assert root.stat().st_mode & 0o777 == 0o700
    assert len(copies(root)) == 1


def test_no_home_at_all(zipapp: Zipapp, tmp_path: Path) -> None:
    del zipapp.environ["HOME"]
    zipapp.environ["XDG_CACHE_HOME"] = READ_ONLY
    assert zipapp.output_of("--version") == VERSION


def test_a_folder_that_others_can_write_is_not_trusted(zipapp: Zipapp, tmp_path: Path) -> None:
    zipapp.environ["HOME"] = READ_ONLY
    trap = tmp_path / "tmp" / f"kiro-rs-py-{os.getuid()}"
    trap.mkdir()
    trap.chmod(0o777)
    for _ in range(2):
        assert zipapp.output_of("--version") == VERSION
    assert list(trap.iterdir()) == []
    # and what was used instead has gone with the process
    assert list((tmp_path / "tmp").iterdir()) == [trap]


def test_a_generous_umask_does_not_unpack_each_time(zipapp: Zipapp, tmp_path: Path) -> None:
    before = ("sh", "-c", 'umask 002; exec "$@"', "sh")
    assert zipapp.output_of("--version", before=before) == VERSION
    (copy,) = copies(tmp_path / "home" / ".cache" / "kiro-rs-py")
    (copy / "site-packages" / "kiro_rs_py" / "cli" / "help_pages" / "_.txt").write_text("used\n")
    assert zipapp.output_of("--help", before=before) == "used\n"


def test_first_starts_at_once(zipapp: Zipapp, tmp_path: Path) -> None:
    started = [zipapp.start("count-tokens", "--text", "one two three") for _ in range(4)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]
    assert [(err, code) for _, err, code in ended] == [("", 0)] * 4
    assert len({out for out, _, _ in ended}) == 1
    assert len(copies(tmp_path / "home" / ".cache" / "kiro-rs-py")) == 1


def test_compiles_into_its_own_cache_only(zipapp: Zipapp, tmp_path: Path) -> None:
    zipapp.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    zipapp.output_of("--version")
    (copy,) = copies(tmp_path / "home" / ".cache" / "kiro-rs-py")
    assert list(copy.rglob("kiro_rs_py/__pycache__/*.pyc"))


def test_an_old_python_gets_a_sentence() -> None:
    launcher = ROOT / "scripts" / "zipapp" / "launcher.py"
    pretend = "import sys; sys.version_info = (3, 9, 2, 'final', 0); sys.argv[0] = 'kiro-rs-py'"
    code = f"{pretend}; exec(open({str(launcher)!r}).read())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == ("error: kiro-rs-py needs Python 3.11 or newer, this is 3.9. Try: python3.11 kiro-rs-py\n")
