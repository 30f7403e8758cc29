"""Kinds of values a setting can have: each checks what a file, a flag or the environment gave.

A kind never repeats the offending value of a secret; those that echo a value are used for public settings only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from kiro_rs_py.config.access_keys import is_well_formed

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_VISIBLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one sort of value is read.

    ``check(value, folder)`` takes a value of a JSON or TOML file (or a flag) and the folder that relative paths start
    from; it returns the value for :class:`~kiro_rs_py.config.Config`, None for "as if absent", or raises
    :class:`ValueError` with the rest of the sentence that begins with the key ("must be …").
    ``from_text`` turns an environment variable's text into such a value.
    """

    check: Callable[[object, Path], object]
    from_text: Callable[[str], object] = str


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``word``, if any is like it at all."""
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    # Only a mistake needs it, and every start would pay for it.
    import difflib

    close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None


def _described(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case _:
            return type(value).__name__


def _shown(value: object) -> str:
    """What stands where a number should be; that is no secret."""
    return f'"{value[:20]}"' if isinstance(value, str) else _described(value)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {_described(value)}")
    return value


def _number_from_text(text: str) -> object:
    """The number a text spells, else the text itself, which the check then refuses in words."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def whole_number(low: int, high: int | None = None) -> Kind:
    """An integer; ``true`` is none, although Python thinks so."""
    limits = f"from {low} to {high}" if high is not None else f"of {low} or more"

    def check(value: object, folder: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number {limits}, not {_shown(value)}")
        if value < low or (high is not None and value > high):
            raise ValueError(f"must be a whole number {limits}, not {value}")
        return value

    return Kind(check, _number_from_text)


def seconds(high: float) -> Kind:
    """A time span above 0 and up to ``high`` seconds."""

    def check(value: object, folder: Path) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"must be a number of seconds, not {_shown(value)}")
        # Compared, not converted: TOML has integers that no float can hold.
        if not 0 < value <= high:
            raise ValueError(f"must be above 0 and at most {high:g} seconds, not {str(value)[:20]}")
        return float(value)

    return Kind(check, _number_from_text)


def one_of(*choices: str) -> Kind:
    """One of a closed set of words."""

    def check(value: object, folder: Path) -> str | None:
        word = _string(value)
        if not word or word in choices:
            return word or None
        meant = nearest(word, choices)
        hint = f'; did you mean "{meant}"?' if meant else ""
        raise ValueError(f'must be one of {", ".join(choices)}, not "{word}"{hint}')

    return Kind(check)


def _access_key(value: object, folder: Path) -> str | None:
    """A blank one, whitespace included, is none (operations §1.3)."""
    if not _string(value).strip():
        return None
    text = _visible(value, folder)
    if text is not None and not is_well_formed(text):
        raise ValueError("must have 64 hex digits behind sha256:; `kiro-rs-py config hash-key` writes it")
    return text


def _any_text(value: object, folder: Path) -> str | None:
    return _string(value) or None


def _suffix(value: object, folder: Path) -> str:
    """Kept when empty: an empty suffix turns the feature off (PRODUCT §2)."""
    text = _string(value)
    if text and not _VISIBLE.fullmatch(text):
        raise ValueError("must be printable ASCII without spaces")
    return text


def _visible(value: object, folder: Path) -> str | None:
    """Text that can travel in an HTTP header without quoting or trimming."""
    text = _string(value)
    if text and not _VISIBLE.fullmatch(text):
        raise ValueError("must be printable ASCII without spaces or line breaks")
    return text or None


def _host(value: object, folder: Path) -> str | None:
    text = _string(value)
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if bare and not _HOST.fullmatch(bare):
        raise ValueError(f'must be a host name or an IP address without scheme, port or path, not "{text}"')
    return bare or None


UNIX = "unix:"


def _listen(value: object, folder: Path) -> str | None:
    """``host:port`` or ``unix:path``, the path taken from the file's folder."""
    text = _string(value)
    if text.startswith(UNIX) and text != UNIX:
        return f"{UNIX}{_path(text.removeprefix(UNIX), folder)}"
    name, _, port = text.rpartition(":")
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    in_brackets = ":" not in bare or bare != name
    if text and not (
        _HOST.fullmatch(bare) and in_brackets and re.fullmatch("[0-9]{1,5}", port) and int(port) <= 65_535
    ):
        raise ValueError(f'must be an address with a port, such as 127.0.0.1:8991, or unix: and a path, not "{text}"')
    return text or None


def split_listen(listen: str) -> Path | tuple[str, int]:
    """A checked value of that kind: the socket's path, or host and port."""
    if listen.startswith(UNIX):
        return Path(listen.removeprefix(UNIX))
    name, _, port = listen.rpartition(":")
    return name.strip("[]"), int(port)


def _region(value: object, folder: Path) -> str | None:
    text = _string(value)
    if text and not REGION.fullmatch(text):
        raise ValueError(f'must look like an AWS region, for example us-east-1, not "{text}"')
    return text or None


def _split_url(text: str, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of a URL with one of ``schemes`` and a host; errors do not repeat the URL, it may hold a password."""
    wanted = f"must be a URL that begins with {' or '.join(scheme + '://' for scheme in schemes)} and names a host"
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError as exc:
        raise ValueError(wanted) from exc
    if parts.scheme.lower() not in schemes or not parts.hostname or not port_is_fine or not _VISIBLE.fullmatch(text):
        raise ValueError(wanted)
    return parts


def _http_url(value: object, folder: Path) -> str | None:
    text = _string(value)
    if not text:
        return None
    parts = _split_url(text, ("http", "https"))
    if parts.fragment:
        raise ValueError("must have no #fragment")
    return text


def _base_url(value: object, folder: Path) -> str | None:
    text = _http_url(value, folder)
    if text is not None and urlsplit(text).query:
        raise ValueError("must have no ?query; paths are added to it")
    return text.rstrip("/") if text else None


def _proxy_url(value: object, folder: Path) -> str | None:
    text = _string(value)
    if not text:
        return None
    _split_url(text, ("http", "https", "socks5", "socks5h"))
    return text


def _strings(value: object, folder: Path) -> tuple[str, ...]:
    """A list of strings; one string with commas is taken as such a list, as in ``NO_PROXY``."""
    items: object = _split_commas(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError(f"must be a list of strings, not {_described(value)}")
    for item in items:
        if not isinstance(item, str) or not item.strip():
            raise ValueError("must be a list of non-empty strings")
    return tuple(item.strip() for item in items)


def _split_commas(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _origins(value: object, folder: Path) -> tuple[str, ...]:
    origins = _strings(value, folder)
    for origin in origins:
        if origin == "*":
            continue
        parts = _split_url(origin, ("http", "https"))
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f'must hold origins such as https://app.example.com or "*", not "{origin}"')
    return tuple(origin.rstrip("/") for origin in origins)


def _path(value: object, folder: Path) -> Path | None:
    text = str(value) if isinstance(value, Path) else _string(value)
    if "\0" in text:
        raise ValueError("must be a path, which has no NUL in it")
    try:
        return folder / Path(text).expanduser() if text else None
    except RuntimeError as exc:
        raise ValueError("begins with ~, but there is no home folder") from exc


def _readable_file(value: object, folder: Path) -> Path | None:
    path = _path(value, folder)
    try:
        if path is not None:
            path.open("rb").close()
    except OSError as exc:
        raise ValueError(f"names {path}, which cannot be read: {exc.strerror}") from exc
    return path


def _table(value: object, folder: Path) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table, not {_described(value)}")
    return value


def _json_from_text(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


text = Kind(_any_text)
visible_text = Kind(_visible)
access_key = Kind(_access_key)
suffix = Kind(_suffix)
host = Kind(_host)
listen = Kind(_listen)
region = Kind(_region)
http_url = Kind(_http_url)
base_url = Kind(_base_url)
proxy_url = Kind(_proxy_url)
strings = Kind(_strings, _split_commas)
origins = Kind(_origins, _split_commas)
path = Kind(_path)
readable_file = Kind(_readable_file)
table = Kind(_table, _json_from_text)
