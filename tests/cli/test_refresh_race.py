"""`serve` under load beside four loops of `refresh --all`, for a few seconds; scripts/soak_refresh.py can do hours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parent.parent.parent / "scripts" / "soak_refresh.py"


def test_no_token_is_lost_and_none_is_used_twice(home: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(SOAK), "--seconds", "8"], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = json.loads(ended.stdout)
    assert figures["reuses"] == 0
    assert figures["wrong"] == []
    assert list(figures["refresh_runs_by_exit_code"]) == ["0"]
    assert list(figures["client_answers"]) == ["good"]
    assert list(figures["latest_refreshes_by_outcome"]) == ["rotated"]
