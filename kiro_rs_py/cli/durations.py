"""Spans of time as people write and read them: ``90s``, ``15m``, ``2h``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """``15m`` → 15 minutes; the unit is s, m, h or d.

    :raises ValueError: with a sentence.
    """
    match = re.fullmatch(r"(\d{1,9})([smhd])", text.strip().lower())
    if match is None:
        raise ValueError(f'"{text}" is no span of time; write a number and a unit, such as 90s, 15m, 2h or 1d.')
    return min(timedelta(seconds=int(match[1]) * _SECONDS[match[2]]), _LONGEST)


def describe_span(span: timedelta) -> str:
    """``3 d 4 h``, ``59 min``, ``20 s``: the two largest units at most; a span that is over is ``0 s``."""
    seconds = max(0, int(span.total_seconds()))
    if seconds >= 86_400:
        return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def describe_expiry(moment: datetime | None, now: datetime) -> str:
    """``in 59 min``, ``expired``, or ``-`` when nobody knows or nothing expires."""
    if moment is None:
        return "-"
    return f"in {describe_span(moment - now)}" if moment > now else "expired"


def describe_day(moment: datetime | None) -> str:
    """The date in UTC, which is what quotas go by, or ``-``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d") if moment else "-"
