"""``allowed_domains`` and ``blocked_domains`` of the web search.

Kiro's search has no such fields, so what it finds is filtered here. An entry is a host with an optional path, as the
Messages API documents it: it covers the host and its subdomains, and everything below its path, in which one ``*`` may
stand for anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class DomainFilter:
    """With ``allowed`` only these pass, with ``blocked`` all but these; clients send one list or none."""

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def admits(self, url: str) -> bool:
        """Whether a result from ``url`` may be shown. A URL that cannot be read belongs to no domain."""
        host, path = _host_and_path(url)
        if self.allowed and not _covered(host, path, self.allowed):
            return False
        return not _covered(host, path, self.blocked)


def _host_and_path(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.path or "/"
    except ValueError:
        return "", "/"


def _covered(host: str, path: str, entries: Iterable[str]) -> bool:
    return any(_covers(entry, host, path) for entry in entries)


def _covers(entry: str, host: str, path: str) -> bool:
    """Entries should have no scheme; some clients write one all the same."""
    entry = entry.strip().rpartition("://")[2]
    domain, _, below = entry.partition("/")
    domain = domain.lower().strip(".")
    if not domain or not (host == domain or host.endswith(f".{domain}")):
        return False
    first, *others = map(re.escape, below.rstrip("/").split("*"))
    # The first place that fits a part is good enough for all but the last, so the search never turns back there: with
    # many asterisks that would take for ever.
    *middle, last = others or [""]
    pattern = first + "".join(f"(?>.*?{part})" for part in middle) + (f".*{last}" if others else "")
    return not below or re.match(rf"/{pattern}(?:/|$)", path) is not None
