"""Frames as lines for people and as JSON for programs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence

from kiro_rs_py.codec.headers import Byte, HeaderValue, Int, Long, Short, Timestamp, Uuid
from kiro_rs_py.codec.inspection import Piece

# Payloads beyond this are shown up to here on a terminal; --json has all of them.
SHOWN_CHARACTERS = 4000
_HEX_BYTES_A_LINE = 32


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
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(payload).decode()}
    try:
        return {"json": json.loads(text)}
    except (ValueError, RecursionError):
        return {"text": text}


def printable(text: str) -> str:
    """Without what would move a terminal's cursor: the bytes may come from anywhere."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
