"""Where ``decode`` gets its bytes from: a file, stdin or the command line itself; binary, hex or base64."""

from __future__ import annotations

import base64
import re
import sys

from kiro_rs_py.errors import CodecError

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
# A line of a dump: its offset, its bytes, and their characters.
_DUMP_LINES = (
    re.compile(r"([0-9a-fA-F]{8}): ((?:[0-9a-fA-F]{2} ?)+)(?: .*)?"),  # xxd
    re.compile(r"([0-9a-fA-F]{8,16})  ((?:[0-9a-fA-F]{2} {0,2})+) *(?:\|.*)?"),  # hexdump -C
)
_LAST_OFFSET = re.compile(r"[0-9a-fA-F]{8,16}")

_REMEDY = "Name a file, - for stdin, or paste the bytes as hex or base64."


def read_frames(source: str) -> bytes:
    """The event stream that ``source`` names: a file, ``-`` for stdin, or hex or base64 text.

    :raises CodecError: it is none of these, or cannot be read.
    """
    if source == "-":
        return recognised(sys.stdin.buffer.read())
    try:
        with open(source, "rb") as opened:
            return recognised(opened.read())
    except (OSError, ValueError) as exc:
        # A pasted frame is no file name, or one too long to exist. It begins with a zero, as lengths below 16 MiB do;
        # a mistyped name may pass for base64, but not for that.
        data = _from_text(source)
        if data is not None and data[:1] == b"\0":
            return data
        name = source if len(source) <= 80 else f"{source[:80]}…"
        why = exc.strerror if isinstance(exc, OSError) else "no file has such a name"
        raise CodecError(f"{name} cannot be read: {why}. {_REMEDY}") from exc


def recognised(raw: bytes) -> bytes:
    """``raw`` itself if it is binary, else what its hex or base64 says; text that is neither is taken as it is."""
    if b"\0" in raw:
        return raw
    try:
        data = _from_text(raw.decode("ascii"))
    except UnicodeDecodeError:
        return raw
    return raw if data is None else data


def _from_text(text: str) -> bytes | None:
    dumped = _from_dump(text.splitlines())
    if dumped is not None:
        return dumped
    joined = "".join(text.split())
    if _HEX.fullmatch(joined):
        return bytes.fromhex(joined)
    if _BASE64.fullmatch(joined):
        joined = joined.rstrip("=").replace("-", "+").replace("_", "/")
        if len(joined) % 4 != 1:
            return base64.b64decode(joined + "=" * (-len(joined) % 4))
    return None


def _from_dump(lines: list[str]) -> bytes | None:
    """The bytes of a hex dump with offsets, which tell it from hex in groups; None if it is none."""
    data = b""
    for line in filter(None, map(str.strip, lines)):
        match = next(filter(None, (pattern.fullmatch(line) for pattern in _DUMP_LINES)), None)
        if match is not None and int(match[1], 16) == len(data):
            data += bytes.fromhex(match[2])
        elif not (data and _LAST_OFFSET.fullmatch(line) and int(line, 16) == len(data)):
            return None
    return data or None
