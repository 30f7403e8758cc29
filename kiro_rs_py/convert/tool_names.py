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
        names = dict.fromkeys(names)
        self._wire = {name: name for name in names if _FITS.fullmatch(name)}
        self.client_names: dict[str, str] = {}
        """Alias → the client's name; names that went unchanged are not in it."""
        taken = set(self._wire)
        for name in names:
            if name not in self._wire:
                self._wire[name] = alias = unused(name, taken)
                self.client_names[alias] = name
                taken.add(alias)

    def __getitem__(self, name: str) -> str:
        return self._wire[name]


def unused(wanted: str, taken: set[str]) -> str:
    """A name or id for this request: ``wanted`` itself if it fits and is not ``taken``, else one made from it."""
    if _FITS.fullmatch(wanted) and wanted not in taken:
        return wanted
    # The first candidate is the one of kiro.rs, so that transcripts of both agree; others only on a collision.
    made, attempt = shortened(wanted, wanted), 0
    while made in taken:
        attempt += 1
        made = shortened(wanted, f"{wanted}#{attempt}")
    return made
