"""The clock: expiry times mean nothing on a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.cli.durations import describe_span

TOPIC = "clock"
TOLERANCE = timedelta(minutes=5)
"""Half of the margin that tokens are refreshed ahead of their end."""

_FIX = "Set the clock: `timedatectl set-ntp true`, or your system's settings."


def check_clock(now: datetime, skews: Sequence[float], files: Sequence[Path]) -> Finding:
    """``skews`` are what reached hosts told, in seconds ahead; without any, a file from the future tells too."""
    if skews:
        skew = timedelta(seconds=sorted(skews)[len(skews) // 2])
        if abs(skew) >= TOLERANCE:
            where = "ahead" if skew > timedelta(0) else "behind"
            return Finding("error", TOPIC, f"This computer's clock is {describe_span(abs(skew))} {where}.", _FIX)
        return Finding("ok", TOPIC, "This computer's clock agrees with Kiro's.")
    for path in files:
        try:
            changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError:
            continue
        if changed - now >= TOLERANCE:
            message = f"{path} was changed {describe_span(changed - now)} from now: this computer's clock is behind."
            return Finding("error", TOPIC, message, _FIX)
    message = "No host told the time; the clock was compared with the files only."
    return Finding("note", TOPIC, message, "Run it again when Kiro's hosts can be reached.")
