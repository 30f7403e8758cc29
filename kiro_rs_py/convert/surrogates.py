"""Texts that UTF-8 can carry.

JSON may spell half of a character (``"\\ud83d"``). Python keeps it as a lone surrogate and refuses to encode it later,
in the middle of an answer. So it is replaced where it comes in.
"""

from __future__ import annotations

import re
from typing import overload

from kiro_rs_py.convert.anthropic import Json, JsonObject

_LONE = re.compile("[\ud800-\udfff]")


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
