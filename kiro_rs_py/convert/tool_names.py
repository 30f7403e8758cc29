"""Names and ids that Kiro accepts for tools and calls, one set per request.

The service takes ``^[a-zA-Z0-9_-]{1,64}$`` (upstream-protocol §1.7.7); clients send dotted names, colons, whole
sentences. What does not fit gets an alias; :class:`WireNames` remembers whose alias it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

MAX_NAME = 63
_STEM = 54
_FITS = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_NAME}}}")
_MISFIT = re.compile(r"[^a-zA-Z0-9_-]")


def shortened(name: str, hashed: str) -> str:
    """An alias for ``name``: what fits of its beginning, and eight digits of the SHA-256 of ``hashed`` (N3)."""
    return f"{_MISFIT.sub('_', name)[:_STEM]}_{sha256(hashed.encode()).hexdigest()[:8]}"


class WireNames:
    """Name → what goes upstream; the same name always to the same, two names never to one.

    ``names`` are all the names of the request: those that fit are reserved before any alias is made.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._wire: dict[str, str] = {}
        wanting: list[str] = []
        for name in dict.fromkeys(names):
            if _FITS.fullmatch(name):
                self._wire[name] = name
            else:
                wanting.append(name)
        self.client_names: dict[str, str] = {}
        """Alias → the client's name; names that went unchanged are not in it."""
        for name in wanting:
            self._wire[name] = alias = self._free_alias(name)
            self.client_names[alias] = name

    def __getitem__(self, name: str) -> str:
        return self._wire[name]

    def _free_alias(self, name: str) -> str:
        # The first candidate is the one of kiro.rs, so that transcripts of both agree; others only on a collision.
        alias, attempt = shortened(name, name), 0
        while alias in self._wire or alias in self.client_names:
            attempt += 1
            alias = shortened(name, f"{name}#{attempt}")
        return alias


def unused_id(wanted: str, taken: set[str]) -> str:
    """A tool-use id for this request: ``wanted`` itself if it fits and is not ``taken``, else one made from it."""
    if _FITS.fullmatch(wanted) and wanted not in taken:
        return wanted
    made, attempt = shortened(wanted, wanted), 0
    while made in taken:
        attempt += 1
        made = shortened(wanted, f"{wanted}#{attempt}")
    return made
