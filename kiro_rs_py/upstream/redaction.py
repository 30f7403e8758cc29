"""Answers of the upstream with their shape, and without what was said in them.

What stays is what a bug report needs: frames, event types, sizes, where pieces were cut, thinking tags, JSON syntax,
numbers, error codes and the error texts everybody knows. Letters and digits of everything else become ``x``, ``X`` and
``0``, other characters one of the same length in UTF-8; ids become hashes, the same id always the same one. So the
result can still be decoded and played back. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from kiro_rs_py.codec.frame import PRELUDE_BYTES, encode_frame
from kiro_rs_py.codec.headers import HeaderValue, Uuid, encode_headers
from kiro_rs_py.codec.inspection import Piece, inspect
from kiro_rs_py.convert.anthropic import Json, JsonObject, json_object, json_text

# Texts whose pieces belong together: a tag or a JSON string may be cut between two events.
_TEXT_OF = {"assistantResponseEvent": "content", "codeEvent": "content", "reasoningContentEvent": "text"}
_TOOL_USE = "toolUseEvent"

_CODES = frozenset({"stopReason", "unit", "unitPlural", "modelId", "reason", "__type", "code", "name", "userIntent"})
_MESSAGES = frozenset({"message", "Message", "errorMessage", "error_description"})
_CODE = re.compile(r"[\w.:#/-]{1,128}", re.ASCII)
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")
_TAGS = re.compile(r"</?think(?:ing)?>")
# Sentences by which failures are told apart (upstream-protocol §11.3).
_KNOWN_TEXTS = re.compile(
    "input is too long|prompt is too long|context window is full|improperly formed request|invalid model"
    "|profilearn is required for this request|invalid tool use format|expected toolresult blocks"
    "|you have reached the limit|maximum request reached for this month|too many requests|rate exceeded"
    "|experiencing high traffic|unexpectedly high load|suspicious activity|temporary limits|suspended"
    "|locked your account|bearer token|invalid token|token is invalid|expired token|token has expired"
    "|does not support this application|gateway time-?out",
    re.IGNORECASE,
)
_JSON_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"?|-?[0-9][0-9.eE+-]*|true|false|null|[{}\[\]:,\s]+|.', re.DOTALL)
_ESCAPED = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]+|\\", re.DOTALL)
_FILLER_BY_BYTES = {2: "é", 3: "世", 4: "😀"}
_ANSWER_HEADERS = ("retry-after", "x-amzn-errortype")


def redacted_stream(data: bytes, salt: bytes) -> bytes:
    """An event stream, cut or damaged as it may be. ``salt`` makes its ids unknown outside this process."""
    redaction = _Redaction(salt)
    pieces = [(piece, None if piece.message is None else json_object(piece.payload)) for piece in inspect(data)]
    _mask_texts([(piece, payload) for piece, payload in pieces if payload is not None])
    return b"".join(redaction.piece(piece, payload) for piece, payload in pieces)


def redacted_answer(status: int, headers: Mapping[str, str], body: bytes, salt: bytes) -> bytes:
    """An answer that is no event stream, as a scenario of the simulator: JSON, a list of this one step.

    ``headers`` are case-insensitive or in lower case.
    """
    kept: JsonObject = {}
    for name in _ANSWER_HEADERS:
        # Behind the colon of an error type stands an address.
        value = headers.get(name, "").partition(":")[0]
        if _CODE.fullmatch(value):
            kept[name] = value
    text = body.decode("utf-8", "replace")
    document = json_object(text)
    shown = masked(text, _KNOWN_TEXTS) if document is None else _Redaction(salt).value(document)
    step: JsonObject = {"status": status, "headers": kept, "body": shown}
    return json.dumps([step], ensure_ascii=False, indent=2).encode("utf-8", "replace")


def masked(text: str, kept: re.Pattern[str] | None = None) -> str:
    """``text`` with filler of the same length in place of letters and digits, except where ``kept`` matches."""
    if kept is None:
        return _filled(text)
    parts: list[str] = []
    end = 0
    for match in kept.finditer(text):
        parts += [_filled(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, _filled(text[end:])])


def masked_json(text: str) -> str:
    """JSON text, whole or cut off, with its syntax, its members' names and its length; nothing else."""
    parts: list[str] = []
    for match in _JSON_TOKEN.finditer(text):
        token = match[0]
        if token.startswith('"'):
            parts.append(token if _is_member(text, match) else _masked_string(token))
        elif token[0] in "-0123456789":
            parts.append(re.sub("[0-9]", "1", token))
        elif token in ("true", "false", "null"):
            parts.append(token)
        else:
            parts.append(_filled(token))
    return "".join(parts)


def _is_member(text: str, match: re.Match[str]) -> bool:
    """Whether a string is the name of a member, and one that reads like a parameter's."""
    rest = text[match.end() : match.end() + 20].lstrip()
    return rest.startswith(":") and _MEMBER.fullmatch(match[0][1:-1]) is not None


def _masked_string(token: str) -> str:
    """A JSON string with its escapes, so that it stays as long and as valid as it was."""
    inner = token[1:-1] if len(token) > 1 and _ends(token) else token[1:]
    parts: list[str] = []
    for part in _ESCAPED.findall(inner):
        if part.startswith("\\u"):
            parts.append("\\u0078" if len(part) == 6 else part)
        else:
            parts.append(part if part.startswith("\\") else _filled(part))
    return '"' + "".join(parts) + token[1 + len(inner) :]


def _ends(token: str) -> bool:
    return token.endswith('"') and (len(token) - len(token[:-1].rstrip("\\"))) % 2 == 1


class _Filler(dict[int, str]):
    """Code point → what stands in for it, for :meth:`str.translate`."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isspace():
            return character
        return _FILLER_BY_BYTES[len(character.encode("utf-8", "surrogatepass"))]


def _letter(character: str) -> str:
    if character.isalpha():
        return "x" if character.islower() else "X"
    return "0" if character.isdigit() else character


_FILLER = _Filler({code: _letter(chr(code)) for code in range(128)})


def _filled(text: str) -> str:
    return text.translate(_FILLER)


# --- frames -------------------------------------------------------------------------------------------------------


def _mask_texts(payloads: list[tuple[Piece, JsonObject]]) -> None:
    """Mask the texts that are spread over events as the whole they are, in place."""
    texts: dict[tuple[str, str], list[JsonObject]] = {}
    for piece, payload in payloads:
        member = _spanning(piece)
        if member and isinstance(payload.get(member), str):
            which = payload.get("toolUseId", "") if member == "input" else piece.headers[":event-type"]
            texts.setdefault((member, str(which)), []).append(payload)
    for (member, _), parts in texts.items():
        whole = "".join(str(part[member]) for part in parts)
        filler = masked_json(whole) if member == "input" else masked(whole, _TAGS)
        place = 0
        for part in parts:
            length = len(str(part[member]))
            part[member] = filler[place : place + length]
            place += length


def _spanning(piece: Piece) -> str:
    """The member whose text goes on in the next event; empty if there is none."""
    kind = piece.headers.get(":event-type")
    if kind == _TOOL_USE:
        return "input"
    return _TEXT_OF.get(kind, "") if isinstance(kind, str) else ""


class _Redaction:
    """What is kept of values and headers; ids are hashed with ``salt``."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def piece(self, piece: Piece, payload: JsonObject | None) -> bytes:
        """A frame, or what is left of one. ``payload`` is its JSON object with the spanning text masked already."""
        if piece.message is None or (piece.problems and not piece.headers):
            return self._torn(piece)
        if payload is None:
            body = self._raw(piece.payload)
        else:
            body = json_text(self._object(payload, keep=_spanning(piece))).encode("utf-8", "replace")
        frame = encode_frame(self._headers(piece.headers), body)
        # A wrong checksum stays wrong.
        return frame if piece.message.right else frame[:-1] + bytes([frame[-1] ^ 0xFF])

    def _headers(self, headers: Mapping[str, HeaderValue]) -> dict[str, HeaderValue]:
        return {name: self._header(name, value) for name, value in headers.items()}

    def _header(self, name: str, value: HeaderValue) -> HeaderValue:
        match value:
            case str() if name.startswith(":") and _CODE.fullmatch(value):
                return value
            case str():
                return masked(value, _KNOWN_TEXTS)
            case bytes():
                return b"?" * len(value)
            case Uuid():
                return Uuid(bytes(16))
            case _:
                return value

    def _object(self, payload: JsonObject, *, keep: str) -> JsonObject:
        return {
            self._name(name): value if name == keep and isinstance(value, str) else self._member(name, value)
            for name, value in payload.items()
        }

    def value(self, value: Json, *, strict: bool = False) -> Json:
        """Any value; ``strict`` keeps no text at all, not even what reads like a code."""
        match value:
            case dict():
                return {self._name(name): self._member(name, part, strict=strict) for name, part in value.items()}
            case list():
                return [self.value(part, strict=strict) for part in value]
            case str():
                return masked(value)
            case _:
                return value

    def _name(self, name: str) -> str:
        return name if _MEMBER.fullmatch(name) else masked(name)

    def _member(self, name: str, value: Json, *, strict: bool = False) -> Json:
        if not isinstance(value, str) or strict:
            return self.value(value, strict=strict or name == "input")
        if name in _CODES and _CODE.fullmatch(value):
            return value
        if name in _MESSAGES:
            return masked(value, _KNOWN_TEXTS)
        return self._hashed(value) if name.endswith("Id") else masked(value)

    def _hashed(self, value: str) -> str:
        """Another id of the same length: what stands before ``_`` tells its kind and stays."""
        kind, mark, _ = value.partition("_")
        prefix = kind + mark if mark and kind.isalpha() else ""
        digest = hashlib.sha256(self._salt + value.encode("utf-8", "surrogatepass")).hexdigest()
        return (prefix + digest)[: max(len(value), len(prefix) + 8)]

    def _raw(self, payload: bytes) -> bytes:
        """A payload that is no JSON object."""
        try:
            return masked(payload.decode(), _KNOWN_TEXTS).encode()
        except UnicodeDecodeError:
            return b"?" * len(payload)

    def _torn(self, piece: Piece) -> bytes:
        """A cut frame keeps its prelude and what is readable of its headers; all else is only as long as it was."""
        kept = b"" if piece.prelude is None else piece.data[:PRELUDE_BYTES]
        if piece.headers:
            kept += encode_headers(self._headers(piece.headers))
        return kept + b"?" * (len(piece.data) - len(kept))
