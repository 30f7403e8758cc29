"""Reading what is sent to the administration: one JSON object, its members checked one by one."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.serve.admin.refusals import Refusal, invalid, invalid_field
from kiro_rs_py.serve.app import Call

MAX_BODY_BYTES = 256 * 1024
LARGEST_PRIORITY = 2**32 - 1
LONGEST_TEXT = 8192
MOST_ACCOUNTS = 1000
"""In one request."""


async def read_members(call: Call, *names: str, limit: int = MAX_BODY_BYTES) -> Members:
    """The body as an object, with no other members than ``names`` if there are any. Raises Refusal for anything else,
    RequestTooLarge, BodyTimeout.

    Only ``application/json`` is read: a page of another origin cannot send that without being asked first, which
    nobody here ever grants (operations §10.1, S4).
    """
    body = await call.inbound.read(limit)
    if not body.strip():
        raise invalid("invalid_json", "The body must be a JSON object, and there is none.")
    if media_type(call) != "application/json":
        raise Refusal(415, "invalid_request", "unsupported_media_type", "Send content-type: application/json.")
    try:
        document: Json = json.loads(body)
    except (ValueError, RecursionError):  # of the text itself nothing is repeated: it may hold tokens
        raise invalid("invalid_json", "The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise invalid("invalid_json", "The body must be a JSON object.")
    members = Members(document)
    if names:
        members.only(names)
    return members


def media_type(call: Call) -> str:
    """The content type without its parameters, in lower case."""
    return (call.header(b"content-type") or "").partition(";")[0].strip().lower()


class Members:
    """The members of an object. ``null`` and a missing member are the same, and so is empty text."""

    def __init__(self, document: JsonObject) -> None:
        self.document = document

    def __contains__(self, name: str) -> bool:
        return name in self.document

    def only(self, names: Iterable[str]) -> None:
        """Refuse members that mean nothing here: a misspelt one would otherwise look as if it had been obeyed."""
        unknown = sorted(self.document.keys() - set(names))
        if unknown:
            raise invalid("invalid_field", f"{printable(unknown[0])} is unknown.", field=printable(unknown[0]))

    def text(self, name: str, *, longest: int = LONGEST_TEXT) -> str | None:
        """One line of text, without the blanks around it."""
        value = self.document.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid_field(name, "must be text.")
        value = value.strip()
        if len(value) > longest:
            raise invalid_field(name, f"is longer than {longest} characters.")
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
            raise invalid_field(name, "must not contain control characters.")
        return value or None

    def required_text(self, name: str, *, longest: int = LONGEST_TEXT) -> str:
        value = self.text(name, longest=longest)
        if value is None:
            raise invalid_field(name, "is missing.")
        return value

    def long_text(self, name: str) -> str:
        """Text of any length and shape, as it is; the body's limit bounds it."""
        value = self.document.get(name)
        if not isinstance(value, str) or not value.strip():
            raise invalid_field(name, "must be text, and not empty.")
        return value

    def boolean(self, name: str, *, default: bool | None = None) -> bool:
        value = self.document.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise invalid_field(name, "must be true or false.")
        return value

    def priority(self) -> int:
        """A whole number as kiro-rs takes it: 32 bits, no sign (operations §5.4)."""
        value = self.document.get("priority")
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_PRIORITY:
            raise invalid_field("priority", f"must be a whole number from 0 to {LARGEST_PRIORITY}.")
        return value

    def priorities(self) -> dict[int, int]:
        """``[{"id", "priority"}, …]``, each account once."""
        found: dict[int, int] = {}
        for item in self._some("priorities", "objects with id and priority"):
            if not isinstance(item, dict) or item.keys() != {"id", "priority"}:
                raise invalid_field("priorities", "must hold objects with id and priority only.")
            number = item["id"]
            if not isinstance(number, int) or isinstance(number, bool) or number in found:
                raise invalid_field("priorities", "must name each account once, by its number.")
            try:
                found[number] = Members(item).priority()
            except Refusal:
                raise invalid_field("priorities", f"must be whole numbers from 0 to {LARGEST_PRIORITY}.") from None
        return found

    def ids(self) -> list[int]:
        """Account numbers, each once, in the order given."""
        numbers: dict[int, None] = {}
        for item in self._some("ids", "account numbers"):
            if not isinstance(item, int) or isinstance(item, bool):
                raise invalid_field("ids", "must hold account numbers only.")
            numbers[item] = None
        return list(numbers)

    def _some(self, name: str, what: str) -> list[Json]:
        value = self.document.get(name)
        if not isinstance(value, list) or not value or len(value) > MOST_ACCOUNTS:
            raise invalid_field(name, f"must be a list of 1 to {MOST_ACCOUNTS} {what}.")
        return value


def printable(text: str) -> str:
    """A stranger's text fit for a message: visible characters only, not too many."""
    return "".join(character if character.isprintable() else "?" for character in text[:60])
