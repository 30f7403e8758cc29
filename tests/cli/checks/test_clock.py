from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiro_rs_py.cli.checks.clock import check_clock
from tests.cli.checks.settings import bad, write

NOW = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("skews", "level", "words"),
    [
        ([2.0, -1.0], "ok", "agrees"),
        ([7200.0, 7201.0, 0.0], "error", "2 h 0 min ahead"),
        ([-600.0], "error", "10 min behind"),
    ],
)
def test_what_hosts_tell(skews: list[float], level: str, words: str) -> None:
    finding = check_clock(NOW, skews, [])
    bad([finding])
    assert finding.level == level
    assert words in finding.message


def test_a_file_from_the_future(tmp_path: Path) -> None:
    path = write(tmp_path / "credentials.json", "[]")
    later = (NOW + timedelta(hours=3)).timestamp()
    os.utime(path, (later, later))
    finding = check_clock(NOW, [], [tmp_path / "none", path])
    assert (finding.level, "3 h 0 min from now" in finding.message) == ("error", True)
    assert finding.fix
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert bad([check_clock(NOW, [], [path])])[0].level == "note"
