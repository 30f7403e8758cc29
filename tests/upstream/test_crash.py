"""A writer that is killed at any moment leaves a whole file with a token that the token service accepts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.upstream.children import run_mounted, run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")

SCRIPT = """
import sys
from pathlib import Path
from tests.upstream.crash_writer import main
main(Path(sys.argv[1]), KILLS, SHAPE)
"""


@pytest.mark.parametrize("shape", ["list", "object"])
def test_killed_writers(shape: str, tmp_path: Path) -> None:
    script = SCRIPT.replace("KILLS", "120").replace("SHAPE", repr(shape))
    result = run_python(script, tmp_path)
    assert isinstance(result, dict)
    assert result["kills"] == 120
    # The kills came while writes were under way, not in between: else this proves little.
    assert result["interrupted"] >= 60
    assert result["remaining"] == ["credentials.json", "credentials.json.bak", "credentials.json.lock"]


def test_killed_writers_of_a_single_bind_mounted_file(tmp_path: Path) -> None:
    """Even where no rename protects it: the text is shorter than a page, and never cut."""
    mounts = (
        'mount -t tmpfs tmpfs "$1"; : > "$1/credentials.json"; mount --bind "$1/credentials.json" "$1/credentials.json"'
    )
    script = SCRIPT.replace("KILLS", "60").replace("SHAPE", "'list'")
    result = run_mounted(mounts, script, tmp_path)
    assert isinstance(result, dict)
    assert result["writes"] > 60
