"""The orders a prompt may carry for the scripted model (clients §0), and for the service's faults.

``<<CALL ToolA|ToolB {"json": "input"}>>``, ``<<SAY text>>``, ``<<FAULT kind argument>>``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias, cast

from kiro_rs_py.convert.anthropic import JsonObject

_START = re.compile(r"<<(CALL|SAY)\s+")
_NAMES = re.compile(r"[^\s{>]+")
_END = re.compile(r"\s*>>")
_FAULT = re.compile(r"<<FAULT\s+([^<>]+?)\s*>>")
# Proxies shorten names over 63 characters, usually to their beginning and a hash; this much of it must agree.
ALIAS_AGREES = 40


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """``names`` are alternatives; the first one on offer is called."""

    names: tuple[str, ...]
    arguments: JsonObject


Directive: TypeAlias = Say | Call


def parse_directives(text: str) -> list[Directive]:
    """All complete directives in their order; broken ones are text like any other."""
    found: list[Directive] = []
    place = 0
    while (start := _START.search(text, place)) is not None:
        place = start.end()
        parsed = _parse_say(text, place) if start[1] == "SAY" else _parse_call(text, place)
        if parsed is not None:
            directive, place = parsed
            found.append(directive)
    return found


def fault_text(text: str) -> str | None:
    """What stands in the first ``<<FAULT …>>``."""
    match = _FAULT.search(text)
    return match[1] if match else None


def offered_name(names: Collection[str], offered: Collection[str]) -> str | None:
    """The first of ``names`` that is on offer, as it is offered: exactly, in another case, or under an alias."""
    for name in names:
        for candidate in (name, *_aliases(name)):
            if candidate in offered:
                return candidate
        lowered = name.lower()
        for candidate in offered:
            if candidate.lower() == lowered or _looks_shortened(name, candidate):
                return candidate
    return None


def _parse_say(text: str, place: int) -> tuple[Say, int] | None:
    end = text.find(">>", place)
    return None if end < 0 else (Say(text[place:end].rstrip()), end + 2)


def _parse_call(text: str, place: int) -> tuple[Call, int] | None:
    names = _NAMES.match(text, place)
    if names is None:
        return None
    place = names.end()
    while place < len(text) and text[place].isspace():
        place += 1
    arguments: JsonObject = {}
    if text.startswith("{", place):
        try:
            # The decoder finds the end, so the arguments may contain ">>" themselves.
            value, place = json.JSONDecoder().raw_decode(text, place)
        except (ValueError, RecursionError):
            return None
        arguments = cast("JsonObject", value)
    end = _END.match(text, place)
    return None if end is None else (Call(tuple(names[0].split("|")), arguments), end.end())


def _aliases(name: str) -> tuple[str, ...]:
    """The alias kiro-rs gives to long names (request-conversion N3)."""
    if len(name.encode()) <= 63:
        return ()
    return (f"{name[:54]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}",)


def _looks_shortened(name: str, candidate: str) -> bool:
    """Another alias scheme, or characters that had to be replaced."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if plain == name and len(name) <= 63:
        return False
    return candidate == plain or candidate.startswith(plain[: min(ALIAS_AGREES, len(plain))])
