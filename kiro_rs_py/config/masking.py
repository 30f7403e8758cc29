"""Settings as they may be shown: secrets and passwords inside URLs replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from kiro_rs_py.config.keys import Key

MASK = "********"


def masked(key: Key, value: object) -> object:
    """The value of a setting as JSON that reveals no secret; not even a secret's length or beginning."""
    if key.secret:
        return MASK if value else None
    if key.url_with_password and isinstance(value, str):
        return mask_url(value)
    match value:
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case _:
            return value


def mask_url(url: str) -> str:
    """The URL with its user and password masked, and its query too, where services put keys."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    if parts.username is not None:
        place = f"{MASK}@{place}"
    return urlunsplit(parts._replace(netloc=place, query=MASK if parts.query else "", fragment=""))
