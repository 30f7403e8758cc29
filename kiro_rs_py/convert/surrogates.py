"""Texts that UTF-8 can carry.

JSON may spell half of a character (``"\\ud83d"``). Python keeps it as a lone surrogate and refuses to encode it later,
in the middle of an answer. So it is replaced where it comes in, and in JSON text that is handed on unread,
:class:`EscapeMender` replaces its escape.
"""

from __future__ import annotations

import re
from typing import overload

from kiro_rs_py.convert.anthropic import Json, JsonObject

_LONE = re.compile("[\ud800-\udfff]")
# One escape, or a pair of them; an escaped backslash is one too, so that what follows it is not taken for one.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\u[0-9a-fA-F]{4}|\\u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F])|\\[^u]",
    re.DOTALL,
)
_HIGH = re.compile(r"\\u[dD][89abAB]")


def well_formed(text: str) -> str:
    """``text`` with pairs of surrogates joined and lone ones replaced by U+FFFD; usually ``text`` itself."""
    if text.isascii() or not _LONE.search(text):
        return text
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return _LONE.sub("\ufffd", joined)


@overload
def well_formed_json(value: JsonObject) -> JsonObject: ...
@overload
def well_formed_json(value: Json) -> Json: ...
def well_formed_json(value: Json) -> Json:
    """The same for every string in ``value``, keys included."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [well_formed_json(item) for item in value]
    if isinstance(value, dict):
        return {well_formed(key): well_formed_json(item) for key, item in value.items()}
    return value


class EscapeMender:
    """JSON text in pieces → the same with escapes of lone surrogates replaced, whatever the cuts.

    At most an escape and the beginning of its other half are held back; a whole document leaves nothing behind.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def receive(self, text: str) -> str:
        """What ``text`` decides."""
        text = self._held + text
        if "\\" not in text:
            self._held = ""
            return text
        decided = end = 0
        for escape in _ESCAPE.finditer(text):
            decided = escape.start() if _HIGH.match(escape[0]) and escape["lone"] else escape.end()
            end = escape.end()
        # Behind the last whole escape a backslash begins one that is not whole yet.
        begun = text.find("\\", end)
        rest = text[end:] if begun < 0 else text[end:begun]
        if decided == end or rest:
            decided = len(text) if begun < 0 else begun
        self._held = text[decided:]
        return _ESCAPE.sub(lambda escape: "\\ufffd" if escape["lone"] else escape[0], text[:decided])
