"""Where ``decode`` takes its bytes from, be they binary, hex or base64, and how their frames are shown."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator, Sequence

from kiro_rs_py.codec.headers import Byte, HeaderValue, Int, Long, Short, Timestamp, Uuid
from kiro_rs_py.codec.inspection import Piece
from kiro_rs_py.errors import CodecError

# Payloads beyond this are shown up to here on a terminal; --json has all of them.
SHOWN_CHARACTERS = 4000
_HEX_BYTES_A_LINE = 32

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
# A line of a dump: its offset, its bytes, and their characters.
_DUMP_LINES = (
    re.compile(r"([0-9a-fA-F]{8}): ((?:[0-9a-fA-F]{2} ?)+)(?: .*)?"),  # xxd
    re.compile(r"([0-9a-fA-F]{8,16})  ((?:[0-9a-fA-F]{2} {0,2})+) *(?:\|.*)?"),  # hexdump -C
)
_LAST_OFFSET = re.compile(r"[0-9a-fA-F]{8,16}")

_REMEDY = "Name a file, - for stdin, or paste the bytes as hex or base64."


# --- reading --------------------------------------------------------------------------------------------------------


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


# --- showing --------------------------------------------------------------------------------------------------------


def lines_of(number: int, piece: Piece) -> Iterator[str]:
    """One piece, for people. The first line names it; those that begin with ``!`` name damage."""
    what = "no frame" if piece.prelude is None else f"frame {number}"
    verdict = "damaged" if piece.problems else "checksums right"
    yield f"{what}: byte {piece.offset}, {len(piece.data)} bytes, {verdict}"
    for problem in piece.problems:
        yield f"! {problem}"
    for name, value in piece.headers.items():
        kind, shown = typed(value)
        yield f"  {printable(name):<17}{kind:<10}{printable(str(shown))}"
    kind, text = payload_text(piece.payload)
    yield f"  payload: {len(piece.payload)} bytes, {kind}" if piece.payload else "  no payload"
    if len(text) > SHOWN_CHARACTERS:
        text = f"{text[:SHOWN_CHARACTERS]}\n… {len(text) - SHOWN_CHARACTERS} more characters"
    for line in text.splitlines():
        yield f"    {printable(line)}"


def summary_of(pieces: Sequence[Piece]) -> str:
    """How many, how large, how sound."""
    frames = sum(piece.prelude is not None for piece in pieces)
    size = sum(len(piece.data) for piece in pieces)
    bad = sum(bool(piece.problems) for piece in pieces)
    damage = "no damage" if not bad else f"damage in {bad} {'place' if bad == 1 else 'places'}"
    return f"{frames} {'frame' if frames == 1 else 'frames'}, {size} bytes, {damage}"


def json_of(piece: Piece) -> dict[str, object]:
    """One piece as JSON: checksums are numbers, a payload is ``json``, ``text`` or ``base64``."""
    checksums: dict[str, object] = {"prelude": piece.prelude}
    if piece.message is not None:
        sent, computed = piece.message
        checksums["message"] = {"sent": sent, "computed": computed}
    headers = {name: dict(zip(("type", "value"), typed(value), strict=True)) for name, value in piece.headers.items()}
    return {
        "offset": piece.offset,
        "length": len(piece.data),
        "is_frame": piece.prelude is not None,
        "problems": list(piece.problems),
        "checksums": checksums,
        "headers": headers,
        "payload": _payload_json(piece.payload),
    }


def typed(value: HeaderValue) -> tuple[str, object]:
    """A header's type, by AWS's name for it, and its value as JSON has it."""
    match value:
        case bool():
            return "bool", value
        case str():
            return "string", value
        case bytes():
            return "bytes", base64.b64encode(value).decode()
        case Uuid():
            digits = value.value.hex()
            return "uuid", "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        case Byte() | Short() | Int() | Long() | Timestamp():
            return type(value).__name__.lower(), value.value


def payload_text(payload: bytes) -> tuple[str, str]:
    """What it is, and how to show it."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        rows = range(0, len(payload), _HEX_BYTES_A_LINE)
        return "binary", "\n".join(payload[start : start + _HEX_BYTES_A_LINE].hex(" ") for start in rows)
    try:
        return "JSON", json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return "text", text


def _payload_json(payload: bytes) -> dict[str, object]:
    kind, text = payload_text(payload)
    if kind == "JSON":
        return {"json": json.loads(text)}
    return {"text": text} if kind == "text" else {"base64": base64.b64encode(payload).decode()}


def printable(text: str) -> str:
    """Without what would move a terminal's cursor: the bytes may come from anywhere."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
